//! Proofs in a bundle: of activated grants, and of the statements of the authority.

use tlog::{Checkpoint, ProofFile, leaf_hash, verify_inclusion};

use super::{AUTHORITY, Files, stated_version};
use crate::{Entry, Event, Examination, Fault, Finding};

/// A statement whose entry a proof contains.
pub(super) struct ProvedStatement {
    pub index: u64,
    pub event: Event,
}

/// Whether a file of this name is a proof.
pub(super) fn is_proof(name: &str) -> bool {
    name.starts_with("proofs/") || name.starts_with(AUTHORITY)
}

/// Verifies that each proof leads from its entry to its checkpoint. The examination compares that checkpoint with the log.
pub(super) fn check(files: &dyn Files, examination: &mut Examination) {
    for name in files.names().into_iter().filter(|name| is_proof(name)) {
        let is_valid = files.read(&name).is_some_and(|bytes| read(&name, &bytes).is_some());
        if !is_valid {
            examination.add_finding(Finding::new(Fault::Changed, format!("{name} is not a valid proof of its entry")));
        }
    }
}

/// The statements of this log whose proof is valid, in the order of the log.
pub(super) fn statements(files: &dyn Files, origin: &str) -> Vec<ProvedStatement> {
    let names = files.names().into_iter().filter(|name| name.starts_with(AUTHORITY));
    let mut found: Vec<ProvedStatement> = names
        .filter_map(|name| {
            let (index, event, log) = read(&name, &files.read(&name)?)?;
            (log == origin).then_some(ProvedStatement { index, event })
        })
        .collect();
    found.sort_by_key(|proved| proved.index);
    found
}

/// The index, the event and the log of the entry in a valid proof of this name.
fn read(name: &str, bytes: &[u8]) -> Option<(u64, Event, String)> {
    let proof: ProofFile = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    let checkpoint: Checkpoint = proof.note.text.parse().ok()?;
    let bytes = proof.extra.as_deref()?;
    let entry = Entry::read(bytes)?;
    let event = serde_json::from_slice(entry.event).ok().and_then(Event::read)?;
    let expected = match stated_version(&event).filter(|_| name.starts_with(AUTHORITY)) {
        Some(version) => format!("{AUTHORITY}{version}.tlog-proof"),
        None => format!("proofs/{}.tlog-proof", event.id),
    };
    let leaf = leaf_hash(bytes);
    verify_inclusion(&leaf, proof.index, checkpoint.size, &proof.path, &checkpoint.root).ok()?;
    (name == expected).then(|| (proof.index, event, entry.log.to_owned()))
}
