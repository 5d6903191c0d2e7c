//! Consent that only the customer can give: the tenant's authority, the signatures of its approvers, and their verification.
//!
//! Everything here is pure and needs no database, no broker and no clock, so that a gate, a verifier and a customer's monitor
//! judge in the same way. Deliberately absent: the ceremonies of registration, which need a server (`passkeys`), and the rules
//! of the lifecycle (`domain`).

mod assertion;
mod chain;
mod change;
mod decision;
mod fault;
mod file;
mod key;
mod statement;

pub use assertion::{Assertion, verify};
pub use chain::{Chain, Recorded, Signature, SignedStatement};
pub use change::{Change, Effect, changes};
pub use decision::{Decision, NONCE_LIFETIME_SECONDS, SignedDecision, time_text};
pub use fault::Fault;
pub use file::{AuthorityFile, Pin, RecordedStatement};
pub use key::{Algorithm, Key, KeyKind};
pub use statement::{
    Approver, BreakGlassRule, Delegation, IdentityProvider, Portal, Rules, Statement, VENDOR, Witness, fingerprint,
};

use ring::digest::{SHA256, digest};
use serde_json::Value;

/// SHA-256 over a purpose and a document in RFC 8785 form. The purpose keeps a signature for one kind of document from being
/// taken for a signature for another kind.
///
/// The hashed bytes are the purpose, a line feed, and the document.
pub fn challenge(purpose: &str, document: &Value) -> [u8; 32] {
    // `serde_json` sorts members and writes whole numbers and strings as RFC 8785 does; documents hold nothing else.
    let mut bytes = format!("{purpose}\n").into_bytes();
    bytes.extend(document.to_string().into_bytes());
    sha256(&bytes)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(any(test, feature = "testing"))]
#[allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::new_without_default,
    reason = "only tests use it"
)]
pub mod testing;
