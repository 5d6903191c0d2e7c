//! What a statement must satisfy beyond the rules of the format, so that rows can be written from it.

use std::collections::BTreeSet;

use chrono::DateTime;
use consent::{Fault, Statement, time_text};

/// Longest statement, in bytes: its event must fit an entry of the log together with its signatures.
const SIZE_LIMIT_BYTES: usize = 40_000;
/// Longest decision deadline, in seconds: 14 days.
const DEADLINE_LIMIT_SECONDS: i64 = 1_209_600;
/// Longest access, in seconds: 7 days.
const CEILING_LIMIT_SECONDS: i64 = 604_800;
/// Most required approvals, and most required witnesses.
const NUMBER_LIMIT: usize = 10;

/// Checks the limits of this deployment. `before` is the statement that the new one follows.
pub(super) fn check(statement: &Statement, before: Option<&Statement>) -> Result<(), Fault> {
    let rules = &statement.rules;
    let is_exact = |text: &str| DateTime::parse_from_rfc3339(text).is_ok_and(|time| time_text(time.to_utc()) == text);
    let policies = &statement.break_glass;
    let ids: BTreeSet<_> = policies.iter().map(|policy| policy.policy).collect();
    let names: BTreeSet<_> = policies.iter().map(|policy| &policy.name).collect();
    let earlier = |id| before.and_then(|before| before.break_glass.iter().find(|policy| policy.policy == id));
    let demands = [
        (statement.document().to_string().len() <= SIZE_LIMIT_BYTES, "it has more than 40,000 bytes"),
        (rules.decision_deadline_seconds <= DEADLINE_LIMIT_SECONDS, "the decision deadline is at most 14 days"),
        (rules.access_ceiling_seconds <= CEILING_LIMIT_SECONDS, "the longest access is at most 7 days"),
        (rules.required_approvals <= NUMBER_LIMIT, "at most 10 approvals can be required"),
        (rules.witnesses_required <= NUMBER_LIMIT, "at most 10 witnesses can be required"),
        (is_exact(&statement.effective_at), "times have six digits after the second"),
        (
            policies.iter().all(|policy| {
                (1..=domain::BREAK_GLASS_CEILING_SECONDS).contains(&policy.ceiling_seconds)
                    && i32::try_from(policy.quota).is_ok_and(|quota| (1..=domain::BREAK_GLASS_QUOTA).contains(&quota))
                    && is_exact(&policy.until)
            }),
            "a break-glass policy allows at most 4 hours and 100 uses, and its end has six digits after the second",
        ),
        (ids.len() == policies.len() && names.len() == policies.len(), "a break-glass policy is listed twice"),
        (
            policies.iter().all(|policy| earlier(policy.policy).is_none_or(|earlier| earlier == policy)),
            "a break-glass policy never changes; add a new one and remove the old one",
        ),
        (
            statement.delegations.iter().all(|delegation| is_exact(&delegation.until)),
            "times have six digits after the second",
        ),
    ];
    match demands.into_iter().find(|(holds, _)| !holds) {
        Some((_, what)) => Err(Fault::Invalid(what)),
        None => Ok(()),
    }
}
