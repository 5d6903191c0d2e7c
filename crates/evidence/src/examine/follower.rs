//! Checks entries as they arrive, without the end of an examination: for a monitor, which follows a log for years.

use tlog::Hash;

use super::streams::Streams;
use crate::Event;
use crate::finding::Finding;

/// The state of every stream after the latest entry.
pub struct Follower {
    streams: Streams,
}

impl Follower {
    /// Begins before the first entry of a log.
    pub fn new(origin: &str) -> Self {
        Self { streams: Streams::new(origin.to_owned(), 0) }
    }

    /// Adds the next entry with its leaf hash. Returns findings, and the event when it is well-formed.
    pub fn add_entry(&mut self, index: u64, bytes: &[u8], leaf: Hash) -> (Vec<Finding>, Option<Event>) {
        self.streams.add_entry(index, bytes, leaf)
    }
}
