//! What people write, kept beside the events: an event holds a salted commitment in a text's place, so that the text
//! can be erased and the log stays whole. `docs/audit-format.md` has the bytes.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What stands in an event in the place of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// SHA-256 of salt and text, in hexadecimal.
    pub committed: String,
}

/// A text to be kept where it can be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Field of the event's data that holds the commitment.
    pub field: &'static str,
    /// SHA-256 of salt and text.
    pub commitment: [u8; 32],
    /// Random bytes: without them nobody can try out what an erased text said.
    pub salt: [u8; 32],
    /// In somebody's words.
    pub text: String,
}

/// Fields of events that hold commitments.
pub const FIELDS: [&str; 3] = ["comment", "justification", "note"];

/// The commitment to a text.
pub fn commitment(salt: &[u8], text: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(text).finalize().into()
}

/// Commits to a text with a fresh salt.
pub fn commit(field: &'static str, text: &str) -> (Committed, Text) {
    // Two random UUIDs have 244 bits from the operating system's generator.
    let salt: [u8; 32] = Sha256::new().chain_update(Uuid::new_v4()).chain_update(Uuid::new_v4()).finalize().into();
    let commitment = commitment(&salt, text);
    (Committed { committed: hex::encode(commitment) }, Text { field, commitment, salt, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_committed_to_differently_each_time_and_only_its_salt_opens_it() {
        let (one, two) = (commit("comment", "call me").1, commit("comment", "call me").1);
        assert_ne!(one.commitment, two.commitment);
        assert_eq!(commitment(&one.salt, "call me"), one.commitment);
        assert_ne!(commitment(&two.salt, "call me"), one.commitment);
    }
}
