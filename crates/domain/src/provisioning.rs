//! The provisioning of one grant in its target system: a second state machine beside the lifecycle. [`step`] takes the
//! provisioning and what was observed, and returns the next provisioning and the events to record.
//!
//! Deliberately absent: the clock, the target and every question of policy. An ordered revocation is always carried out. The
//! state is `revoked` only after the target was read back without access; until then the revocation is retried without limit.
#![deny(clippy::wildcard_enum_match_arm)]

use chrono::{DateTime, TimeDelta, Utc};

use crate::content::named_values;

named_values!(
    /// State of a provisioning.
    ProvisioningState {
        /// Access is to be provisioned at its start time. It may already exist in the target.
        Provisioning = "provisioning",
        /// Access was provisioned and read back from the target.
        Active = "active",
        /// Revocation was ordered and is not confirmed by the target yet.
        Revoking = "revoking",
        /// The target was read back without access.
        Revoked = "revoked",
    }
);

/// A revocation that is unconfirmed for this long raises an alarm, in seconds.
pub const ALARM_AFTER_SECONDS: i64 = 60;

/// Pause before provisioning is tried again that waits for the signed log, in seconds.
const DEFERRED_SECONDS: i64 = 1;

/// Pauses between attempts, in seconds; the last one repeats without limit.
const PAUSES_SECONDS: [i64; 5] = [1, 2, 5, 10, 15];

/// A provisioning, as its row stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioning {
    /// State.
    pub state: ProvisioningState,
    /// When access ends. A provisioned grant is due again at this time, even if no message arrives.
    pub until: DateTime<Utc>,
    /// When the next attempt is due; `None` when none is needed.
    pub next_try_at: Option<DateTime<Utc>>,
    /// Failed attempts in this state.
    pub failures: i32,
    /// When the first of them failed.
    pub first_failed_at: Option<DateTime<Utc>>,
    /// Error of the last one.
    pub last_error: Option<String>,
    /// Whether the alarm was raised.
    pub alarmed: bool,
    /// When access was first read back from the target.
    pub provisioned_at: Option<DateTime<Utc>>,
    /// When revocation was ordered.
    pub revocation_ordered_at: Option<DateTime<Utc>>,
    /// From when the gate denies access.
    pub refused_from: Option<DateTime<Utc>>,
    /// When running sessions were terminated.
    pub cut_at: Option<DateTime<Utc>>,
    /// How many sessions were terminated.
    pub sessions_cut: i64,
    /// When the target was read back without access.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What was observed at the target. Times are the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvisioningFact {
    /// Access was provisioned and read back.
    Provisioned {
        /// What the requester can do there beyond the request.
        extra_rights: Vec<String>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Access could not be provisioned, or could not be read back.
    NotProvisioned {
        /// The error.
        problem: String,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Access may not be provisioned yet: the signed log does not prove it. This is not an attempt.
    Deferred {
        /// What is missing.
        problem: String,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Access should exist in the target and does not: the target lost it, or somebody removed it there.
    FoundMissing {
        /// Now.
        at: DateTime<Utc>,
    },
    /// Access ended.
    RevocationOrdered {
        /// From when the gate denies access.
        refused_from: DateTime<Utc>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Sessions were terminated, whether or not the other steps succeeded.
    SessionsCut {
        /// How many.
        sessions: i64,
        /// Now.
        at: DateTime<Utc>,
    },
    /// The target was read back without access, and no provisioning call is in progress.
    Revoked {
        /// Now.
        at: DateTime<Utc>,
    },
    /// Access could not be revoked, or the target could not be read back.
    NotRevoked {
        /// The error.
        problem: String,
        /// Now.
        at: DateTime<Utc>,
    },
}

/// What is recorded as an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvisioningEvent {
    /// Access is provisioned.
    Provisioned {
        /// What the requester can do there beyond the request.
        extra_rights: Vec<String>,
    },
    /// Access is confirmed as revoked; the row holds the receipt.
    Revoked,
    /// A first attempt failed, or the alarm is raised.
    Failed {
        /// The error.
        problem: String,
        /// Whether the revocation is unconfirmed for longer than [`ALARM_AFTER_SECONDS`].
        alarm: bool,
    },
}

/// Decides what follows from `fact`. A fact that arrives late, twice or out of order does not change what is already
/// confirmed.
pub fn step(provisioning: &Provisioning, fact: &ProvisioningFact) -> (Provisioning, Vec<ProvisioningEvent>) {
    use {ProvisioningFact as Fact, ProvisioningState as State};

    let same = || (provisioning.clone(), Vec::new());
    match (provisioning.state, fact) {
        (State::Provisioning, Fact::Provisioned { extra_rights, at }) => {
            let next = Provisioning {
                provisioned_at: Some(*at),
                next_try_at: Some(provisioning.until),
                ..in_state(provisioning, State::Active)
            };
            (next, vec![ProvisioningEvent::Provisioned { extra_rights: extra_rights.clone() }])
        }
        (State::Provisioning, Fact::NotProvisioned { problem, at }) => fails(provisioning, problem, *at),
        (State::Provisioning, Fact::Deferred { problem, at }) => (deferred(provisioning, problem, *at), Vec::new()),
        (State::Active, Fact::FoundMissing { at }) => {
            let problem = "access was missing in the target system; it is provisioned again".to_owned();
            let next = Provisioning { next_try_at: Some(*at), ..in_state(provisioning, State::Provisioning) };
            (next, vec![ProvisioningEvent::Failed { problem, alarm: false }])
        }
        (State::Provisioning | State::Active, Fact::RevocationOrdered { refused_from, at }) => {
            let next = Provisioning {
                revocation_ordered_at: Some(*at),
                refused_from: Some(*refused_from),
                next_try_at: Some(*at),
                ..in_state(provisioning, State::Revoking)
            };
            (next, Vec::new())
        }
        (State::Revoking, Fact::SessionsCut { sessions, at }) => {
            (sessions_cut(provisioning, *sessions, *at), Vec::new())
        }
        (State::Revoking, Fact::Revoked { at }) => (revoked(provisioning, *at), vec![ProvisioningEvent::Revoked]),
        (State::Revoking, Fact::NotRevoked { problem, at }) => fails(provisioning, problem, *at),
        (State::Provisioning | State::Revoking, Fact::FoundMissing { .. })
        | (State::Provisioning, Fact::SessionsCut { .. } | Fact::Revoked { .. } | Fact::NotRevoked { .. })
        | (
            State::Active,
            Fact::Provisioned { .. }
            | Fact::NotProvisioned { .. }
            | Fact::Deferred { .. }
            | Fact::SessionsCut { .. }
            | Fact::Revoked { .. }
            | Fact::NotRevoked { .. },
        )
        | (
            State::Revoking,
            Fact::Provisioned { .. }
            | Fact::NotProvisioned { .. }
            | Fact::Deferred { .. }
            | Fact::RevocationOrdered { .. },
        )
        | (
            State::Revoked,
            Fact::Provisioned { .. }
            | Fact::NotProvisioned { .. }
            | Fact::Deferred { .. }
            | Fact::FoundMissing { .. }
            | Fact::RevocationOrdered { .. }
            | Fact::SessionsCut { .. }
            | Fact::Revoked { .. }
            | Fact::NotRevoked { .. },
        ) => same(),
    }
}

fn deferred(provisioning: &Provisioning, problem: &str, at: DateTime<Utc>) -> Provisioning {
    Provisioning {
        first_failed_at: provisioning.first_failed_at.or(Some(at)),
        last_error: Some(problem.to_owned()),
        next_try_at: Some((at + TimeDelta::seconds(DEFERRED_SECONDS)).min(provisioning.until)),
        ..provisioning.clone()
    }
}

fn sessions_cut(provisioning: &Provisioning, sessions: i64, at: DateTime<Utc>) -> Provisioning {
    Provisioning {
        cut_at: provisioning.cut_at.filter(|_| sessions == 0).or(Some(at)),
        sessions_cut: provisioning.sessions_cut + sessions,
        ..provisioning.clone()
    }
}

fn revoked(provisioning: &Provisioning, at: DateTime<Utc>) -> Provisioning {
    Provisioning {
        state: ProvisioningState::Revoked,
        cut_at: provisioning.cut_at.or(Some(at)),
        revoked_at: Some(at),
        next_try_at: None,
        ..provisioning.clone()
    }
}

/// The provisioning in another state, with the failures of the previous state cleared.
fn in_state(provisioning: &Provisioning, state: ProvisioningState) -> Provisioning {
    Provisioning { state, failures: 0, first_failed_at: None, last_error: None, ..provisioning.clone() }
}

fn fails(provisioning: &Provisioning, problem: &str, at: DateTime<Utc>) -> (Provisioning, Vec<ProvisioningEvent>) {
    let alarm_at = provisioning.revocation_ordered_at.map(|ordered| ordered + TimeDelta::seconds(ALARM_AFTER_SECONDS));
    let alarm = !provisioning.alarmed && alarm_at.is_some_and(|alarm_at| at >= alarm_at);
    let last = PAUSES_SECONDS.len() - 1;
    let index = usize::try_from(provisioning.failures).unwrap_or(last).min(last);
    let pause = at + TimeDelta::seconds(PAUSES_SECONDS[index]);
    // A provisioning attempt is due at the latest when access ends, and the alarm is not delayed by a pause.
    let bound = match provisioning.state {
        ProvisioningState::Provisioning => Some(provisioning.until),
        ProvisioningState::Revoking => alarm_at.filter(|alarm_at| !provisioning.alarmed && at < *alarm_at),
        ProvisioningState::Active | ProvisioningState::Revoked => None,
    };
    let next = Provisioning {
        failures: provisioning.failures.saturating_add(1),
        first_failed_at: provisioning.first_failed_at.or(Some(at)),
        last_error: Some(problem.to_owned()),
        alarmed: provisioning.alarmed || alarm,
        next_try_at: Some(bound.map_or(pause, |bound| pause.min(bound))),
        ..provisioning.clone()
    };
    let is_first = provisioning.failures == 0;
    let event = (is_first || alarm).then(|| ProvisioningEvent::Failed { problem: problem.to_owned(), alarm });
    (next, Vec::from_iter(event))
}

#[cfg(test)]
mod tests;
