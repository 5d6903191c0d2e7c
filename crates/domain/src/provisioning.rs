//! The provisioning of one grant: a second machine beside the lifecycle. [`step`] takes where a provisioning stands and what was seen,
//! and answers with where it stands then and what is worth an event.
//!
//! Deliberately absent: the clock, the target and every question of policy. A provisioning that is ordered closed is closed; it
//! is `closed` only when the target was read back as closed, and until then it is tried again without end.
#![deny(clippy::wildcard_enum_match_arm)]

use chrono::{DateTime, TimeDelta, Utc};

use crate::content::words;

words!(
    /// Where a provisioning stands.
    ProvisioningState {
        /// Granted: it is to be opened at its time, and may stand open already.
        Provisioning = "provisioning",
        /// Opened and read back as open.
        Active = "active",
        /// Ordered closed, and not read back as closed yet: the end is not confirmed.
        Revoking = "revoking",
        /// Read back as closed.
        Revoked = "revoked",
    }
);

/// An end that is not confirmed after this long raises an alarm.
pub const ALARM_AFTER_SECONDS: i64 = 60;

/// Pauses between tries; the last one repeats for ever.
const PAUSES_SECONDS: [i64; 5] = [1, 2, 5, 10, 15];

/// A provisioning as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioning {
    /// Where it stands.
    pub state: ProvisioningState,
    /// Access is over at this moment; an open provisioning is looked at again then, whoever else sleeps.
    pub until: DateTime<Utc>,
    /// When somebody is to look at it next; `None` is never.
    pub next_try_at: Option<DateTime<Utc>>,
    /// Tries in this state that came to nothing.
    pub failures: i32,
    /// The first of them.
    pub first_failed_at: Option<DateTime<Utc>>,
    /// What the last one said.
    pub last_error: Option<String>,
    /// Whether the alarm was raised.
    pub alarmed: bool,
    /// Read back as open for the first time.
    pub provisioned_at: Option<DateTime<Utc>>,
    /// Ordered closed.
    pub revocation_ordered_at: Option<DateTime<Utc>>,
    /// From this moment the gate refuses.
    pub refused_from: Option<DateTime<Utc>>,
    /// Running sessions were cut.
    pub cut_at: Option<DateTime<Utc>>,
    /// How many there were.
    pub sessions_cut: i64,
    /// Read back as closed.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What was seen at the target. Times are the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvisioningFact {
    /// It was opened and read back as open.
    Provisioned {
        /// What the engineer can do there beyond the order.
        extra_rights: Vec<String>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// It could not be opened, or could not be seen open.
    NotProvisioned {
        /// What was said.
        problem: String,
        /// Now.
        at: DateTime<Utc>,
    },
    /// It should stand open and was found closed: the target lost it, or somebody there took it away.
    FoundMissing {
        /// Now.
        at: DateTime<Utc>,
    },
    /// Access is over.
    RevocationOrdered {
        /// The end as the gate knows it.
        refused_from: DateTime<Utc>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Sessions were cut, whatever else failed.
    SessionsCut {
        /// How many.
        sessions: i64,
        /// Now.
        at: DateTime<Utc>,
    },
    /// It was read back as closed, and no call that opens it is under way.
    Revoked {
        /// Now.
        at: DateTime<Utc>,
    },
    /// It could not be closed, or not be read back as closed.
    NotRevoked {
        /// What was said.
        problem: String,
        /// Now.
        at: DateTime<Utc>,
    },
}

/// What is worth an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvisioningEvent {
    /// It stands open.
    Provisioned {
        /// What the engineer can do there beyond the order.
        extra_rights: Vec<String>,
    },
    /// It is closed for certain; the row holds the receipt.
    Revoked,
    /// A first try failed, or the alarm is raised.
    Failed {
        /// What was said.
        problem: String,
        /// Whether the end is unconfirmed for longer than [`ALARM_AFTER_SECONDS`].
        alarm: bool,
    },
}

/// Decides what follows when `fact` meets `provisioning`. A fact that comes late, twice or out of order changes nothing that is
/// certain already.
pub fn step(provisioning: &Provisioning, fact: &ProvisioningFact) -> (Provisioning, Vec<ProvisioningEvent>) {
    let same = || (provisioning.clone(), Vec::new());
    match (provisioning.state, fact) {
        (ProvisioningState::Provisioning, ProvisioningFact::Provisioned { extra_rights, at }) => {
            let next = Provisioning {
                provisioned_at: Some(*at),
                next_try_at: Some(provisioning.until),
                ..calm(provisioning, ProvisioningState::Active)
            };
            (next, vec![ProvisioningEvent::Provisioned { extra_rights: extra_rights.clone() }])
        }
        (ProvisioningState::Provisioning, ProvisioningFact::NotProvisioned { problem, at }) => {
            fails(provisioning, problem, *at)
        }
        (ProvisioningState::Active, ProvisioningFact::FoundMissing { at }) => {
            let problem = "it should stand open and was found closed; it is opened again".to_owned();
            let next = Provisioning { next_try_at: Some(*at), ..calm(provisioning, ProvisioningState::Provisioning) };
            (next, vec![ProvisioningEvent::Failed { problem, alarm: false }])
        }
        (
            ProvisioningState::Provisioning | ProvisioningState::Active,
            ProvisioningFact::RevocationOrdered { refused_from, at },
        ) => {
            let next = Provisioning {
                revocation_ordered_at: Some(*at),
                refused_from: Some(*refused_from),
                next_try_at: Some(*at),
                ..calm(provisioning, ProvisioningState::Revoking)
            };
            (next, Vec::new())
        }
        (ProvisioningState::Revoking, ProvisioningFact::SessionsCut { sessions, at }) => {
            let next = Provisioning {
                cut_at: provisioning.cut_at.filter(|_| *sessions == 0).or(Some(*at)),
                sessions_cut: provisioning.sessions_cut + sessions,
                ..provisioning.clone()
            };
            (next, Vec::new())
        }
        (ProvisioningState::Revoking, ProvisioningFact::Revoked { at }) => {
            let next = Provisioning {
                state: ProvisioningState::Revoked,
                cut_at: provisioning.cut_at.or(Some(*at)),
                revoked_at: Some(*at),
                next_try_at: None,
                ..provisioning.clone()
            };
            (next, vec![ProvisioningEvent::Revoked])
        }
        (ProvisioningState::Revoking, ProvisioningFact::NotRevoked { problem, at }) => {
            fails(provisioning, problem, *at)
        }
        (ProvisioningState::Provisioning | ProvisioningState::Revoking, ProvisioningFact::FoundMissing { .. })
        | (
            ProvisioningState::Provisioning,
            ProvisioningFact::SessionsCut { .. }
            | ProvisioningFact::Revoked { .. }
            | ProvisioningFact::NotRevoked { .. },
        )
        | (
            ProvisioningState::Active,
            ProvisioningFact::Provisioned { .. }
            | ProvisioningFact::NotProvisioned { .. }
            | ProvisioningFact::SessionsCut { .. }
            | ProvisioningFact::Revoked { .. }
            | ProvisioningFact::NotRevoked { .. },
        )
        | (
            ProvisioningState::Revoking,
            ProvisioningFact::Provisioned { .. }
            | ProvisioningFact::NotProvisioned { .. }
            | ProvisioningFact::RevocationOrdered { .. },
        )
        | (
            ProvisioningState::Revoked,
            ProvisioningFact::Provisioned { .. }
            | ProvisioningFact::NotProvisioned { .. }
            | ProvisioningFact::FoundMissing { .. }
            | ProvisioningFact::RevocationOrdered { .. }
            | ProvisioningFact::SessionsCut { .. }
            | ProvisioningFact::Revoked { .. }
            | ProvisioningFact::NotRevoked { .. },
        ) => same(),
    }
}

/// The provisioning in another state, with the failures of the one before forgotten.
fn calm(provisioning: &Provisioning, state: ProvisioningState) -> Provisioning {
    Provisioning { state, failures: 0, first_failed_at: None, last_error: None, ..provisioning.clone() }
}

fn fails(provisioning: &Provisioning, problem: &str, at: DateTime<Utc>) -> (Provisioning, Vec<ProvisioningEvent>) {
    let alarm_at = provisioning.revocation_ordered_at.map(|ordered| ordered + TimeDelta::seconds(ALARM_AFTER_SECONDS));
    let alarm = !provisioning.alarmed && alarm_at.is_some_and(|alarm_at| at >= alarm_at);
    let last = PAUSES_SECONDS.len() - 1;
    let index = usize::try_from(provisioning.failures).unwrap_or(last).min(last);
    let pause = at + TimeDelta::seconds(PAUSES_SECONDS[index]);
    // Whoever opens does not pause across the end, and the alarm is not late by a pause.
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
