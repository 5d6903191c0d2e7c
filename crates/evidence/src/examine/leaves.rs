//! Finds changed, missing, added and moved entries: compares recorded leaf hashes and entries with the signed root.

use std::collections::{HashMap, HashSet};

use tlog::Hash;

use crate::finding::{Fault, Finding, KEPT};

/// All leaves: the recorded hash, and the hash of the entry where it differs.
#[derive(Default)]
pub(super) struct Leaves {
    recorded: Vec<Hash>,
    /// Hashes of entries that differ from the recorded hash, by index.
    other: HashMap<u64, Hash>,
    missing: Vec<u64>,
    /// Index of the first leaf that has neither a recorded hash nor an entry.
    first_absent: Option<u64>,
}

/// The signed root, and the roots that were computed from the leaves.
pub(super) struct Roots {
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
            self.first_absent.get_or_insert(index);
        }
        if let (Some(recorded), Some(actual)) = (recorded, actual)
            && recorded != actual
        {
            self.other.insert(index, actual);
        }
        self.recorded.push(recorded.or(actual).unwrap_or(Hash([0; 32])));
    }

    pub fn mark_missing(&mut self, index: u64) {
        self.missing.push(index);
    }

    pub fn findings(&self, roots: &Roots) -> Vec<Finding> {
        let mut found = Vec::new();
        let Some(signed) = roots.signed else { return found };
        if self.count() < roots.size || self.first_absent.is_some_and(|index| index < roots.size) {
            let from = self.first_absent.unwrap_or(self.count());
            let words =
                format!("the checkpoint covers {} entries, but entries from index {from} on are missing", roots.size);
            found.push(Finding::new(Fault::Missing, words).at(from, None));
        }
        if self.count() > roots.size && !roots.is_live {
            let words = format!("the log has {} entries, but the checkpoint covers only {}", self.count(), roots.size);
            found.push(Finding::new(Fault::Changed, words).at(roots.size, None));
        }
        if roots.recorded == Some(signed) {
            found.extend(self.compare_with_recorded());
        } else if roots.actual == Some(signed) {
            let first = self.other.keys().min().copied().unwrap_or_default();
            let words = "a recorded leaf hash was changed; its entry is correct";
            found.push(Finding::new(Fault::Changed, words).at(first, None));
        } else if roots.recorded.is_some() {
            let words = format!(
                "the entries do not match the signed root: entries were changed, added, moved or removed{}",
                match roots.last_good {
                    0 => String::new(),
                    good => format!(", at or after entry {good}"),
                }
            );
            found.push(Finding::new(Fault::Changed, words));
            found.extend(self.compare_with_recorded());
        }
        found
    }

    /// Reports every leaf that differs from its recorded hash.
    fn compare_with_recorded(&self) -> Vec<Finding> {
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
        // After a removed entry, the later entries move up by one. They are not reported as changed.
        let recorded_at = |index: &u64| self.other.get(index).and_then(|hash| places.get(hash)).copied();
        let is_gone = |index: &u64| usize::try_from(*index).is_ok_and(|place| !there.contains(&self.recorded[place]));
        let is_new = |index: &u64| self.other.contains_key(index) && recorded_at(index).is_none();
        let mut found = Vec::new();
        let mut find = |fault, words: String, index: u64| found.push(Finding::new(fault, words).at(index, None));
        for index in &indices {
            match (is_gone(index), is_new(index)) {
                (true, true) => {
                    let words = "this entry was changed after it was logged".to_owned();
                    find(Fault::Changed, words, *index);
                }
                (true, false) => {
                    find(Fault::Missing, "the entry that was logged at this index is missing".to_owned(), *index)
                }
                (false, true) => {
                    find(Fault::Changed, "this entry was added: it was never logged".to_owned(), *index);
                }
                (false, false) => {}
            }
        }
        if found.is_empty() {
            for (index, place) in indices.iter().filter_map(|index| Some((*index, recorded_at(index)?))) {
                let words = format!("this entry was moved: it was logged as entry {place}");
                found.push(Finding::new(Fault::Changed, words).at(index, None));
            }
        }
        found.truncate(KEPT * 2);
        found
    }
}
