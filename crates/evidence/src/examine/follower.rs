//! Checks entries as they arrive, without the end of an examination: for a monitor, which follows a log for years.

use tlog::Hash;

use super::streams::Streams;
use crate::Event;
use crate::consent_rules::{ConsentRules, ConsentTrust};
use crate::finding::Finding;

/// The state of every stream and of consent after the latest entry.
pub struct Follower {
    streams: Streams,
    consent: ConsentRules,
}

impl Follower {
    /// Begins before the first entry of a log.
    pub fn new(origin: &str, trust: ConsentTrust) -> Self {
        Self { streams: Streams::new(origin.to_owned(), 0), consent: ConsentRules::new(origin, trust, Vec::new()) }
    }

    /// Adds the next entry with its leaf hash. Returns findings, also about entries before it, and the event when it is
    /// well-formed.
    pub fn add_entry(&mut self, index: u64, bytes: &[u8], leaf: Hash) -> (Vec<Finding>, Option<Event>) {
        let (mut found, event) = self.streams.add_entry(index, bytes, leaf);
        if let Some(event) = &event {
            found.extend(self.consent.add(index, event, self.streams.is_complete(event)));
            if event.kind == "authority.changed" {
                self.streams.record_policies(event, self.consent.timeline());
            }
        }
        (found, event)
    }

    /// Judges the decisions that wait, when all entries so far were added.
    pub fn judge_waiting(&mut self) -> Vec<Finding> {
        self.consent.judge_waiting()
    }

    /// The rules of consent with their state.
    pub fn consent(&self) -> &ConsentRules {
        &self.consent
    }
}
