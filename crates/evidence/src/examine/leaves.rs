//! Which leaves are not what they were: the recorded hashes and the entries against the signed root.

use std::collections::{HashMap, HashSet};

use tlog::Hash;

use crate::finding::{Fault, Finding, KEPT};

/// Every leaf: what is recorded, and what the entry hashes to where that differs.
#[derive(Default)]
pub(super) struct Leaves {
    recorded: Vec<Hash>,
    /// Entries whose hash is another than the recorded one.
    other: HashMap<u64, Hash>,
    missing: Vec<u64>,
    /// The first leaf of which nothing is there.
    nothing_from: Option<u64>,
}

/// What the leaves are held against.
pub(super) struct Held {
    pub size: u64,
    pub is_live: bool,
    pub signed: Option<Hash>,
    pub recorded: Option<Hash>,
    pub actual: Option<Hash>,
    pub last_good: u64,
}

impl Leaves {
    pub fn count(&self) -> u64 {
        self.recorded.len() as u64
    }

    pub fn push(&mut self, recorded: Option<Hash>, actual: Option<Hash>) {
        let index = self.count();
        if recorded.is_none() && actual.is_none() {
            self.nothing_from.get_or_insert(index);
        }
        if let (Some(recorded), Some(actual)) = (recorded, actual)
            && recorded != actual
        {
            self.other.insert(index, actual);
        }
        self.recorded.push(recorded.or(actual).unwrap_or(Hash([0; 32])));
    }

    pub fn miss(&mut self, index: u64) {
        self.missing.push(index);
    }

    pub fn findings(&self, held: &Held) -> Vec<Finding> {
        let mut found = Vec::new();
        let Some(signed) = held.signed else { return found };
        if self.count() < held.size || self.nothing_from.is_some_and(|index| index < held.size) {
            let from = self.nothing_from.unwrap_or(self.count());
            let words =
                format!("the checkpoint speaks of {} entries; of those from {from} on some are missing", held.size);
            found.push(Finding::new(Fault::Gap, words).at(from, None));
        }
        if self.count() > held.size && !held.is_live {
            let words = format!("there are {} entries and {} are signed", self.count(), held.size);
            found.push(Finding::new(Fault::Mismatch, words).at(held.size, None));
        }
        if held.recorded == Some(signed) {
            found.extend(self.against_recorded());
        } else if held.actual == Some(signed) {
            let first = self.other.keys().min().copied().unwrap_or_default();
            let words = "a recorded hash is not the entry's: the hash was changed, the entry is right";
            found.push(Finding::new(Fault::Mismatch, words).at(first, None));
        } else if held.recorded.is_some() {
            let words = format!(
                "the entries do not lead to the signed root: one or more were changed, added, moved or taken away{}",
                match held.last_good {
                    0 => String::new(),
                    good => format!(", not before entry {good}"),
                }
            );
            found.push(Finding::new(Fault::Mismatch, words));
            found.extend(self.against_recorded());
        }
        found
    }

    /// The recorded hashes lead to the signed root: whatever differs from them was changed.
    fn against_recorded(&self) -> Vec<Finding> {
        if self.other.is_empty() && self.missing.is_empty() {
            return Vec::new();
        }
        let places: HashMap<Hash, u64> = (0..).zip(&self.recorded).map(|(index, hash)| (*hash, index)).collect();
        let missing: HashSet<u64> = self.missing.iter().copied().collect();
        let right =
            (0..).zip(&self.recorded).filter(|(index, _)| !self.other.contains_key(index) && !missing.contains(index));
        let there: HashSet<Hash> = right.map(|(_, hash)| *hash).chain(self.other.values().copied()).collect();
        let mut indices: Vec<u64> = self.other.keys().copied().chain(self.missing.iter().copied()).collect();
        indices.sort_unstable();
        // Entries that only stand elsewhere: after one that is gone the others move up.
        let stands_at = |index: &u64| self.other.get(index).and_then(|hash| places.get(hash)).copied();
        let is_gone = |index: &u64| usize::try_from(*index).is_ok_and(|place| !there.contains(&self.recorded[place]));
        let is_new = |index: &u64| self.other.contains_key(index) && stands_at(index).is_none();
        let mut found = Vec::new();
        let mut find = |fault, words: String, index: u64| found.push(Finding::new(fault, words).at(index, None));
        for index in &indices {
            match (is_gone(index), is_new(index)) {
                (true, true) => {
                    let words = "this is not the entry that was logged here: it was changed".to_owned();
                    find(Fault::Mismatch, words, *index);
                }
                (true, false) => find(Fault::Gap, "the entry that was logged here is gone".to_owned(), *index),
                (false, true) => {
                    find(Fault::Mismatch, "this entry was never logged: it was put in".to_owned(), *index);
                }
                (false, false) => {}
            }
        }
        if found.is_empty() {
            for (index, place) in indices.iter().filter_map(|index| Some((*index, stands_at(index)?))) {
                let words = format!("this entry was logged as entry {place}: it was moved");
                found.push(Finding::new(Fault::Mismatch, words).at(index, None));
            }
        }
        found.truncate(KEPT * 2);
        found
    }
}
