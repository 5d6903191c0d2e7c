//! What a customer keeps of the authority, outside the reach of the vendor: a file with its first statements, or the fingerprint.

use serde::{Deserialize, Serialize};

use crate::assertion::Assertion;
use crate::chain::SignedStatement;
use crate::fault::Fault;
use crate::statement::{Statement, fingerprint};

/// A statement as an authority file holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedStatement {
    /// What is stated.
    pub statement: Statement,
    /// Signatures over its challenge.
    pub signatures: Vec<Assertion>,
    /// Time of the event that recorded it (RFC 3339, UTC).
    pub recorded_at: String,
}

impl RecordedStatement {
    /// The statement with its signatures.
    pub fn signed(&self) -> SignedStatement {
        SignedStatement { statement: self.statement.clone(), signatures: self.signatures.clone() }
    }
}

/// The first statements of an authority, one or more, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityFile {
    /// Version of this format: 1.
    pub v: u8,
    /// Short name of the tenant.
    pub tenant: String,
    /// The statements.
    pub statements: Vec<RecordedStatement>,
}

/// What a verifier trusts: the first statements of an authority, or only the fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// An authority file.
    File(AuthorityFile),
    /// SHA-256 of the first statement.
    Fingerprint([u8; 32]),
}

impl Pin {
    /// Reads an authority file, or a fingerprint of 64 hexadecimal digits with or without white space.
    ///
    /// # Errors
    /// [`Fault::Unreadable`] or [`Fault::Invalid`] when the text is neither.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.trim_start().starts_with('{') {
            let file: AuthorityFile =
                serde_json::from_str(text).map_err(|_| Fault::Unreadable("the authority file"))?;
            let tenant = |recorded: &RecordedStatement| recorded.statement.tenant == file.tenant;
            if file.v != 1 || file.statements.is_empty() || !file.statements.iter().all(tenant) {
                return Err(Fault::Invalid("it holds no statements of one tenant in version 1 of the format"));
            }
            return Ok(Self::File(file));
        }
        let digits: String = text.split_whitespace().collect();
        let mut hash = [0; 32];
        hex::decode_to_slice(digits.to_ascii_lowercase(), &mut hash)
            .map_err(|_| Fault::Unreadable("the fingerprint, which has 64 hexadecimal digits,"))?;
        Ok(Self::Fingerprint(hash))
    }

    /// SHA-256 of the first statement.
    pub fn founding_hash(&self) -> [u8; 32] {
        match self {
            // A file without statements is not read.
            Self::File(file) => file.statements.first().map_or([0; 32], |recorded| recorded.statement.hash()),
            Self::Fingerprint(hash) => *hash,
        }
    }

    /// Whether the statements of a log begin with what is trusted.
    pub fn matches(&self, statements: &[SignedStatement]) -> bool {
        let Some(first) = statements.first() else { return false };
        let known = match self {
            Self::Fingerprint(_) => &[][..],
            Self::File(file) => &file.statements,
        };
        first.statement.hash() == self.founding_hash()
            && known.len() <= statements.len()
            && known.iter().zip(statements).all(|(known, found)| known.statement.hash() == found.statement.hash())
    }

    /// The fingerprint as people compare it.
    pub fn text(&self) -> String {
        let digits = hex::encode(self.founding_hash());
        let groups: Vec<&str> = (0..64).step_by(8).map(|start| &digits[start..start + 8]).collect();
        groups.join(" ")
    }
}

impl AuthorityFile {
    /// The fingerprint of its first statement.
    pub fn fingerprint(&self) -> Option<String> {
        self.statements.first().map(|recorded| fingerprint(&recorded.statement))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Device, founding};

    fn file(statement: &Statement) -> AuthorityFile {
        let recorded_at = statement.effective_at.clone();
        let recorded = RecordedStatement { statement: statement.clone(), signatures: Vec::new(), recorded_at };
        AuthorityFile { v: 1, tenant: statement.tenant.clone(), statements: vec![recorded] }
    }

    #[test]
    fn a_file_and_its_fingerprint_match_the_same_statements_and_no_others() {
        let (alex, mallory) = (Device::new(), Device::new());
        let statement = founding(&[&alex]);
        let kept = file(&statement);
        let text = serde_json::to_string_pretty(&kept).unwrap();
        let second = Statement { version: 2, previous: Some(hex::encode(statement.hash())), ..statement.clone() };
        let signed = |statement: &Statement| kept_statement(statement);
        let log = [signed(&statement), signed(&second)];
        let forged = [signed(&founding(&[&mallory])), signed(&second)];
        for pin in [Pin::parse(&text).unwrap(), Pin::parse(&kept.fingerprint().unwrap()).unwrap()] {
            assert_eq!(pin.text(), fingerprint(&statement));
            assert!(pin.matches(&log) && pin.matches(&log[..1]));
            assert!(!pin.matches(&forged) && !pin.matches(&[]));
        }
        let mut longer = kept.clone();
        longer.statements.push(RecordedStatement { statement: second, ..kept.statements[0].clone() });
        assert!(Pin::File(longer.clone()).matches(&log));
        assert!(!Pin::File(longer).matches(&log[..1]), "the log lacks a statement that the customer knows");
    }

    fn kept_statement(statement: &Statement) -> SignedStatement {
        SignedStatement { statement: statement.clone(), signatures: Vec::new() }
    }

    #[test]
    fn text_that_is_neither_a_file_nor_a_fingerprint_is_refused() {
        let mut empty = file(&founding(&[&Device::new()]));
        empty.statements.clear();
        for bad in ["", "abcd", "{}", "{\"v\":1}", &"g".repeat(64), &serde_json::to_string(&empty).unwrap()] {
            assert!(Pin::parse(bad).is_err(), "{bad}");
        }
    }
}
