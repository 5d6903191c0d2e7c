//! Texts that people write are stored beside the events. An event contains a salted commitment in place of a text, so that
//! the text can be redacted and the log stays complete. `docs/audit-format.md` describes the bytes.

pub use domain::commitment;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The commitment in an event that replaces a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// SHA-256 of salt and text, in hexadecimal.
    pub committed: String,
}

/// A text that is stored where it can be redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Field of the event's data that contains the commitment.
    pub field: &'static str,
    /// SHA-256 of salt and text.
    pub commitment: [u8; 32],
    /// Random bytes. Without them, a redacted text cannot be guessed by trying.
    pub salt: [u8; 32],
    /// The text.
    pub text: String,
}

/// Fields of events that contain commitments.
pub const FIELDS: [&str; 3] = ["comment", "justification", "note"];

/// A random salt.
pub fn salt() -> [u8; 32] {
    // Two random UUIDs have 244 bits from the operating system's generator.
    Sha256::new().chain_update(Uuid::new_v4()).chain_update(Uuid::new_v4()).finalize().into()
}

/// Commits to a text with a new salt.
pub fn commit(field: &'static str, text: &str) -> (Committed, Text) {
    commit_with(field, text, salt())
}

/// Commits to a text with a salt that was chosen elsewhere.
pub fn commit_with(field: &'static str, text: &str, salt: [u8; 32]) -> (Committed, Text) {
    let commitment = commitment(&salt, text);
    (Committed { committed: hex::encode(commitment) }, Text { field, commitment, salt, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_gets_a_different_commitment_each_time_and_only_its_salt_verifies_it() {
        let (one, two) = (commit("comment", "call me").1, commit("comment", "call me").1);
        assert_ne!(one.commitment, two.commitment);
        assert_eq!(commitment(&one.salt, "call me"), one.commitment);
        assert_ne!(commitment(&two.salt, "call me"), one.commitment);
    }
}
