//! Verifies every file of a bundle against its checkpoint and the trusted keys.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read};
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tlog::tile::{all_tiles, leaf_tiles};
use tlog::{Frontier, Hash, Note, ProofFile, TileId, Verifier, bundle, leaf_hash};

use super::{
    AUTHORITY, CHECKPOINT, Files, KEYS, MANIFEST, Manifest, PAGE, READMES, SUMS, TEXTS, VIEWS, proofs, write::digest,
};
use crate::{ConsentTrust, Entry, Event, Examination, Fault, Finding, Inputs, Report, canonical, views};

/// What the verifier trusts from outside the bundle.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Trusted keys. When the list is empty, the keys in the bundle are used and the report says so.
    pub keys: Vec<Verifier>,
    /// Checkpoints from outside the bundle, each with its name.
    pub pinned: Vec<(String, Note)>,
    /// What is trusted about consent: the authority, that of the vendor, witnesses.
    pub consent: ConsentTrust,
    /// Maximum age of the newest entry, and the current time.
    pub age: Option<(TimeDelta, DateTime<Utc>)>,
}

/// Verifies a bundle. `progress` receives the number of verified entries and the total.
pub fn examine(files: &dyn Files, trust: &Trust, progress: &mut dyn FnMut(u64, u64)) -> Report {
    examine_damaged(files, None, trust, progress)
}

/// Verifies what could be read of a bundle whose archive may be damaged.
pub fn examine_damaged(
    files: &dyn Files,
    damage: Option<&crate::tar::Damage>,
    trust: &Trust,
    progress: &mut dyn FnMut(u64, u64),
) -> Report {
    let damage = damage.map(|damage| Finding::new(Fault::Missing, damage.to_string()));
    let missing = |name: &str| Finding::new(Fault::Missing, format!("{name} is missing or cannot be read"));
    let manifest = files.read(MANIFEST).and_then(|bytes| Manifest::read(&bytes));
    let head = files.read(CHECKPOINT).and_then(|bytes| String::from_utf8(bytes).ok());
    let (Some(manifest), Some(head)) = (manifest, head) else {
        let mut report = Report::default();
        report.findings.extend(damage);
        report.findings.push(missing("bundle.json or checkpoint"));
        return report;
    };
    let mut examination = Examination::new(inputs(files, trust, &manifest, head));
    if let Some(damage) = damage {
        examination.add_finding(damage);
    }
    if trust.keys.is_empty() {
        examination.add_remark(
            "no trusted key was given, so the key in the bundle was used. Compare it with the key that you received when \
             the service started",
        );
    }
    if examination.size() != manifest.size {
        let words =
            format!("bundle.json has a size of {} entries, the checkpoint has {}", manifest.size, examination.size());
        examination.add_finding(Finding::new(Fault::Changed, words));
    }
    let covers = manifest.first..manifest.end;
    if covers != (0..manifest.size) {
        examination.add_remark(format!(
            "the bundle holds entries {} to {}, and only hashes of the others",
            manifest.first, manifest.end
        ));
    }
    check_sums(files, &mut examination);
    // Without this limit, a forged size in `bundle.json` would make the loop below run almost forever.
    if manifest.size.div_ceil(256) > files.names().len() as u64 {
        examination.add_finding(missing("most of the Merkle tree"));
        return examination.finish();
    }
    check_unexpected_files(files, &manifest, &mut examination);
    let stated = proofs::statements(files, &manifest.origin);
    for proved in stated.iter().filter(|proved| proved.index < manifest.first) {
        examination.add_proved_statement(proved.index, &proved.event);
    }
    let mut walk = Walk::new(files, &manifest, covers);
    walk.start(&mut examination);
    for id in leaf_tiles(manifest.size) {
        walk.tile(id, &mut examination);
        progress((id.index * 256 + u64::from(id.width)).min(manifest.size), manifest.size);
    }
    walk.finish(&mut examination);
    proofs::check(files, &mut examination);
    for proved in stated.iter().filter(|proved| proved.index >= manifest.end) {
        examination.add_proved_statement(proved.index, &proved.event);
    }
    examination.finish()
}

fn inputs(files: &dyn Files, trust: &Trust, manifest: &Manifest, head: String) -> Inputs {
    let text = |name: &str| String::from_utf8_lossy(&files.read(name).unwrap_or_default()).into_owned();
    let names = files.names();
    let earlier = names.iter().filter(|name| name.starts_with("checkpoints/"));
    let mut earlier: Vec<(String, String)> = earlier.map(|name| (name.clone(), text(name))).collect();
    for name in names.iter().filter(|name| proofs::is_proof(name)) {
        // `proofs::check` reports a proof that cannot be parsed.
        let text = files.read(name).and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(Ok(proof)) = text.map(|text| text.parse::<ProofFile>()) {
            let note = proof.note.to_string();
            if note != head {
                earlier.push((name.clone(), note));
            }
        }
    }
    let keys = match trust.keys.as_slice() {
        [] => text(KEYS).lines().filter_map(|line| line.parse().ok()).collect(),
        keys => keys.to_vec(),
    };
    Inputs {
        origin: manifest.origin.clone(),
        head,
        earlier,
        pinned: trust.pinned.clone(),
        keys,
        are_keys_trusted: !trust.keys.is_empty(),
        consent: trust.consent.clone(),
        covers: manifest.first..manifest.end,
        is_live: false,
        age: trust.age,
    }
}

/// Compares every file with its checksum in `SHA256SUMS`.
fn check_sums(files: &dyn Files, examination: &mut Examination) {
    let Some(list) = files.read(SUMS).and_then(|bytes| String::from_utf8(bytes).ok()) else {
        examination.add_finding(Finding::new(Fault::Missing, "SHA256SUMS is missing or cannot be read"));
        return;
    };
    let mut left: BTreeSet<String> = files.names().into_iter().filter(|name| name != SUMS).collect();
    for line in list.split_terminator('\n') {
        let Some((sum, name)) = line.split_once("  ") else {
            examination.add_finding(Finding::new(Fault::Changed, "SHA256SUMS has a malformed line"));
            continue;
        };
        left.remove(name);
        match files.open(name).and_then(|file| digest(file).ok()) {
            None => examination.add_finding(Finding::new(Fault::Missing, format!("the file {name} is missing"))),
            Some(found) if hex::encode(&found) != sum => {
                let words = format!("the file {name} does not match its checksum in SHA256SUMS");
                examination.add_finding(Finding::new(Fault::Changed, words));
            }
            Some(_) => {}
        }
    }
    for name in left {
        examination.add_finding(Finding::new(Fault::Changed, format!("the file {name} is not listed in SHA256SUMS")));
    }
}

/// Reports files that do not belong to a bundle of this size.
fn check_unexpected_files(files: &dyn Files, manifest: &Manifest, examination: &mut Examination) {
    let entries = leaf_tiles(manifest.size).filter(|id| (manifest.first..manifest.end).contains(&(id.index * 256)));
    let mut known: BTreeSet<String> = entries.map(|id| id.entries_path()).collect();
    known.extend(all_tiles(manifest.size).map(|id| id.path()));
    known.extend([MANIFEST, CHECKPOINT, KEYS, TEXTS, SUMS].into_iter().chain(VIEWS).map(str::to_owned));
    known.extend(READMES.into_iter().chain([PAGE]).map(|(name, _)| name.to_owned()));
    for name in files.names() {
        if !known.contains(&name) && !name.starts_with("checkpoints/") && !proofs::is_proof(&name) {
            examination.add_finding(Finding::new(Fault::Changed, format!("the file {name} does not belong here")));
        }
    }
}

/// A view while it is read.
type View<'a> = BufReader<Box<dyn Read + 'a>>;

/// Reads tiles and entries in order and compares the views with them.
struct Walk<'a> {
    files: &'a dyn Files,
    origin: String,
    covers: Range<u64>,
    frontier: Frontier,
    /// Each view with a reader at the next expected line; `None` after the first mismatch.
    views: Vec<(&'static str, Option<View<'a>>)>,
    texts: BTreeMap<String, Vec<Value>>,
    /// Files of the statements in the entries.
    stated: BTreeSet<String>,
    /// Number of entries that are present.
    seen: u64,
}

impl<'a> Walk<'a> {
    fn new(files: &'a dyn Files, manifest: &Manifest, covers: Range<u64>) -> Self {
        let open = |name: &'static str| (name, files.open(name).map(BufReader::new));
        let mut texts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let bytes = files.read(TEXTS).unwrap_or_default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // An extra or duplicate member could show different text in another program.
            let text = line.strip_suffix(b"\n").and_then(canonical::read);
            let text =
                text.filter(|text| text.as_object().is_some_and(|members| members.len() == 4)).unwrap_or_default();
            texts.entry(text["event"].as_str().unwrap_or_default().to_owned()).or_default().push(text);
        }
        Self {
            files,
            origin: manifest.origin.clone(),
            covers,
            frontier: Frontier::default(),
            views: VIEWS.into_iter().map(open).collect(),
            texts,
            stated: BTreeSet::new(),
            seen: 0,
        }
    }

    fn start(&mut self, examination: &mut Examination) {
        for (name, view) in &self.views {
            if view.is_none() {
                examination.add_finding(Finding::new(Fault::Missing, format!("{name} is missing")));
            }
        }
        if let Some(finding) = self.compare_view(1, views::CSV_HEAD.as_bytes()) {
            examination.add_finding(finding);
        }
    }

    fn tile(&mut self, id: TileId, examination: &mut Examination) {
        let hashes = self.files.read(&id.path()).filter(|bytes| bytes.len() == usize::from(id.width) * 32);
        if hashes.is_none() {
            let words = format!("{} is missing or has the wrong size", id.path());
            examination.add_finding(Finding::new(Fault::Missing, words));
        }
        let hashes: Option<Vec<Hash>> = hashes.map(|bytes| bytes.chunks(32).filter_map(Hash::from_slice).collect());
        let first = id.index * 256;
        let is_covered = self.covers.contains(&first);
        let file = if is_covered { self.files.read(&id.entries_path()) } else { None };
        let entries = match file.as_deref().map(bundle::decode) {
            Some(Ok(entries)) => entries,
            Some(Err(fault)) => {
                examination.add_finding(Finding::new(Fault::Changed, format!("{}: {fault}", id.entries_path())));
                Vec::new()
            }
            None => Vec::new(),
        };
        if entries.len() > usize::from(id.width) {
            let words = format!("{} holds more entries than its tile has leaves", id.entries_path());
            examination.add_finding(Finding::new(Fault::Changed, words));
        }
        for place in 0..usize::from(id.width) {
            let recorded = hashes.as_ref().map(|hashes| hashes[place]);
            let entry = entries.get(place).copied();
            let event = examination.add_leaf(recorded, entry);
            if let Some(leaf) = recorded.or_else(|| entry.map(leaf_hash)) {
                let full = self.frontier.push(leaf);
                self.check_upper_tiles(full, examination);
            }
            if let Some(entry) = entry {
                self.seen += 1;
                self.check_views_and_texts(first + place as u64, entry, event, examination);
            }
        }
    }

    /// Compares the stored tiles above the leaves with the computed ones.
    fn check_upper_tiles(&self, tiles: Vec<(TileId, Vec<u8>)>, examination: &mut Examination) {
        for (id, bytes) in tiles.into_iter().filter(|(id, _)| id.level > 0) {
            match self.files.read(&id.path()) {
                Some(found) if found == bytes => {}
                Some(_) => {
                    let words = format!("{} does not match the hashes of the tiles below it", id.path());
                    examination.add_finding(Finding::new(Fault::Changed, words));
                }
                None => examination.add_finding(Finding::new(Fault::Missing, format!("{} is missing", id.path()))),
            }
        }
    }

    /// Compares the lines of the views and the free text with their entry.
    fn check_views_and_texts(&mut self, index: u64, bytes: &[u8], event: Option<Event>, examination: &mut Examination) {
        let Some(entry) = Entry::read(bytes) else { return };
        // A malformed event is already a finding. The views still contain it when it can be parsed leniently.
        let lenient = || serde_json::from_slice(entry.event).ok().and_then(Event::read);
        let Some(event) = event.or_else(lenient) else { return };
        let lines = [
            views::jsonl(entry.event),
            views::csv(index, &event).into_bytes(),
            (views::ocsf(&self.origin, index, entry.event, &event).to_string() + "\n").into_bytes(),
        ];
        for (place, line) in lines.iter().enumerate() {
            if let Some(finding) = self.compare_view(place, line) {
                examination.add_finding(finding.at(index, Some(&event)));
            }
        }
        if let Some(version) = super::stated_version(&event) {
            self.stated.insert(format!("{AUTHORITY}{version}.tlog-proof"));
        }
        for text in self.texts.remove(&event.id.to_string()).unwrap_or_default() {
            if !is_committed(&event, &text) {
                let words = "a text in texts.jsonl does not match its commitment";
                examination.add_finding(Finding::new(Fault::Changed, words).at(index, Some(&event)));
            }
        }
    }

    /// Compares the next bytes of a view with the expected ones. After a mismatch, the rest of the view is skipped.
    fn compare_view(&mut self, place: usize, expected: &[u8]) -> Option<Finding> {
        let (name, view) = &mut self.views[place];
        let mut found = vec![0; expected.len()];
        let is_same = view.as_mut()?.read_exact(&mut found).is_ok() && found == expected;
        if is_same {
            return None;
        }
        *view = None;
        Some(Finding::new(Fault::Changed, format!("{name} differs from the entries, from this entry on")))
    }

    fn finish(mut self, examination: &mut Examination) {
        let partial = self.frontier.partial();
        self.check_upper_tiles(partial, examination);
        for name in self.stated.iter().filter(|name| self.files.open(name).is_none()) {
            examination.add_finding(Finding::new(Fault::Missing, format!("{name} is missing")));
        }
        // Missing entries are already a finding, so the extra lines of the views and texts are not reported again.
        if self.seen < self.covers.end - self.covers.start {
            return;
        }
        for (name, view) in &mut self.views {
            if view.as_mut().is_some_and(|view| view.read(&mut [0]).is_ok_and(|more| more > 0)) {
                examination
                    .add_finding(Finding::new(Fault::Changed, format!("{name} has more lines than there are entries")));
            }
        }
        if !self.texts.is_empty() {
            let words = "texts.jsonl has text of events that are not in the bundle";
            examination.add_finding(Finding::new(Fault::Changed, words));
        }
    }
}

/// Whether this salt and text match the commitment in the event.
pub fn is_committed(event: &Event, text: &Value) -> bool {
    let word = |name: &str| text[name].as_str();
    let (Some(field), Some(salt), Some(words)) = (word("field"), word("salt"), word("text")) else { return false };
    let Ok(salt) = hex::decode(salt) else { return false };
    let committed = Hash::of(&[salt.as_slice(), words.as_bytes()].concat());
    salt.len() == 32 && event.data()[field]["committed"] == Value::String(hex::encode(committed.0))
}
