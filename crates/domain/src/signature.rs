//! The verified signature of a decision.

/// Evidence that a person signed a decision, as JSON: what was signed, and the assertion of the key. It was verified when the
/// decision arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Id of the key.
    pub key: String,
    /// `{"decision":…,"assertion":…}`, as docs/audit-format.md describes it.
    pub evidence: String,
    /// Salt of the comment, which the signer chose: the signature covers the commitment to the comment.
    pub comment_salt: Option<[u8; 32]>,
}
