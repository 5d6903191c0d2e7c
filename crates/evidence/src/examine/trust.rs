//! Checks signatures, and whether checkpoints from different times are consistent with one log.

use tlog::{Checkpoint, Error, Note, Signed, Verifier};

use super::inputs::{Inputs, Tree};
use super::streams::Streams;
use crate::finding::{Fault, Finding};

/// What the signatures are checked against.
pub(super) struct Context<'a> {
    pub inputs: &'a Inputs,
    pub recorded: &'a Tree,
    pub streams: &'a Streams,
}

/// The result of the signature checks.
#[derive(Default)]
pub(super) struct Signatures {
    pub signed_by: Vec<String>,
    pub continued: u64,
    pub remarks: Vec<String>,
    pub findings: Vec<Finding>,
    /// Valid checkpoints that agree with the leaves.
    pub valid: Vec<Note>,
    /// The largest checkpoint size at which the entries match the signed root.
    pub last_good: u64,
}

/// Sizes of all checkpoints, at which the tree must record its root.
pub(super) fn sizes(inputs: &Inputs) -> Vec<u64> {
    let earlier = inputs.earlier.iter().filter_map(|(_, text)| text.parse::<Note>().ok());
    let pinned = inputs.pinned.iter().map(|(_, note)| note.clone());
    let notes = earlier.chain(pinned).chain(inputs.head.parse());
    notes.filter_map(|note| note.text.parse::<Checkpoint>().ok()).map(|checkpoint| checkpoint.size).collect()
}

pub(super) fn check(context: &Context<'_>) -> Signatures {
    let mut signatures = Signatures::default();
    let keys = follow_key_changes(context);
    let head = open_checkpoint(context, &keys, &mut signatures);
    for (name, text) in &context.inputs.earlier {
        match text.parse::<Note>() {
            Ok(note) => check_earlier(context, name, &note, &keys, head.as_ref(), &mut signatures),
            Err(fault) => signatures.findings.push(Finding::new(Fault::Signature, format!("{name}: {fault}"))),
        }
    }
    for (name, note) in &context.inputs.pinned {
        check_earlier(context, name, note, &keys, head.as_ref(), &mut signatures);
    }
    signatures
}

/// The trusted keys, and the keys that signed key change entries derive from them.
fn follow_key_changes(context: &Context<'_>) -> Vec<Verifier> {
    let mut keys = context.inputs.keys.clone();
    let earlier = context.inputs.earlier.iter().map(|(_, text)| text.as_str());
    let notes: Vec<Note> = earlier.chain([context.inputs.head.as_str()]).filter_map(|text| text.parse().ok()).collect();
    loop {
        let before = keys.len();
        for note in &notes {
            let Ok((checkpoint, _)) = Checkpoint::open(note, &keys) else { continue };
            if context.recorded.root(checkpoint.size) != Some(checkpoint.root) {
                continue;
            }
            for change in context.streams.keys().filter(|change| change.index < checkpoint.size) {
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

fn open_checkpoint(context: &Context<'_>, keys: &[Verifier], signatures: &mut Signatures) -> Option<Checkpoint> {
    let fault = |words: String| Finding::new(Fault::Signature, words);
    let note: Note = match context.inputs.head.parse() {
        Ok(note) => note,
        Err(error) => {
            signatures.findings.push(fault(format!("the checkpoint cannot be read: {error}")));
            return None;
        }
    };
    match Checkpoint::open(&note, keys) {
        Ok((checkpoint, signed)) => {
            if checkpoint.origin != context.inputs.origin {
                let words = format!("the checkpoint belongs to another log, {}", checkpoint.origin);
                signatures.findings.push(fault(words));
            }
            signatures.signed_by = signed.iter().map(name).collect();
            signatures.valid.push(note);
            Some(checkpoint)
        }
        Err(Error::BadSignature(name)) => {
            signatures.findings.push(fault(format!(
                "the signature of {name} on the checkpoint is invalid: the checkpoint was changed after it was signed, \
                 or another key signed it"
            )));
            None
        }
        Err(Error::NotSigned) => {
            let by: Vec<String> =
                note.signatures.iter().map(|one| format!("{} (key {})", one.name, hex::encode(one.id))).collect();
            signatures.findings.push(fault(format!(
                "no trusted key of this log signed the checkpoint; its signatures are from {}",
                if by.is_empty() { "nobody".to_owned() } else { by.join(", ") }
            )));
            None
        }
        Err(error) => {
            signatures.findings.push(fault(format!("the checkpoint cannot be read: {error}")));
            None
        }
    }
}

fn name(signed: &Signed) -> String {
    let at = signed.at.and_then(|seconds| chrono::DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0));
    let key = format!("{} (key {})", signed.by.name, hex::encode(signed.by.id()));
    at.map_or(key.clone(), |at| format!("{key} at {}", at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)))
}

/// Compares an earlier checkpoint with the log.
fn check_earlier(
    context: &Context<'_>,
    name: &str,
    note: &Note,
    keys: &[Verifier],
    head: Option<&Checkpoint>,
    signatures: &mut Signatures,
) {
    let earlier = match Checkpoint::open(note, keys) {
        Ok((earlier, _)) => earlier,
        Err(error) => {
            let words = format!("{name}: this earlier checkpoint is not valid: {error}");
            signatures.findings.push(Finding::new(Fault::Signature, words));
            return;
        }
    };
    let Some(head) = head else { return };
    if earlier.origin != head.origin {
        let words = format!("{name}: this checkpoint belongs to another log, {}", earlier.origin);
        signatures.findings.push(Finding::new(Fault::Signature, words));
        return;
    }
    if earlier.size > head.size {
        let words = format!(
            "{name}: this checkpoint covers {} entries, but the log has only {}. This is an older copy of the log, or \
             entries were removed. Request the latest export",
            earlier.size, head.size
        );
        let fault = if context.inputs.is_live { Fault::SplitView } else { Fault::Stale };
        signatures.findings.push(Finding::new(fault, words));
        return;
    }
    let is_right = context.recorded.root(head.size) == Some(head.root);
    match context.recorded.root(earlier.size) {
        Some(root) if root == earlier.root => {
            signatures.continued += 1;
            signatures.valid.push(note.clone());
            signatures.last_good = signatures.last_good.max(earlier.size);
        }
        // Two valid signatures over logs that exclude each other: the log operator showed different logs to different people.
        Some(_) if is_right || (earlier.size == head.size && earlier.root != head.root) => {
            let words = format!(
                "{name}: the first {} entries of the log differ from those that this checkpoint signed. Both signatures \
                 are valid: keep both checkpoints as proof of the split view",
                earlier.size
            );
            signatures.findings.push(Finding::new(Fault::SplitView, words));
        }
        _ => {}
    }
}
