//! The door of one grant: a second machine beside the lifecycle. [`step`] takes where a door stands and what was seen,
//! and answers with where it stands then and what is worth an event.
//!
//! Deliberately absent: the clock, the target and every question of policy. A door that is ordered closed is closed; it
//! is `closed` only when the target was read back as closed, and until then it is tried again without end.
#![deny(clippy::wildcard_enum_match_arm)]

use chrono::{DateTime, TimeDelta, Utc};

use crate::content::words;

words!(
    /// Where a door stands.
    DoorState {
        /// Granted: it is to be opened at its time, and may stand open already.
        Opening = "opening",
        /// Opened and read back as open.
        Open = "open",
        /// Ordered closed, and not read back as closed yet: the end is not confirmed.
        Closing = "closing",
        /// Read back as closed.
        Closed = "closed",
    }
);

/// An end that is not confirmed after this long raises an alarm.
pub const ALARM_AFTER_SECONDS: i64 = 60;

/// Pauses between tries; the last one repeats for ever.
const PAUSES_SECONDS: [i64; 5] = [1, 2, 5, 10, 15];

/// A door as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Where it stands.
    pub state: DoorState,
    /// Access is over at this moment; an open door is looked at again then, whoever else sleeps.
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
    pub opened_at: Option<DateTime<Utc>>,
    /// Ordered closed.
    pub ordered_at: Option<DateTime<Utc>>,
    /// From this moment the gate refuses.
    pub refused_from: Option<DateTime<Utc>>,
    /// Running sessions were cut.
    pub cut_at: Option<DateTime<Utc>>,
    /// How many there were.
    pub sessions_cut: i64,
    /// Read back as closed.
    pub closed_at: Option<DateTime<Utc>>,
}

/// What was seen at the target. Times are the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DoorFact {
    /// It was opened and read back as open.
    Opened {
        /// What the engineer can do there beyond the order.
        extra_rights: Vec<String>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// It could not be opened, or could not be seen open.
    NotOpened {
        /// What was said.
        problem: String,
        /// Now.
        at: DateTime<Utc>,
    },
    /// It should stand open and was found closed: the target lost it, or somebody there took it away.
    FoundClosed {
        /// Now.
        at: DateTime<Utc>,
    },
    /// Access is over.
    Ordered {
        /// The end as the gate knows it.
        refused_from: DateTime<Utc>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Sessions were cut, whatever else failed.
    Cut {
        /// How many.
        sessions: i64,
        /// Now.
        at: DateTime<Utc>,
    },
    /// It was read back as closed, and no call that opens it is under way.
    ReadClosed {
        /// Now.
        at: DateTime<Utc>,
    },
    /// It could not be closed, or not be read back as closed.
    NotClosed {
        /// What was said.
        problem: String,
        /// Now.
        at: DateTime<Utc>,
    },
}

/// What is worth an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DoorEvent {
    /// It stands open.
    Opened {
        /// What the engineer can do there beyond the order.
        extra_rights: Vec<String>,
    },
    /// It is closed for certain; the row holds the receipt.
    Closed,
    /// A first try failed, or the alarm is raised.
    Failed {
        /// What was said.
        problem: String,
        /// Whether the end is unconfirmed for longer than [`ALARM_AFTER_SECONDS`].
        alarm: bool,
    },
}

/// Decides what follows when `fact` meets `door`. A fact that comes late, twice or out of order changes nothing that is
/// certain already.
pub fn step(door: &Door, fact: &DoorFact) -> (Door, Vec<DoorEvent>) {
    let same = || (door.clone(), Vec::new());
    match (door.state, fact) {
        (DoorState::Opening, DoorFact::Opened { extra_rights, at }) => {
            let next = Door { opened_at: Some(*at), next_try_at: Some(door.until), ..calm(door, DoorState::Open) };
            (next, vec![DoorEvent::Opened { extra_rights: extra_rights.clone() }])
        }
        (DoorState::Opening, DoorFact::NotOpened { problem, at }) => fails(door, problem, *at),
        (DoorState::Open, DoorFact::FoundClosed { at }) => {
            let problem = "it should stand open and was found closed; it is opened again".to_owned();
            let next = Door { next_try_at: Some(*at), ..calm(door, DoorState::Opening) };
            (next, vec![DoorEvent::Failed { problem, alarm: false }])
        }
        (DoorState::Opening | DoorState::Open, DoorFact::Ordered { refused_from, at }) => {
            let next = Door {
                ordered_at: Some(*at),
                refused_from: Some(*refused_from),
                next_try_at: Some(*at),
                ..calm(door, DoorState::Closing)
            };
            (next, Vec::new())
        }
        (DoorState::Closing, DoorFact::Cut { sessions, at }) => {
            let next = Door {
                cut_at: door.cut_at.filter(|_| *sessions == 0).or(Some(*at)),
                sessions_cut: door.sessions_cut + sessions,
                ..door.clone()
            };
            (next, Vec::new())
        }
        (DoorState::Closing, DoorFact::ReadClosed { at }) => {
            let next = Door {
                state: DoorState::Closed,
                cut_at: door.cut_at.or(Some(*at)),
                closed_at: Some(*at),
                next_try_at: None,
                ..door.clone()
            };
            (next, vec![DoorEvent::Closed])
        }
        (DoorState::Closing, DoorFact::NotClosed { problem, at }) => fails(door, problem, *at),
        (DoorState::Opening | DoorState::Closing, DoorFact::FoundClosed { .. })
        | (DoorState::Opening, DoorFact::Cut { .. } | DoorFact::ReadClosed { .. } | DoorFact::NotClosed { .. })
        | (
            DoorState::Open,
            DoorFact::Opened { .. }
            | DoorFact::NotOpened { .. }
            | DoorFact::Cut { .. }
            | DoorFact::ReadClosed { .. }
            | DoorFact::NotClosed { .. },
        )
        | (DoorState::Closing, DoorFact::Opened { .. } | DoorFact::NotOpened { .. } | DoorFact::Ordered { .. })
        | (
            DoorState::Closed,
            DoorFact::Opened { .. }
            | DoorFact::NotOpened { .. }
            | DoorFact::FoundClosed { .. }
            | DoorFact::Ordered { .. }
            | DoorFact::Cut { .. }
            | DoorFact::ReadClosed { .. }
            | DoorFact::NotClosed { .. },
        ) => same(),
    }
}

/// The door in another state, with the failures of the one before forgotten.
fn calm(door: &Door, state: DoorState) -> Door {
    Door { state, failures: 0, first_failed_at: None, last_error: None, ..door.clone() }
}

fn fails(door: &Door, problem: &str, at: DateTime<Utc>) -> (Door, Vec<DoorEvent>) {
    let alarm_at = door.ordered_at.map(|ordered| ordered + TimeDelta::seconds(ALARM_AFTER_SECONDS));
    let alarm = !door.alarmed && alarm_at.is_some_and(|alarm_at| at >= alarm_at);
    let last = PAUSES_SECONDS.len() - 1;
    let index = usize::try_from(door.failures).unwrap_or(last).min(last);
    let pause = at + TimeDelta::seconds(PAUSES_SECONDS[index]);
    // Whoever opens does not pause across the end, and the alarm is not late by a pause.
    let bound = match door.state {
        DoorState::Opening => Some(door.until),
        DoorState::Closing => alarm_at.filter(|alarm_at| !door.alarmed && at < *alarm_at),
        DoorState::Open | DoorState::Closed => None,
    };
    let next = Door {
        failures: door.failures.saturating_add(1),
        first_failed_at: door.first_failed_at.or(Some(at)),
        last_error: Some(problem.to_owned()),
        alarmed: door.alarmed || alarm,
        next_try_at: Some(bound.map_or(pause, |bound| pause.min(bound))),
        ..door.clone()
    };
    let is_first = door.failures == 0;
    let event = (is_first || alarm).then(|| DoorEvent::Failed { problem: problem.to_owned(), alarm });
    (next, Vec::from_iter(event))
}

#[cfg(test)]
mod tests;
