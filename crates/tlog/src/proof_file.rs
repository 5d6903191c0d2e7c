//! A file that proves one entry offline (c2sp.org/tlog-proof).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Checkpoint, Error, Hash, Note, Signed, Verifier, leaf_hash, verify_inclusion};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The inclusion proof of an entry and its signed checkpoint. No signature covers `extra`; Lockbox stores the entry in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// Any data; the proof does not cover it.
    pub extra: Option<Vec<u8>>,
    /// Index of the entry in the log.
    pub index: u64,
    /// Inclusion proof, the leaf's sibling first.
    pub path: Vec<Hash>,
    /// Signed checkpoint.
    pub note: Note,
}

impl ProofFile {
    /// Verifies that this entry is in the log, and that one of these keys signed the checkpoint.
    ///
    /// # Errors
    /// When the signature or the inclusion proof is invalid.
    pub fn verify(&self, entry: &[u8], keys: &[Verifier]) -> Result<(Checkpoint, Vec<Signed>), Error> {
        let (checkpoint, signed) = Checkpoint::open(&self.note, keys)?;
        verify_inclusion(&leaf_hash(entry), self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok((checkpoint, signed))
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.note)
    }
}

impl FromStr for ProofFile {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fault = |why| Error::Format("a proof", why);
        let (head, note) = text.split_once("\n\n").ok_or_else(|| fault("it has no checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(fault("it does not start with c2sp.org/tlog-proof@v1"));
        }
        let mut line = lines.next().unwrap_or_default();
        let extra = match line.strip_prefix("extra ") {
            Some(extra) => {
                line = lines.next().unwrap_or_default();
                Some(STANDARD.decode(extra).map_err(|_| fault("its extra is not base64"))?)
            }
            None => None,
        };
        let number = line.strip_prefix("index ").ok_or_else(|| fault("it has no index"))?;
        let index: u64 = number.parse().map_err(|_| fault("its index is not a number"))?;
        if index.to_string() != number {
            return Err(fault("its index is not a number"));
        }
        let path = lines.map(Hash::from_base64).collect::<Option<_>>().ok_or_else(|| fault("a hash is not base64"))?;
        Ok(Self { extra, index, path, note: note.parse()? })
    }
}
