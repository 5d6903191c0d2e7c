//! What an examination begins with, and the tree it grows.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use tlog::{Frontier, Hash, Note, Verifier};

/// What is known before the first leaf.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Name of the log.
    pub origin: String,
    /// The checkpoint that everything is held against, as text.
    pub head: String,
    /// Older checkpoints that came with the log, each with its name.
    pub older: Vec<(String, String)>,
    /// Checkpoints that the examiner kept, each with its name.
    pub held: Vec<(String, Note)>,
    /// Keys that are trusted, from elsewhere.
    pub keys: Vec<Verifier>,
    /// Entries that must be there; of others the leaf hash is enough.
    pub covers: Range<u64>,
    /// Whether entries after the checkpoint are expected, as in a log at work.
    pub is_live: bool,
    /// How old the newest entry may be, and what time it is.
    pub age: Option<(TimeDelta, DateTime<Utc>)>,
}

/// A growing tree that remembers its root at some sizes.
#[derive(Default)]
pub(super) struct Tree {
    pub frontier: Frontier,
    pub roots: BTreeMap<u64, Option<Hash>>,
}

impl Tree {
    pub fn push(&mut self, leaf: Hash) {
        self.frontier.push(leaf);
        if let Some(root) = self.roots.get_mut(&self.frontier.size()) {
            *root = Some(self.frontier.root());
        }
    }

    pub fn root(&self, size: u64) -> Option<Hash> {
        self.roots.get(&size).copied().flatten()
    }
}
