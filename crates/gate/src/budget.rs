//! The limit of events for refused checks. Anyone who can reach a site can cause refusals, and the audit log keeps every
//! event. So each minute a few checks per source and code become events of their own, and the rest become one event with a
//! count.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::code::Code;

/// Length of the period for the limits.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// Events per group and minute. The attempts of a person who mistypes all become events.
pub(super) const PER_GROUP: usize = 10;
/// Events per minute of all clients without a valid token, from any source: one client can have many addresses.
pub(super) const ANONYMOUS: usize = 60;

/// A group of equal refusals: by the grant of a valid token, or else by the client's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub request: Option<Uuid>,
    pub source: String,
    pub code: Code,
}

/// The events of the current minute.
#[derive(Debug, Default)]
pub(super) struct Budget {
    since: Option<Instant>,
    groups: HashMap<Group, usize>,
    anonymous: usize,
}

impl Budget {
    /// Whether this group can have one more event.
    pub fn admits(&mut self, mut group: Group, now: Instant) -> bool {
        self.since.get_or_insert(now);
        if group.request.is_some() {
            // In the grant's own log, more client addresses must not create more events.
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

    /// Starts the next minute when the current one is over. Returns whether it did.
    pub fn starts_again(&mut self, now: Instant) -> bool {
        let is_finished = self.since.is_some_and(|since| now.duration_since(since) >= WINDOW);
        if is_finished {
            *self = Self::default();
        }
        is_finished
    }
}
