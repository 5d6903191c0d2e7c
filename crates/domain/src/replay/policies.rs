//! Break-glass policies as the log records them. Break-glass access needs one that the customer created before the request.
//!
//! Records may arrive late, so their times decide: whether the log has an end or a use first, the use must be the earlier
//! one.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::history::{CLOCK_STEP, Violation};
use crate::break_glass::{BREAK_GLASS_CEILING_SECONDS, BREAK_GLASS_QUOTA, POLICY_LIMIT_DAYS};

/// A policy as it was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTerms {
    /// When.
    pub at: DateTime<Utc>,
    /// Whether a person of the customer created it.
    pub by_customer: bool,
    /// The name that requests refer to.
    pub name: String,
    /// Services that it covers.
    pub services: Vec<String>,
    /// Longest access, in seconds.
    pub ceiling_seconds: i64,
    /// How often it may be used in total.
    pub quota: i64,
    /// When it stops being valid.
    pub until: DateTime<Utc>,
}

/// A use of a policy: a request for break-glass access, or its activation.
#[derive(Clone, Copy, Debug)]
pub struct PolicyUse<'a> {
    /// When.
    pub at: DateTime<Utc>,
    /// Name of the policy.
    pub name: &'a str,
    /// Digest of the policy.
    pub digest: &'a str,
    /// Requested service.
    pub service: &'a str,
    /// Requested seconds.
    pub seconds: i64,
}

/// A policy and its uses.
struct RecordedPolicy {
    terms: PolicyTerms,
    ended_at: Option<DateTime<Utc>>,
    /// When access became active under it.
    activations: Vec<DateTime<Utc>>,
}

/// The policies of one log, by digest.
#[derive(Default)]
pub struct PolicyHistory(HashMap<String, RecordedPolicy>);

fn violations(rules: &[(bool, &str)]) -> Vec<Violation> {
    rules.iter().filter(|(holds, _)| !holds).map(|(_, words)| Violation((*words).to_owned())).collect()
}

impl PolicyHistory {
    /// Records that a policy was created; its digest is that of the logged document.
    pub fn record_policy(&mut self, digest: &str, terms: PolicyTerms) -> Vec<Violation> {
        let window = terms.until - terms.at;
        let is_narrow = !terms.services.is_empty()
            && (1..=BREAK_GLASS_CEILING_SECONDS).contains(&terms.ceiling_seconds)
            && (1..=i64::from(BREAK_GLASS_QUOTA)).contains(&terms.quota)
            && window > -CLOCK_STEP
            && window <= TimeDelta::days(POLICY_LIMIT_DAYS) + CLOCK_STEP;
        let rules = [
            (terms.by_customer, "a break-glass policy is created by a person of the customer"),
            (is_narrow, "a break-glass policy has services, a ceiling, a quota and an end, each within its limits"),
            (!self.0.contains_key(digest), "a break-glass policy is created once"),
        ];
        let found = violations(&rules);
        self.0.entry(digest.to_owned()).or_insert(RecordedPolicy { terms, ended_at: None, activations: Vec::new() });
        found
    }

    /// Records a policy that the tenant's authority states. The signatures of the authority take the place of the limits.
    pub fn record_stated(&mut self, digest: &str, terms: PolicyTerms) {
        self.0.entry(digest.to_owned()).or_insert(RecordedPolicy { terms, ended_at: None, activations: Vec::new() });
    }

    /// Records that a policy was revoked.
    pub fn record_end(&mut self, digest: &str, at: DateTime<Utc>, by_customer: bool) -> Vec<Violation> {
        let policy = self.0.get_mut(digest);
        let was_used_later = policy
            .as_ref()
            .is_some_and(|policy| policy.activations.iter().any(|activated_at| *activated_at > at + CLOCK_STEP));
        let rules = [
            (by_customer, "a break-glass policy is revoked by a person of the customer"),
            (policy.is_some(), "a break-glass policy is created before it is revoked"),
            (!was_used_later, "break-glass access does not use a revoked policy"),
        ];
        if let Some(policy) = policy {
            policy.ended_at.get_or_insert(at);
        }
        violations(&rules)
    }

    /// Records that break-glass access was requested or became active.
    pub fn record_use(&mut self, request: &PolicyUse<'_>, is_active: bool) -> Vec<Violation> {
        let Some(policy) = self.0.get_mut(request.digest) else {
            return violations(&[(false, "break-glass access needs a policy that the customer created before it")]);
        };
        if is_active {
            policy.activations.push(request.at);
        }
        let terms = &policy.terms;
        let used = i64::try_from(policy.activations.len()).unwrap_or(i64::MAX);
        violations(&[
            (terms.name == request.name, "break-glass access names the policy that it uses"),
            (
                terms.at <= request.at + CLOCK_STEP,
                "break-glass access needs a policy that the customer created before it",
            ),
            (
                policy.ended_at.is_none_or(|ended| request.at <= ended + CLOCK_STEP),
                "break-glass access does not use a revoked policy",
            ),
            (request.at < terms.until, "break-glass access does not use a policy that is no longer valid"),
            (
                terms.services.iter().any(|service| service == request.service),
                "a break-glass policy covers its own services only",
            ),
            (request.seconds <= terms.ceiling_seconds, "break-glass access is not longer than its policy allows"),
            (used <= terms.quota, "a break-glass policy is not used more often than its quota allows"),
        ])
    }
}
