//! The monitor as a witness (c2sp.org/tlog-witness): it cosigns only checkpoints whose entries it has verified itself.

use tlog::{AddCheckpoint, Checkpoint, Note};

use super::Monitor;
use crate::error::Error;

/// The answer to `add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The signature lines to add to the note.
    Cosigned(String),
    /// The request does not have the protocol's form.
    Malformed(&'static str),
    /// The monitor does not follow this log, or has no witness key.
    Unknown,
    /// No trusted key of the log signed the checkpoint.
    NotSigned,
    /// The old size is wrong; this is the size that was cosigned last.
    Conflict(u64),
    /// The consistency proof is not valid, or the entries do not lead to the signed root.
    Unproved,
    /// The entries cannot be read at the moment.
    Unavailable,
}

impl Monitor {
    /// Answers a log that asks for a cosignature. The checkpoint is stored before the signature is returned.
    pub(crate) async fn add_checkpoint(&mut self, body: &str) -> Result<Answer, Error> {
        let Some(request) = AddCheckpoint::parse(body) else {
            return Ok(Answer::Malformed("expected: old, a proof, an empty line and a signed checkpoint"));
        };
        let Ok(claimed) = request.note.text.parse::<Checkpoint>() else {
            return Ok(Answer::Malformed("the note has no checkpoint"));
        };
        if self.witness.is_none() || claimed.origin != self.state.origin {
            return Ok(Answer::Unknown);
        }
        let text = request.note.to_string();
        let Ok(checkpoint) = self.open_note(&text) else { return Ok(Answer::NotSigned) };
        let seen = self.state.cosigned;
        if request.old > checkpoint.size {
            return Ok(Answer::Malformed("the old size is larger than the new size"));
        }
        if request.old != seen {
            return Ok(Answer::Conflict(seen));
        }
        let Some(root) = self.tree.root_at(seen) else { return Ok(Answer::Unavailable) };
        let proved = tlog::verify_consistency((seen, &root), (checkpoint.size, &checkpoint.root), &request.proof);
        // A checkpoint that the monitor has passed already is no rollback: the log asked before, and the answer came later.
        let is_verified = |monitor: &Self| monitor.tree.root_at(checkpoint.size) == Some(checkpoint.root);
        if !is_verified(self) {
            // A wrong proof is the fault of the caller, who can be anyone. A wrong checkpoint is not: the log signed it.
            let failure = self.check_note(&text).await?;
            self.show(failure);
        }
        if proved.is_err() {
            return Ok(Answer::Unproved);
        }
        if !is_verified(self) {
            return Ok(Answer::Unavailable);
        }
        self.state.cosigned = checkpoint.size;
        self.folder.save(&self.state)?;
        self.show(None);
        let seconds = u64::try_from((self.clock)().timestamp()).unwrap_or_default();
        let text = checkpoint.to_string();
        let signatures = self.witness.iter().map(|key| key.sign(&text, seconds)).collect();
        let note = Note { text: text.clone(), signatures }.to_string();
        Ok(Answer::Cosigned(note[text.len() + 1..].to_owned()))
    }
}
