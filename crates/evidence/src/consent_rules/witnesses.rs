//! Rule 6: the checkpoint has the cosignatures that the authority requires.

use consent::Statement;
use tlog::{Checkpoint, Note, Verifier};

use super::trust::ConsentTrust;
use crate::finding::{Fault, Finding};

/// The trusted witnesses and how many of them must have cosigned: those of the user, otherwise those of the authority.
pub(super) fn trusted(trust: &ConsentTrust, in_force: Option<&Statement>) -> (Vec<Verifier>, usize) {
    if !trust.witnesses.is_empty() {
        return (trust.witnesses.clone(), trust.witnesses_required.unwrap_or(trust.witnesses.len()));
    }
    let Some(statement) = in_force else { return (Vec::new(), trust.witnesses_required.unwrap_or_default()) };
    let keys = statement.rules.witnesses.iter().filter_map(|witness| witness.key.parse().ok()).collect();
    (keys, trust.witnesses_required.unwrap_or(statement.rules.witnesses_required))
}

/// Times of the valid cosignatures on a note, one for each witness.
fn times(note: &Note, witnesses: &[Verifier]) -> Vec<u64> {
    let by = |witness: &Verifier| {
        let own = note.signatures.iter().filter(|one| one.name == witness.name && one.id == witness.id());
        own.filter_map(|one| witness.verify(&note.text, &one.bytes).ok().flatten()).min()
    };
    let mut seen: Vec<&Verifier> = Vec::new();
    let mut found = Vec::new();
    for witness in witnesses {
        if !seen.contains(&witness) {
            seen.push(witness);
            found.extend(by(witness));
        }
    }
    found
}

/// The finding when the checkpoint has fewer cosignatures than required.
pub(super) fn missing(checkpoint: &Note, witnesses: &[Verifier], required: usize) -> Option<Finding> {
    let found = times(checkpoint, witnesses).len();
    let words =
        format!("the checkpoint has valid cosignatures of {found} trusted witnesses, and {required} are required");
    (found < required).then(|| Finding::new(Fault::Consent, words).of_rule(6))
}

/// Sizes and times of all valid cosignatures by trusted witnesses.
pub(super) fn cosignatures(valid: &[Note], witnesses: &[Verifier]) -> Vec<(u64, u64)> {
    let of = |note: &Note| {
        let size = note.text.parse::<Checkpoint>().ok().map(|checkpoint| checkpoint.size);
        let times = times(note, witnesses);
        times.into_iter().filter_map(move |at| Some((size?, at))).collect::<Vec<_>>()
    };
    valid.iter().flat_map(of).collect()
}
