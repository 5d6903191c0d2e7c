//! The rules that a tenant sets. Each request stores a copy of them at submission.

/// How requests to one tenant are handled. Durations are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Time for the vendor review, counted from submission.
    pub review_deadline_seconds: i64,
    /// Time for the customer's decision, counted from the vendor approval. 12 hours unless set.
    pub decision_deadline_seconds: i64,
    /// Duration of a request that does not name one.
    pub access_default_seconds: i64,
    /// Longest duration that can be requested.
    pub access_ceiling_seconds: i64,
    /// How many different approvers must approve.
    pub required_approvals: i32,
    /// Whether a decision by the customer needs a comment.
    pub comment_required: bool,
    /// Whether an approval by the customer must be signed with a passkey.
    pub passkey_required: bool,
    /// When approvers are reminded, in seconds before the customer's deadline.
    pub reminders_seconds: Vec<i64>,
}

/// Longest deadline: 14 days.
pub const DEADLINE_LIMIT_SECONDS: i64 = 14 * 24 * 3600;
/// Longest access ceiling: 7 days.
pub const CEILING_LIMIT_SECONDS: i64 = 7 * 24 * 3600;

impl Default for Rules {
    fn default() -> Self {
        Self {
            review_deadline_seconds: 24 * 3600,
            decision_deadline_seconds: 12 * 3600,
            access_default_seconds: 3600,
            access_ceiling_seconds: 8 * 3600,
            required_approvals: 1,
            comment_required: false,
            passkey_required: false,
            reminders_seconds: Self::usual_reminders(12 * 3600),
        }
    }
}

impl Rules {
    /// When approvers are reminded unless the tenant sets something else, in seconds before a deadline this far away: at
    /// half time and one hour before. There is no reminder for deadlines under ten minutes.
    pub fn usual_reminders(deadline_seconds: i64) -> Vec<i64> {
        match deadline_seconds {
            ..600 => Vec::new(),
            600..=7200 => vec![deadline_seconds / 2],
            _ => vec![deadline_seconds / 2, 3600],
        }
    }

    /// Every rule that is not acceptable, as `(field, problem)`. A missing or empty rule never grants access.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut within = |field, value: i64, limit: i64| {
            if value < 1 || value > limit {
                faults.push((field, format!("must be between 1 and {limit} seconds, not {value}")));
            }
        };
        within("review_deadline_seconds", self.review_deadline_seconds, DEADLINE_LIMIT_SECONDS);
        within("decision_deadline_seconds", self.decision_deadline_seconds, DEADLINE_LIMIT_SECONDS);
        within("access_ceiling_seconds", self.access_ceiling_seconds, CEILING_LIMIT_SECONDS);
        within("access_default_seconds", self.access_default_seconds, self.access_ceiling_seconds);
        for &reminder in &self.reminders_seconds {
            within("reminders_seconds", reminder, self.decision_deadline_seconds);
        }
        if !(1..=10).contains(&self.required_approvals) {
            faults.push(("required_approvals", format!("must be between 1 and 10, not {}", self.required_approvals)));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approvers_are_reminded_at_half_time_and_an_hour_before_unless_the_deadline_is_short() {
        assert_eq!(Rules::default().reminders_seconds, [6 * 3600, 3600]);
        assert_eq!(Rules::usual_reminders(3600), [1800]);
        assert_eq!(Rules::usual_reminders(60), [0; 0]);
    }

    #[test]
    fn the_default_rules_are_valid_and_zero_approvals_are_not() {
        assert_eq!(Rules::default().faults(), Vec::new());
        let permissive = Rules { required_approvals: 0, access_ceiling_seconds: 0, ..Rules::default() };
        let fields: Vec<_> = permissive.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["access_ceiling_seconds", "access_default_seconds", "required_approvals"]);
    }
}
