//! One event that proves itself: a C2SP tlog-proof that holds its entry.

use tlog::{Checkpoint, Error, ProofFile, Verifier};

use crate::{Entry, Event, Fault};

/// How a proof begins; a bundle begins otherwise.
pub const BEGINNING: &str = "c2sp.org/tlog-proof@";

/// What a proof proves.
#[derive(Debug)]
pub struct Proved {
    /// The event.
    pub event: Event,
    /// Its place in the log.
    pub index: u64,
    /// The signed state of the log that it is in.
    pub checkpoint: Checkpoint,
    /// Names of the keys that signed.
    pub signed_by: Vec<String>,
}

/// Verifies a proof by keys that are trusted.
///
/// # Errors
/// What kind of fault it has, and in words.
pub fn verify(text: &str, keys: &[Verifier]) -> Result<Proved, (Fault, String)> {
    let changed = |words: &str| (Fault::Mismatch, words.to_owned());
    let proof: ProofFile = text.parse().map_err(|fault: Error| (Fault::Mismatch, fault.to_string()))?;
    let (checkpoint, signed) =
        Checkpoint::open(&proof.note, keys).map_err(|fault| (Fault::Signature, format!("its checkpoint: {fault}")))?;
    let bytes = proof.extra.as_deref().ok_or_else(|| changed("it holds no entry"))?;
    proof.verify(bytes, keys).map_err(|_| changed("its entry is not in the tree that was signed"))?;
    let entry = Entry::read(bytes).filter(|entry| entry.log == checkpoint.origin);
    let event = entry.and_then(|entry| serde_json::from_slice(entry.event).ok()).and_then(Event::read);
    let event = event.ok_or_else(|| (Fault::Rule, "its entry is not in its format".to_owned()))?;
    let signed_by = signed.iter().map(|signed| signed.by.name.clone()).collect();
    Ok(Proved { event, index: proof.index, checkpoint, signed_by })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invented::Invented;

    #[test]
    fn a_proof_is_good_by_itself_and_no_byte_of_it_can_be_another() {
        let mut log = Invented::new("contoso", 3);
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
        let stranger = Invented::new("adatum", 4);
        assert_eq!(verify(&text, &[stranger.signer.verifier().clone()]).unwrap_err().0, Fault::Signature);
    }
}
