//! Which changes of a tenant's witnesses the operator may make.

/// The witnesses of a tenant, and how many of them must sign before access opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witnesses {
    /// Required witness signatures; `None` requires no proof at all.
    pub required: Option<i32>,
    /// Name, URL and key of each witness, in any order.
    pub listed: Vec<String>,
}

/// A change that only the tenant's own approvers may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedChange {
    /// Fewer required signatures.
    FewerRequired,
    /// Other witnesses while signatures are required.
    OtherWitnesses,
}

impl Witnesses {
    /// Checks that a change by the operator does not weaken the tenant's protection against the vendor. The number of
    /// required signatures may only increase. The witnesses may change only while no signature is required, because the
    /// tenant did not choose the new ones.
    ///
    /// # Errors
    /// The reserved change.
    pub fn check_operator_change(&self, after: &Self) -> Result<(), ReservedChange> {
        if after.required < self.required {
            return Err(ReservedChange::FewerRequired);
        }
        let sorted = |witnesses: &Self| {
            let mut listed = witnesses.listed.clone();
            listed.sort_unstable();
            listed
        };
        if self.required.unwrap_or_default() > 0 && sorted(self) != sorted(after) {
            return Err(ReservedChange::OtherWitnesses);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witnesses(required: Option<i32>, listed: &[&str]) -> Witnesses {
        Witnesses { required, listed: listed.iter().map(|witness| (*witness).to_owned()).collect() }
    }

    #[test]
    fn the_operator_may_only_increase_the_number_of_required_signatures() {
        let one = witnesses(Some(1), &["a", "b"]);
        assert_eq!(one.check_operator_change(&witnesses(Some(2), &["b", "a"])), Ok(()));
        for fewer in [Some(0), None] {
            let after = witnesses(fewer, &["a", "b"]);
            assert_eq!(one.check_operator_change(&after), Err(ReservedChange::FewerRequired), "{fewer:?}");
        }
        assert_eq!(witnesses(None, &[]).check_operator_change(&witnesses(Some(0), &[])), Ok(()));
    }

    #[test]
    fn the_operator_may_change_the_witnesses_only_while_no_signature_is_required() {
        let other = |required| witnesses(required, &["a", "c"]);
        for required in [None, Some(0)] {
            assert_eq!(
                witnesses(required, &["a", "b"]).check_operator_change(&other(required)),
                Ok(()),
                "{required:?}"
            );
        }
        let required = witnesses(Some(1), &["a", "b"]);
        assert_eq!(required.check_operator_change(&other(Some(1))), Err(ReservedChange::OtherWitnesses));
        let one_more = witnesses(Some(1), &["a", "b", "c"]);
        assert_eq!(required.check_operator_change(&one_more), Err(ReservedChange::OtherWitnesses));
    }
}
