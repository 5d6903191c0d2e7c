//! The rules a tenant sets, snapshot into each request when it is submitted.

/// How requests to one tenant are handled. Times are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long the vendor's manager may take, counted from submission.
    pub review_deadline_seconds: i64,
    /// How long the customer may take, counted from the manager's approval. Twelve hours unless set.
    pub decision_deadline_seconds: i64,
    /// Duration given to a request that names none.
    pub access_default_seconds: i64,
    /// The longest access anybody may ask for.
    pub access_ceiling_seconds: i64,
    /// How many different approvers must say yes.
    pub required_approvals: i32,
    /// Whether a decision by the customer must carry a comment.
    pub comment_required: bool,
    /// Whether a yes by the customer must be signed with a passkey.
    pub passkey_required: bool,
    /// Seconds before the customer's deadline at which approvers are reminded.
    pub reminders_seconds: Vec<i64>,
}

/// No deadline may lie further ahead than this: 14 days.
pub const DEADLINE_LIMIT_SECONDS: i64 = 14 * 24 * 3600;
/// No ceiling may be set higher than this: 7 days.
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
    /// When approvers are reminded unless the tenant says otherwise, in seconds before a deadline this far away: at
    /// half time and one hour before. Whoever has less than ten minutes is not reminded.
    pub fn usual_reminders(deadline_seconds: i64) -> Vec<i64> {
        match deadline_seconds {
            ..600 => Vec::new(),
            600..=7200 => vec![deadline_seconds / 2],
            _ => vec![deadline_seconds / 2, 3600],
        }
    }

    /// Every rule that cannot stand, as `(field, problem)`. A rule that is missing or empty refuses; it never opens.
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
    fn people_are_reminded_at_half_time_and_an_hour_before_unless_there_is_hardly_time() {
        assert_eq!(Rules::default().reminders_seconds, [6 * 3600, 3600]);
        assert_eq!(Rules::usual_reminders(3600), [1800]);
        assert_eq!(Rules::usual_reminders(60), [0; 0]);
    }

    #[test]
    fn the_default_rules_stand_and_zero_approvals_never_do() {
        assert_eq!(Rules::default().faults(), Vec::new());
        let open_provisioning = Rules { required_approvals: 0, access_ceiling_seconds: 0, ..Rules::default() };
        let fields: Vec<_> = open_provisioning.faults().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["access_ceiling_seconds", "access_default_seconds", "required_approvals"]);
    }
}
