//! Who signed, and whether what was signed at different times is one history.

use tlog::{Checkpoint, Error, Note, Signed, Verifier};

use super::given::{Given, Tree};
use super::streams::Streams;
use crate::finding::{Fault, Finding};

/// What signatures are held against.
pub(super) struct Examined<'a> {
    pub given: &'a Given,
    pub recorded: &'a Tree,
    pub streams: &'a Streams,
}

/// What the signatures say.
#[derive(Default)]
pub(super) struct Opened {
    pub signed_by: Vec<String>,
    pub continued: u64,
    pub remarks: Vec<String>,
    pub findings: Vec<Finding>,
    /// The largest signed size at which the entries were still right.
    pub last_good: u64,
}

/// Sizes at which the root will be asked for.
pub(super) fn sizes(given: &Given) -> Vec<u64> {
    let older = given.older.iter().filter_map(|(_, text)| text.parse::<Note>().ok());
    let held = given.held.iter().map(|(_, note)| note.clone());
    let notes = older.chain(held).chain(given.head.parse());
    notes.filter_map(|note| note.text.parse::<Checkpoint>().ok()).map(|checkpoint| checkpoint.size).collect()
}

pub(super) fn check(examined: &Examined<'_>) -> Opened {
    let mut opened = Opened::default();
    let keys = followed(examined);
    let head = open_head(examined, &keys, &mut opened);
    for (name, text) in &examined.given.older {
        match text.parse::<Note>() {
            Ok(note) => continued(examined, name, &note, &keys, head.as_ref(), &mut opened),
            Err(fault) => opened.findings.push(Finding::new(Fault::Signature, format!("{name}: {fault}"))),
        }
    }
    for (name, note) in &examined.given.held {
        continued(examined, name, note, &keys, head.as_ref(), &mut opened);
    }
    opened
}

/// The keys given, and those that entries under an earlier signature announced.
fn followed(examined: &Examined<'_>) -> Vec<Verifier> {
    let mut keys = examined.given.keys.clone();
    let older = examined.given.older.iter().map(|(_, text)| text.as_str());
    let notes: Vec<Note> = older.chain([examined.given.head.as_str()]).filter_map(|text| text.parse().ok()).collect();
    loop {
        let before = keys.len();
        for note in &notes {
            let Ok((checkpoint, _)) = Checkpoint::open(note, &keys) else { continue };
            if examined.recorded.root(checkpoint.size) != Some(checkpoint.root) {
                continue;
            }
            for change in examined.streams.keys().filter(|change| change.index < checkpoint.size) {
                let follows = change.previous.as_ref().is_some_and(|previous| keys.contains(previous));
                if follows && !keys.contains(&change.key) {
                    keys.push(change.key.clone());
                }
            }
        }
        if keys.len() == before {
            return keys;
        }
    }
}

fn open_head(examined: &Examined<'_>, keys: &[Verifier], opened: &mut Opened) -> Option<Checkpoint> {
    let fault = |words: String| Finding::new(Fault::Signature, words);
    let note: Note = match examined.given.head.parse() {
        Ok(note) => note,
        Err(error) => {
            opened.findings.push(fault(format!("the checkpoint cannot be read: {error}")));
            return None;
        }
    };
    match Checkpoint::open(&note, keys) {
        Ok((checkpoint, signed)) => {
            if checkpoint.origin != examined.given.origin {
                let words = format!("the checkpoint is one of the log {}", checkpoint.origin);
                opened.findings.push(fault(words));
            }
            opened.signed_by = signed.iter().map(name).collect();
            Some(checkpoint)
        }
        Err(Error::BadSignature(name)) => {
            opened.findings.push(fault(format!(
                "the signature of {name} on the checkpoint does not hold: the checkpoint was changed after it was \
                 signed, or somebody else signed it"
            )));
            None
        }
        Err(Error::NotSigned) => {
            let by: Vec<String> =
                note.signatures.iter().map(|one| format!("{} (key {})", one.name, hex::encode(one.id))).collect();
            opened.findings.push(fault(format!(
                "no key that is trusted for this log signed the checkpoint; it is signed by {}",
                if by.is_empty() { "nobody".to_owned() } else { by.join(", ") }
            )));
            None
        }
        Err(error) => {
            opened.findings.push(fault(format!("the checkpoint cannot be read: {error}")));
            None
        }
    }
}

fn name(signed: &Signed) -> String {
    let at = signed.at.and_then(|seconds| chrono::DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0));
    let key = format!("{} (key {})", signed.by.name, hex::encode(signed.by.id()));
    at.map_or(key.clone(), |at| format!("{key} at {}", at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)))
}

/// One earlier checkpoint against the log as it is now.
fn continued(
    examined: &Examined<'_>,
    name: &str,
    note: &Note,
    keys: &[Verifier],
    head: Option<&Checkpoint>,
    opened: &mut Opened,
) {
    let earlier = match Checkpoint::open(note, keys) {
        Ok((earlier, _)) => earlier,
        Err(error) => {
            let words = format!("{name}: this earlier checkpoint does not count: {error}");
            opened.findings.push(Finding::new(Fault::Signature, words));
            return;
        }
    };
    let Some(head) = head else { return };
    if earlier.origin != head.origin {
        let words = format!("{name}: it is a checkpoint of another log, {}", earlier.origin);
        opened.findings.push(Finding::new(Fault::Signature, words));
        return;
    }
    if earlier.size > head.size {
        let words = format!(
            "{name}: it speaks of {} entries and this log ends after {}. Either this is an older copy, or entries were \
             taken away: ask for the latest",
            earlier.size, head.size
        );
        let fault = if examined.given.is_live { Fault::Fork } else { Fault::Stale };
        opened.findings.push(Finding::new(fault, words));
        return;
    }
    let is_right = examined.recorded.root(head.size) == Some(head.root);
    match examined.recorded.root(earlier.size) {
        Some(root) if root == earlier.root => {
            opened.continued += 1;
            opened.last_good = opened.last_good.max(earlier.size);
        }
        // Two signatures over two histories: the log's owner has shown one thing to some and another to others.
        Some(_) if is_right || (earlier.size == head.size && earlier.root != head.root) => {
            let words = format!(
                "{name}: the log that was signed then, of {} entries, is not the beginning of the log that is signed now. \
                 Both signatures hold: keep both, they are the proof",
                earlier.size
            );
            opened.findings.push(Finding::new(Fault::Fork, words));
        }
        _ => {}
    }
}
