//! How many refused attempts are written one by one. Anybody who reaches a site can be refused, and the audit log keeps
//! what it has: so a few per source and code are told apart each minute, and the rest of the minute is one event with a
//! count.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::code::Code;

/// After this the count starts again.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// Events per group and minute. A person who mistypes sees each attempt in the log.
pub(super) const PER_GROUP: usize = 10;
/// Events per minute of everybody without a good token, whatever the source: one client has many addresses.
pub(super) const ANONYMOUS: usize = 60;

/// Who is told apart: the grant of a good token, or else the address of the client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub request: Option<Uuid>,
    pub source: String,
    pub code: Code,
}

/// What was written in the current minute.
#[derive(Debug, Default)]
pub(super) struct Budget {
    since: Option<Instant>,
    groups: HashMap<Group, usize>,
    anonymous: usize,
}

impl Budget {
    /// Whether one more event of this group may be written.
    pub fn admits(&mut self, mut group: Group, now: Instant) -> bool {
        self.since.get_or_insert(now);
        if group.request.is_some() {
            // The grant's own log: the engineer's addresses do not multiply what is written there.
            group.source.clear();
        } else if self.anonymous >= ANONYMOUS {
            return false;
        }
        let is_anonymous = group.request.is_none();
        let written = self.groups.entry(group).or_default();
        if *written >= PER_GROUP {
            return false;
        }
        *written += 1;
        self.anonymous += usize::from(is_anonymous);
        true
    }

    /// Starts the next minute when this one is over; `true` then.
    pub fn starts_again(&mut self, now: Instant) -> bool {
        let is_finished = self.since.is_some_and(|since| now.duration_since(since) >= WINDOW);
        if is_finished {
            *self = Self::default();
        }
        is_finished
    }
}
