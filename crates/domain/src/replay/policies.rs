//! Break-glass policies as the log tells them: the customer's yes to every emergency, given before it, and narrow.
//!
//! What is told late is judged by its time: whichever of an end and a grant comes first in the log, the grant must be
//! the earlier one.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::history::{Broken, CLOCK_STEP};
use crate::break_glass::{BREAK_GLASS_CEILING_SECONDS, BREAK_GLASS_QUOTA, STANDING_LIMIT_DAYS};

/// A consent as it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// When.
    pub at: DateTime<Utc>,
    /// Whether a person of the customer gave it.
    pub by_customer: bool,
    /// What requests call it.
    pub name: String,
    /// For these services only.
    pub services: Vec<String>,
    /// Longest access, in seconds.
    pub ceiling_seconds: i64,
    /// How many emergencies, in all.
    pub quota: i64,
    /// Until this moment.
    pub until: DateTime<Utc>,
}

/// An emergency that stands on a consent.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// When.
    pub at: DateTime<Utc>,
    /// Name of the consent.
    pub name: &'a str,
    /// Digest of the consent.
    pub digest: &'a str,
    /// For which service.
    pub service: &'a str,
    /// For how long.
    pub seconds: i64,
}

/// A consent and what became of it.
struct PolicyStatus {
    given: Given,
    ended_at: Option<DateTime<Utc>>,
    /// When emergencies were granted under it.
    granted: Vec<DateTime<Utc>>,
}

/// The consents of one log, by digest.
#[derive(Default)]
pub struct Consents(HashMap<String, PolicyStatus>);

fn broken(rules: &[(bool, &str)]) -> Vec<Broken> {
    rules.iter().filter(|(holds, _)| !holds).map(|(_, words)| Broken((*words).to_owned())).collect()
}

impl Consents {
    /// A consent is given; its digest is that of the document that was logged.
    pub fn give(&mut self, digest: &str, given: Given) -> Vec<Broken> {
        let window = given.until - given.at;
        let is_narrow = !given.services.is_empty()
            && (1..=BREAK_GLASS_CEILING_SECONDS).contains(&given.ceiling_seconds)
            && (1..=i64::from(BREAK_GLASS_QUOTA)).contains(&given.quota)
            && window > -CLOCK_STEP
            && window <= TimeDelta::days(STANDING_LIMIT_DAYS) + CLOCK_STEP;
        let rules = [
            (given.by_customer, "a standing consent is given by a person of the customer"),
            (is_narrow, "a standing consent has services, a ceiling, a quota and an end, each within its bounds"),
            (!self.0.contains_key(digest), "a standing consent is given once"),
        ];
        let found = broken(&rules);
        self.0.entry(digest.to_owned()).or_insert(PolicyStatus { given, ended_at: None, granted: Vec::new() });
        found
    }

    /// A consent is taken back.
    pub fn end(&mut self, digest: &str, at: DateTime<Utc>, by_customer: bool) -> Vec<Broken> {
        let policy_status = self.0.get_mut(digest);
        let was_used_later = policy_status
            .as_ref()
            .is_some_and(|policy_status| policy_status.granted.iter().any(|granted| *granted > at + CLOCK_STEP));
        let rules = [
            (by_customer, "a standing consent is taken back by a person of the customer"),
            (policy_status.is_some(), "a standing consent is given before it is taken back"),
            (!was_used_later, "no emergency stands on a consent that was taken back"),
        ];
        if let Some(policy_status) = policy_status {
            policy_status.ended_at.get_or_insert(at);
        }
        broken(&rules)
    }

    /// An emergency is asked for, or granted.
    pub fn stand(&mut self, asked: &Asked<'_>, is_granted: bool) -> Vec<Broken> {
        let Some(policy_status) = self.0.get_mut(asked.digest) else {
            return broken(&[(false, "no emergency without a standing consent that the customer gave before it")]);
        };
        if is_granted {
            policy_status.granted.push(asked.at);
        }
        let given = &policy_status.given;
        let used = i64::try_from(policy_status.granted.len()).unwrap_or(i64::MAX);
        broken(&[
            (given.name == asked.name, "an emergency names the consent that it stands on"),
            (
                given.at <= asked.at + CLOCK_STEP,
                "no emergency without a standing consent that the customer gave before it",
            ),
            (
                policy_status.ended_at.is_none_or(|ended| asked.at <= ended + CLOCK_STEP),
                "no emergency stands on a consent that was taken back",
            ),
            (asked.at < given.until, "no emergency stands on a consent whose time is over"),
            (given.services.iter().any(|service| service == asked.service), "a consent is for its own services only"),
            (asked.seconds <= given.ceiling_seconds, "no emergency is longer than its consent allows"),
            (used <= given.quota, "no more emergencies than their consent allows"),
        ])
    }
}
