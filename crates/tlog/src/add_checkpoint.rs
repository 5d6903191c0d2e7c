//! The request of a log to a witness (c2sp.org/tlog-witness).

use crate::{Hash, Note};

/// Most hashes in a proof.
const PROOF_LIMIT: usize = 63;

/// A log's request to a witness to cosign a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the witness saw last, as far as the log knows.
    pub old: u64,
    /// Proof that the new tree extends that one.
    pub proof: Vec<Hash>,
    /// The new checkpoint, signed by the log.
    pub note: Note,
}

impl AddCheckpoint {
    /// The request body.
    pub fn body(&self) -> String {
        let proof: String = self.proof.iter().map(|hash| format!("{hash}\n")).collect();
        format!("old {}\n{proof}\n{}", self.old, self.note)
    }

    /// Parses a request body.
    pub fn parse(body: &str) -> Option<Self> {
        let (head, note) = body.split_once("\n\n")?;
        let mut lines = head.lines();
        let old = lines.next()?.strip_prefix("old ")?.parse().ok()?;
        let proof: Vec<Hash> = lines.map(Hash::from_base64).collect::<Option<_>>()?;
        (proof.len() <= PROOF_LIMIT).then_some(())?;
        Some(Self { old, proof, note: note.parse().ok()? })
    }
}
