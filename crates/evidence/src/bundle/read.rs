//! Examining a bundle: every file of it, against the checkpoint and the keys that are trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read};
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tlog::tile::{all_tiles, leaf_tiles};
use tlog::{Checkpoint, Frontier, Hash, Note, ProofFile, TileId, Verifier, bundle, leaf_hash, verify_inclusion};

use super::{ABOUT, About, CHECKPOINT, Files, KEYS, READMES, SUMS, TEXTS, VIEWS, write::digest};
use crate::{Entry, Event, Examination, Fault, Finding, Given, Report, canonical, views};

/// What the examiner brings along.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Keys from elsewhere; without any, those in the bundle are taken and the report says so.
    pub keys: Vec<Verifier>,
    /// Checkpoints from elsewhere, each with its name.
    pub held: Vec<(String, Note)>,
    /// How old the newest entry may be, and what time it is.
    pub age: Option<(TimeDelta, DateTime<Utc>)>,
}

/// Examines a bundle. `progress` hears the number of entries done and of all.
pub fn examine(files: &dyn Files, trust: &Trust, progress: &mut dyn FnMut(u64, u64)) -> Report {
    examine_torn(files, None, trust, progress)
}

/// Examines what could be read of a bundle whose archive may be damaged.
pub fn examine_torn(
    files: &dyn Files,
    torn: Option<&crate::tar::Torn>,
    trust: &Trust,
    progress: &mut dyn FnMut(u64, u64),
) -> Report {
    let torn = torn.map(|torn| Finding::new(Fault::Gap, torn.to_string()));
    let missing = |name: &str| Finding::new(Fault::Gap, format!("{name} is missing or cannot be read"));
    let about = files.read(ABOUT).and_then(|bytes| About::read(&bytes));
    let head = files.read(CHECKPOINT).and_then(|bytes| String::from_utf8(bytes).ok());
    let (Some(about), Some(head)) = (about, head) else {
        let mut report = Report::default();
        report.findings.extend(torn);
        report.findings.push(missing("bundle.json or checkpoint"));
        return report;
    };
    let mut examination = Examination::new(given(files, trust, &about, head));
    if let Some(torn) = torn {
        examination.find(torn);
    }
    if trust.keys.is_empty() {
        examination.remark(
            "the key was taken from the bundle itself. Compare it with the one you were given when the service began",
        );
    }
    if examination.size() != about.size {
        let words = format!("bundle.json speaks of {} entries, the checkpoint of {}", about.size, examination.size());
        examination.find(Finding::new(Fault::Mismatch, words));
    }
    let covers = about.first..about.end;
    if covers != (0..about.size) {
        examination
            .remark(format!("of the entries {} to {} are here, of all others the hashes", about.first, about.end));
    }
    sums(files, &mut examination);
    // Nobody makes this program count to a number that only stands in a file.
    if about.size.div_ceil(256) > files.names().len() as u64 {
        examination.find(missing("most of the tree"));
        return examination.finish();
    }
    strangers(files, &about, &mut examination);
    let mut walk = Walk::new(files, &about, covers);
    walk.begin(&mut examination);
    for id in leaf_tiles(about.size) {
        walk.tile(id, &mut examination);
        progress((id.index * 256 + u64::from(id.width)).min(about.size), about.size);
    }
    walk.finish(&mut examination);
    proofs(files, &mut examination);
    examination.finish()
}

fn given(files: &dyn Files, trust: &Trust, about: &About, head: String) -> Given {
    let text = |name: &str| String::from_utf8_lossy(&files.read(name).unwrap_or_default()).into_owned();
    let names = files.names();
    let older = names.iter().filter(|name| name.starts_with("checkpoints/"));
    let mut older: Vec<(String, String)> = older.map(|name| (name.clone(), text(name))).collect();
    let proofs = names.iter().filter(|name| name.starts_with("proofs/"));
    for name in proofs {
        // A proof that cannot be read is reported where proofs are looked at.
        let text = files.read(name).and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(Ok(proof)) = text.map(|text| text.parse::<ProofFile>()) {
            let note = proof.note.to_string();
            if note != head {
                older.push((name.clone(), note));
            }
        }
    }
    let keys = match trust.keys.as_slice() {
        [] => text(KEYS).lines().filter_map(|line| line.parse().ok()).collect(),
        keys => keys.to_vec(),
    };
    Given {
        origin: about.origin.clone(),
        head,
        older,
        held: trust.held.clone(),
        keys,
        covers: about.first..about.end,
        is_live: false,
        age: trust.age,
    }
}

/// Every file is the one that was exported.
fn sums(files: &dyn Files, examination: &mut Examination) {
    let Some(list) = files.read(SUMS).and_then(|bytes| String::from_utf8(bytes).ok()) else {
        examination.find(Finding::new(Fault::Gap, "SHA256SUMS is missing or cannot be read"));
        return;
    };
    let mut left: BTreeSet<String> = files.names().into_iter().filter(|name| name != SUMS).collect();
    for line in list.split_terminator('\n') {
        let Some((sum, name)) = line.split_once("  ") else {
            examination.find(Finding::new(Fault::Mismatch, "SHA256SUMS has a line that is none"));
            continue;
        };
        left.remove(name);
        match files.open(name).and_then(|file| digest(file).ok()) {
            None => examination.find(Finding::new(Fault::Gap, format!("the file {name} is missing"))),
            Some(found) if hex::encode(&found) != sum => {
                let words = format!("the file {name} is not the one that was exported");
                examination.find(Finding::new(Fault::Mismatch, words));
            }
            Some(_) => {}
        }
    }
    for name in left {
        examination.find(Finding::new(Fault::Mismatch, format!("the file {name} was put in after the export")));
    }
}

/// No file but those that belong to a bundle of this size.
fn strangers(files: &dyn Files, about: &About, examination: &mut Examination) {
    let entries = leaf_tiles(about.size).filter(|id| (about.first..about.end).contains(&(id.index * 256)));
    let mut known: BTreeSet<String> = entries.map(|id| id.entries_path()).collect();
    known.extend(all_tiles(about.size).map(|id| id.path()));
    known.extend([ABOUT, CHECKPOINT, KEYS, TEXTS, SUMS].into_iter().chain(VIEWS).map(str::to_owned));
    known.extend(READMES.map(|(name, _)| name.to_owned()));
    for name in files.names() {
        if !known.contains(&name) && !name.starts_with("checkpoints/") && !name.starts_with("proofs/") {
            examination.find(Finding::new(Fault::Mismatch, format!("the file {name} does not belong here")));
        }
    }
}

/// A view while it is read.
type View<'a> = BufReader<Box<dyn Read + 'a>>;

/// The walk over tiles and entries, with the views alongside.
struct Walk<'a> {
    files: &'a dyn Files,
    origin: String,
    covers: Range<u64>,
    frontier: Frontier,
    /// Each with what is still to be read of it.
    views: Vec<(&'static str, Option<View<'a>>)>,
    texts: BTreeMap<String, Vec<Value>>,
    /// Entries that were there.
    seen: u64,
}

impl<'a> Walk<'a> {
    fn new(files: &'a dyn Files, about: &About, covers: Range<u64>) -> Self {
        let open = |name: &'static str| (name, files.open(name).map(BufReader::new));
        let mut texts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let bytes = files.read(TEXTS).unwrap_or_default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // Written in one way only: a member more, or one given twice, would show a reader another text.
            let text = line.strip_suffix(b"\n").and_then(canonical::read);
            let text =
                text.filter(|text| text.as_object().is_some_and(|members| members.len() == 4)).unwrap_or_default();
            texts.entry(text["event"].as_str().unwrap_or_default().to_owned()).or_default().push(text);
        }
        Self {
            files,
            origin: about.origin.clone(),
            covers,
            frontier: Frontier::default(),
            views: VIEWS.into_iter().map(open).collect(),
            texts,
            seen: 0,
        }
    }

    fn begin(&mut self, examination: &mut Examination) {
        for (name, view) in &self.views {
            if view.is_none() {
                examination.find(Finding::new(Fault::Gap, format!("{name} is missing")));
            }
        }
        if let Some(finding) = self.same(1, views::CSV_HEAD.as_bytes()) {
            examination.find(finding);
        }
    }

    fn tile(&mut self, id: TileId, examination: &mut Examination) {
        let hashes = self.files.read(&id.path()).filter(|bytes| bytes.len() == usize::from(id.width) * 32);
        if hashes.is_none() {
            let words = format!("{} is missing or has not the size it must have", id.path());
            examination.find(Finding::new(Fault::Gap, words));
        }
        let hashes: Option<Vec<Hash>> = hashes.map(|bytes| bytes.chunks(32).filter_map(Hash::from_slice).collect());
        let first = id.index * 256;
        let is_covered = self.covers.contains(&first);
        let file = if is_covered { self.files.read(&id.entries_path()) } else { None };
        let entries = match file.as_deref().map(bundle::decode) {
            Some(Ok(entries)) => entries,
            Some(Err(fault)) => {
                examination.find(Finding::new(Fault::Mismatch, format!("{}: {fault}", id.entries_path())));
                Vec::new()
            }
            None => Vec::new(),
        };
        if entries.len() > usize::from(id.width) {
            let words = format!("{} holds more entries than the tree has there", id.entries_path());
            examination.find(Finding::new(Fault::Mismatch, words));
        }
        for place in 0..usize::from(id.width) {
            let recorded = hashes.as_ref().map(|hashes| hashes[place]);
            let entry = entries.get(place).copied();
            let event = examination.leaf(recorded, entry);
            if let Some(leaf) = recorded.or_else(|| entry.map(leaf_hash)) {
                let full = self.frontier.push(leaf);
                self.upper(full, examination);
            }
            if let Some(entry) = entry {
                self.seen += 1;
                self.beside(first + place as u64, entry, event, examination);
            }
        }
    }

    /// Tiles above the leaves are what the leaves make.
    fn upper(&self, tiles: Vec<(TileId, Vec<u8>)>, examination: &mut Examination) {
        for (id, bytes) in tiles.into_iter().filter(|(id, _)| id.level > 0) {
            match self.files.read(&id.path()) {
                Some(found) if found == bytes => {}
                Some(_) => {
                    let words = format!("{} is not what the hashes below it make", id.path());
                    examination.find(Finding::new(Fault::Mismatch, words));
                }
                None => examination.find(Finding::new(Fault::Gap, format!("{} is missing", id.path()))),
            }
        }
    }

    /// Views and texts beside an entry.
    fn beside(&mut self, index: u64, bytes: &[u8], event: Option<Event>, examination: &mut Examination) {
        let Some(entry) = Entry::read(bytes) else { return };
        // What is not in its format was told; it stands in the views all the same, as far as it can be read.
        let loose = || serde_json::from_slice(entry.event).ok().and_then(Event::read);
        let Some(event) = event.or_else(loose) else { return };
        let lines = [
            views::jsonl(entry.event),
            views::csv(index, &event).into_bytes(),
            (views::ocsf(&self.origin, index, entry.event, &event).to_string() + "\n").into_bytes(),
        ];
        for (place, line) in lines.iter().enumerate() {
            if let Some(finding) = self.same(place, line) {
                examination.find(finding.at(index, Some(&event)));
            }
        }
        for text in self.texts.remove(&event.id.to_string()).unwrap_or_default() {
            if !is_committed(&event, &text) {
                let words = "a text in texts.jsonl is not the one that was committed to";
                examination.find(Finding::new(Fault::Mismatch, words).at(index, Some(&event)));
            }
        }
    }

    /// Whether a view goes on with this; a view that does not is not looked at any further.
    fn same(&mut self, place: usize, expected: &[u8]) -> Option<Finding> {
        let (name, view) = &mut self.views[place];
        let mut found = vec![0; expected.len()];
        let is_same = view.as_mut()?.read_exact(&mut found).is_ok() && found == expected;
        if is_same {
            return None;
        }
        *view = None;
        Some(Finding::new(Fault::Mismatch, format!("{name} says something else than the entries, from here on")))
    }

    fn finish(mut self, examination: &mut Examination) {
        let partial = self.frontier.partial();
        self.upper(partial, examination);
        // Where entries are missing, what stands beside them says more than the rest: one fault, told once.
        if self.seen < self.covers.end - self.covers.start {
            return;
        }
        for (name, view) in &mut self.views {
            if view.as_mut().is_some_and(|view| view.read(&mut [0]).is_ok_and(|more| more > 0)) {
                examination.find(Finding::new(Fault::Mismatch, format!("{name} says more than the entries")));
            }
        }
        if !self.texts.is_empty() {
            let words = "texts.jsonl has texts of events that are not here";
            examination.find(Finding::new(Fault::Mismatch, words));
        }
    }
}

/// Whether the event committed to this salt and text.
pub fn is_committed(event: &Event, text: &Value) -> bool {
    let word = |name: &str| text[name].as_str();
    let (Some(field), Some(salt), Some(words)) = (word("field"), word("salt"), word("text")) else { return false };
    let Ok(salt) = hex::decode(salt) else { return false };
    let committed = Hash::of(&[salt.as_slice(), words.as_bytes()].concat());
    salt.len() == 32 && event.data()[field]["committed"] == Value::String(hex::encode(committed.0))
}

/// Each proof leads from the entry it carries to the checkpoint it carries; that one is held against the log elsewhere.
fn proofs(files: &dyn Files, examination: &mut Examination) {
    for name in files.names().into_iter().filter(|name| name.starts_with("proofs/")) {
        let holds = files.read(&name).is_some_and(|bytes| holds(&name, &bytes));
        if !holds {
            examination.find(Finding::new(Fault::Mismatch, format!("{name} does not prove what it says")));
        }
    }
}

fn holds(name: &str, bytes: &[u8]) -> bool {
    let Some(proof) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<ProofFile>().ok()) else {
        return false;
    };
    let Ok(checkpoint) = proof.note.text.parse::<Checkpoint>() else { return false };
    let Some(entry) = proof.extra.as_deref() else { return false };
    let event = Entry::read(entry).and_then(|entry| serde_json::from_slice(entry.event).ok()).and_then(Event::read);
    event.is_some_and(|event| name == format!("proofs/{}.tlog-proof", event.id))
        && verify_inclusion(&leaf_hash(entry), proof.index, checkpoint.size, &proof.path, &checkpoint.root).is_ok()
}
