//! The inputs of an examination, and the Merkle tree that it builds.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use tlog::{Frontier, Hash, Note, Verifier};

use crate::ConsentTrust;

/// What the examination needs before the first leaf.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Origin of the log.
    pub origin: String,
    /// The signed checkpoint that the log is verified against, as text.
    pub head: String,
    /// Earlier checkpoints from the bundle or the database, each with its name.
    pub earlier: Vec<(String, String)>,
    /// Checkpoints that the person who verifies the log provides, each with its name.
    pub pinned: Vec<(String, Note)>,
    /// Trusted keys.
    pub keys: Vec<Verifier>,
    /// Whether the user of the verifier gave the keys. Otherwise they are from the bundle or from the database.
    pub are_keys_trusted: bool,
    /// What the user trusts about consent.
    pub consent: ConsentTrust,
    /// Indices of the entries that must be present. For other entries, the leaf hash is enough.
    pub covers: Range<u64>,
    /// Whether entries after the checkpoint are expected, as in a live log.
    pub is_live: bool,
    /// Maximum age of the newest entry, and the current time.
    pub age: Option<(TimeDelta, DateTime<Utc>)>,
}

/// A Merkle tree that records its root at some sizes.
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
