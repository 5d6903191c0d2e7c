//! Proofs of single events: a C2SP tlog-proof that contains its entry.

use tlog::{Checkpoint, Error, ProofFile, Verifier};

use crate::{Entry, Event, Fault};

/// The first bytes of a proof file. A bundle starts with other bytes.
pub const PREFIX: &str = "c2sp.org/tlog-proof@";

/// The verified contents of a proof.
#[derive(Debug)]
pub struct VerifiedEvent {
    /// The event.
    pub event: Event,
    /// Index of its entry in the log.
    pub index: u64,
    /// The signed checkpoint that covers it.
    pub checkpoint: Checkpoint,
    /// Names of the keys that signed.
    pub signed_by: Vec<String>,
}

/// Verifies a proof with trusted keys.
///
/// # Errors
/// The kind of the finding and its message.
pub fn verify(text: &str, keys: &[Verifier]) -> Result<VerifiedEvent, (Fault, String)> {
    let changed = |message: &str| (Fault::Changed, message.to_owned());
    let proof: ProofFile = text.parse().map_err(|fault: Error| (Fault::Changed, fault.to_string()))?;
    let (checkpoint, signed) =
        Checkpoint::open(&proof.note, keys).map_err(|fault| (Fault::Signature, format!("its checkpoint: {fault}")))?;
    let bytes = proof.extra.as_deref().ok_or_else(|| changed("the proof contains no entry"))?;
    proof.verify(bytes, keys).map_err(|_| changed("the entry is not in the signed tree"))?;
    let entry = Entry::read(bytes).filter(|entry| entry.log == checkpoint.origin);
    let event = entry.and_then(|entry| serde_json::from_slice(entry.event).ok()).and_then(Event::read);
    let event = event.ok_or_else(|| (Fault::Rule, "the entry is not in the documented format".to_owned()))?;
    let signed_by = signed.iter().map(|signed| signed.by.name.clone()).collect();
    Ok(VerifiedEvent { event, index: proof.index, checkpoint, signed_by })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::SampleLog;

    #[test]
    fn a_proof_is_valid_without_the_bundle_and_any_changed_byte_makes_it_invalid() {
        let mut log = SampleLog::unfounded("contoso", 3);
        log.grow(20);
        let files = log.files().unwrap();
        let (name, bytes) = files.iter().find(|(name, _)| name.starts_with("proofs/")).unwrap();
        let keys = [log.signer.verifier().clone()];
        let text = String::from_utf8(bytes.clone()).unwrap();
        let proved = verify(&text, &keys).unwrap();
        assert_eq!(*name, format!("proofs/{}.tlog-proof", proved.event.id));
        assert_eq!(proved.signed_by, [log.origin.clone()]);
        for place in (0..bytes.len()).filter(|place| bytes[*place].is_ascii_alphanumeric()) {
            let mut changed = bytes.clone();
            changed[place] = if changed[place] == b'b' { b'c' } else { b'b' };
            let found = verify(&String::from_utf8(changed).unwrap(), &keys);
            assert!(found.is_err(), "byte {place} of\n{text}");
        }
        let stranger = SampleLog::unfounded("adatum", 4);
        assert_eq!(verify(&text, &[stranger.signer.verifier().clone()]).unwrap_err().0, Fault::Signature);
    }
}
