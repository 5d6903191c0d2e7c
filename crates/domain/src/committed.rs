//! A text that a document commits to without containing it, so that the text can be redacted and the document stays the same.

use sha2::{Digest as _, Sha256};

/// What is shown in place of a redacted text.
pub const REDACTED: &str = "(redacted)";

/// The commitment to a text: SHA-256 over salt and text.
pub fn commitment(salt: &[u8], text: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(text).finalize().into()
}

/// A text with its salt, or only the commitment to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedText {
    commitment: [u8; 32],
    words: Option<(String, [u8; 32])>,
}

impl CommittedText {
    /// Commits to a text with a random salt. Without the salt, a redacted text cannot be guessed by trying.
    pub fn new(text: String, salt: [u8; 32]) -> Self {
        Self { commitment: commitment(&salt, &text), words: Some((text, salt)) }
    }

    /// A commitment whose text is not at hand.
    pub fn unknown(commitment: [u8; 32]) -> Self {
        Self { commitment, words: None }
    }

    /// The same commitment with its text; `None` when the text is another one.
    pub fn with_words(&self, text: &str, salt: &[u8]) -> Option<Self> {
        let salt = salt.try_into().ok()?;
        Some(Self::new(text.to_owned(), salt)).filter(|known| known.commitment == self.commitment)
    }

    /// SHA-256 over salt and text.
    pub fn commitment(&self) -> [u8; 32] {
        self.commitment
    }

    /// The text; [`REDACTED`] when it is not at hand.
    pub fn text(&self) -> &str {
        self.words.as_ref().map_or(REDACTED, |(text, _)| text)
    }

    /// The salt, when the text is at hand.
    pub fn salt(&self) -> Option<[u8; 32]> {
        self.words.as_ref().map(|(_, salt)| *salt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_and_salt_belong_to_a_commitment() {
        let sealed = CommittedText::new("mail is stuck".into(), [1; 32]);
        let bare = CommittedText::unknown(sealed.commitment());
        assert_eq!((bare.text(), bare.salt()), (REDACTED, None));
        assert_eq!(bare.with_words("mail is stuck", &[1; 32]), Some(sealed));
        assert_eq!(bare.with_words("mail is lost", &[1; 32]), None);
        assert_eq!(bare.with_words("mail is stuck", &[2; 32]), None);
        assert_eq!(bare.with_words("mail is stuck", &[1; 31]), None);
    }
}
