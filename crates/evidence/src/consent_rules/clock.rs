//! Rule 10: the time of an event fits the heartbeats of the log and the cosignatures of witnesses.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use crate::Event;

/// How far the time of an event may be from the times that others recorded.
pub(super) const TOLERANCE: TimeDelta = TimeDelta::seconds(3600);

/// The times of the log so far.
#[derive(Default)]
pub(super) struct Clock {
    heartbeat: Option<DateTime<Utc>>,
    /// The latest time so far, and the index of its entry.
    latest: Option<(DateTime<Utc>, u64)>,
    /// Sizes of checkpoints that are not reached yet, ascending.
    sizes: VecDeque<u64>,
    /// The latest time among the first entries, by their number.
    latest_at: BTreeMap<u64, (DateTime<Utc>, u64)>,
}

impl Clock {
    pub fn new(mut sizes: Vec<u64>) -> Self {
        sizes.sort_unstable();
        sizes.dedup();
        Self { sizes: sizes.into(), ..Self::default() }
    }

    /// Adds the time of the next entry. Returns whether it is too early for the last heartbeat.
    pub fn add(&mut self, index: u64, event: &Event) -> bool {
        while let Some(size) = self.sizes.pop_front_if(|size| *size <= index) {
            self.latest_at.extend(self.latest.map(|latest| (size, latest)));
        }
        let is_late = self.latest.is_none_or(|(latest, _)| event.at > latest);
        if is_late {
            self.latest = Some((event.at, index));
        }
        let is_too_early = self.heartbeat.is_some_and(|heartbeat| event.at < heartbeat - TOLERANCE);
        if event.kind == "log.heartbeat" {
            self.heartbeat = Some(event.at);
        }
        is_too_early
    }

    /// The entry among the first `size` ones that is later than a cosignature of that checkpoint allows.
    pub fn too_late(&self, size: u64, cosigned_at: u64) -> Option<u64> {
        let cosigned_at = DateTime::from_timestamp(i64::try_from(cosigned_at).ok()?, 0)?;
        // Sizes that no later entry reached have the latest time of all.
        let (latest, index) = self.latest_at.get(&size).copied().or(self.latest)?;
        (index < size && latest > cosigned_at + TOLERANCE).then_some(index)
    }
}
