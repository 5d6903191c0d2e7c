//! Checkpoints, which describe the whole tree of a log in the text of a note (c2sp.org/tlog-checkpoint).

use std::fmt;
use std::str::FromStr;

use crate::{Error, Hash, Note, Signed, Verifier};

/// Origin, number of entries and root of a log. Extension lines are neither written nor accepted, because they cannot be
/// audited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log: a URL without its scheme.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over all entries.
    pub root: Hash,
}

impl Checkpoint {
    /// Verifies a signed checkpoint. A log key whose name is the origin must have signed it. Returns all valid signatures of
    /// the log and of witnesses.
    ///
    /// # Errors
    /// When the note is not a checkpoint, a signature by a known key is invalid, or the log key did not sign.
    pub fn open(note: &Note, keys: &[Verifier]) -> Result<(Self, Vec<Signed>), Error> {
        let signed = note.verify(keys)?;
        let checkpoint: Self = note.text.parse()?;
        let by_log = signed.iter().any(|one| one.by.kind == crate::Kind::Log && one.by.name == checkpoint.origin);
        if by_log { Ok((checkpoint, signed)) } else { Err(Error::NotSigned) }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)
    }
}

impl FromStr for Checkpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fault = || Error::Format("a checkpoint", "expected origin, size and root, one per line");
        let mut lines = text.strip_suffix('\n').ok_or_else(fault)?.split('\n');
        let (Some(origin), Some(size), Some(hash), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(fault());
        };
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| fault())?,
            root: Hash::from_base64(hash).ok_or_else(fault)?,
        };
        // Reject other forms of the size, such as `007` and `+7`.
        if checkpoint.to_string() == text && !origin.is_empty() { Ok(checkpoint) } else { Err(fault()) }
    }
}
