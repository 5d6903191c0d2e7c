//! Signed notes: a text and the signatures under it (c2sp.org/signed-note).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Error;
use crate::keys::Verifier;
use crate::signature::Signature;

/// Maximum size of a note in bytes.
pub const NOTE_LIMIT: usize = 1_000_000;

/// A text, which ends with a newline, and its signatures, which are not verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed text.
    pub text: String,
    /// The signatures.
    pub signatures: Vec<Signature>,
}

/// A valid signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The key that signed.
    pub by: Verifier,
    /// Time of the signature in seconds since 1970. Only cosignatures have a time.
    pub at: Option<u64>,
}

impl Note {
    /// Verifies every signature by one of these keys. Ignores signatures by other keys.
    ///
    /// # Errors
    /// [`Error::BadSignature`] when a signature by one of the keys is invalid, [`Error::NotSigned`] when there is none.
    pub fn verify(&self, keys: &[Verifier]) -> Result<Vec<Signed>, Error> {
        let mut signed = Vec::new();
        for signature in &self.signatures {
            for key in keys.iter().filter(|key| key.name == signature.name && key.id() == signature.id) {
                let at = key.verify(&self.text, &signature.bytes)?;
                signed.push(Signed { by: key.clone(), at });
            }
        }
        if signed.is_empty() { Err(Error::NotSigned) } else { Ok(signed) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let bytes = [signature.id.as_slice(), &signature.bytes].concat();
            writeln!(f, "\u{2014} {} {}", signature.name, STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

impl FromStr for Note {
    type Err = Error;

    fn from_str(note: &str) -> Result<Self, Error> {
        let fault = |why| Error::Format("a signed note", why);
        if note.len() > NOTE_LIMIT {
            return Err(fault("it is too long"));
        }
        if note.chars().any(|c| c.is_ascii_control() && c != '\n') {
            return Err(fault("it contains a control character"));
        }
        let split = note.rfind("\n\n").ok_or_else(|| fault("expected an empty line before the signatures"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        if text.len() < 2 || !lines.ends_with('\n') {
            return Err(fault("expected a text, and signature lines that end with a newline"));
        }
        let signatures = lines.lines().map(line).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }
}

fn line(line: &str) -> Result<Signature, Error> {
    let fault = || Error::Format("a signature line", "expected an em dash, a name and base64");
    let rest = line.strip_prefix("\u{2014} ").ok_or_else(fault)?;
    let (name, bytes) = rest.split_once(' ').ok_or_else(fault)?;
    let bytes = STANDARD.decode(bytes).map_err(|_| fault())?;
    let (id, bytes) = bytes.split_first_chunk::<4>().ok_or_else(fault)?;
    if name.is_empty() || name.contains('+') || bytes.is_empty() {
        return Err(fault());
    }
    Ok(Signature { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
}
