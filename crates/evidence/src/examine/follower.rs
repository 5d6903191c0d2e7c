//! Checks entries as they arrive, without the end of an examination: for a monitor, which follows a log for years.

use tlog::Hash;

use super::streams::Streams;
use crate::finding::Finding;
use crate::{ConsentRules, ConsentTrust, Event};

/// The state of every stream after the latest entry.
pub struct Follower {
    streams: Streams,
    consent: Option<ConsentRules>,
}

impl Follower {
    /// Begins before the first entry of a log, without the rules of consent.
    pub fn new(origin: &str) -> Self {
        Self { streams: Streams::new(origin.to_owned(), 0), consent: None }
    }

    /// Begins before the first entry of a log, with the rules of consent.
    pub fn with_rules(origin: &str, trust: ConsentTrust) -> Self {
        Self { consent: Some(ConsentRules::new(origin, trust, Vec::new())), ..Self::new(origin) }
    }

    /// The rules of consent with their state: the authority, the grants.
    pub fn consent(&self) -> Option<&ConsentRules> {
        self.consent.as_ref()
    }

    /// Adds the next entry with its leaf hash. Returns findings, and the event when it is well-formed.
    pub fn add_entry(&mut self, index: u64, bytes: &[u8], leaf: Hash) -> (Vec<Finding>, Option<Event>) {
        let (mut found, event) = self.streams.add_entry(index, bytes, leaf);
        if let (Some(consent), Some(event)) = (&mut self.consent, &event) {
            found.extend(consent.add(index, event, self.streams.is_complete(event)));
            if event.kind == "authority.changed" {
                self.streams.record_policies(event, consent.timeline());
            }
        }
        (found, event)
    }

    /// Judges the decisions that wait for earlier statements. Call it when all entries so far were added.
    pub fn judge_waiting(&mut self) -> Vec<Finding> {
        self.consent.as_mut().map(ConsentRules::judge_waiting).unwrap_or_default()
    }
}
