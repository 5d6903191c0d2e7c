//! The verified part of the log as a Merkle tree, with the root at any earlier size.

use tlog::{Frontier, Hash};

/// The leaf hashes of all verified entries: 32 bytes per entry.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    leaves: Vec<Hash>,
    frontier: Frontier,
}

impl Tree {
    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root over all entries.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Root over the first entries; `None` when there are fewer.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        if size == self.size() {
            return Some(self.root());
        }
        let size = usize::try_from(size).ok()?;
        self.leaves.get(..size).map(tlog::root)
    }

    /// Leaf hash of an entry.
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.leaves.get(usize::try_from(index).ok()?).copied()
    }

    /// The root that these further entries would lead to.
    pub fn root_with(&self, further: &[Hash]) -> Hash {
        let mut frontier = self.frontier.clone();
        for leaf in further {
            frontier.push(*leaf);
        }
        frontier.root()
    }

    /// Adds an entry.
    pub fn push(&mut self, leaf: Hash) {
        self.frontier.push(leaf);
        self.leaves.push(leaf);
    }
}
