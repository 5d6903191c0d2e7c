//! Statements of a tenant's authority: recorded ones, and proposals of the vendor's directory file.

use chrono::{DateTime, Utc};
use consent::{Assertion, Statement};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Actor;
use crate::envelope::{About, Message, message};
use crate::kinds::Kind;

/// Data of `authority.changed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorityChanged {
    /// The statement, as it was signed.
    pub statement: Value,
    /// Signatures over its challenge.
    pub signatures: Vec<Assertion>,
    /// When it is in force, unless another statement replaces it before (RFC 3339, UTC).
    pub in_force_from: String,
    /// What it changes, one sentence each.
    pub changes: Vec<String>,
    /// The person who recorded it.
    pub actor: Actor,
}

/// Data of `authority.proposed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorityProposed {
    /// Id of the proposal.
    pub change: uuid::Uuid,
    /// The proposed statement. It has no effect until approvers sign it.
    pub statement: Value,
    /// What it would change, one sentence each.
    pub changes: Vec<String>,
    /// When the proposal expires (RFC 3339, UTC).
    pub expires_at: String,
    /// Who proposed it.
    pub actor: Actor,
}

/// The tenant of the envelope: none for the authority of the vendor, which is in the operator log.
fn about(statement: &Statement) -> About {
    let tenant = (statement.tenant != consent::VENDOR).then(|| statement.tenant.clone());
    About { tenant, ..About::default() }
}

/// Writes the event that records a statement.
pub fn authority_changed(
    statement: &Statement,
    signatures: &[Assertion],
    in_force_from: DateTime<Utc>,
    changes: &[String],
    actor: &Actor,
    at: DateTime<Utc>,
) -> Message {
    let data = AuthorityChanged {
        statement: statement.document(),
        signatures: signatures.to_vec(),
        in_force_from: consent::time_text(in_force_from),
        changes: changes.to_vec(),
        actor: actor.clone(),
    };
    message(Kind::AuthorityChanged, at, about(statement), &data)
}

/// Writes the event of a proposal.
pub fn authority_proposed(
    change: uuid::Uuid,
    statement: &Statement,
    expires_at: DateTime<Utc>,
    changes: &[String],
    actor: &Actor,
    at: DateTime<Utc>,
) -> Message {
    let data = AuthorityProposed {
        change,
        statement: statement.document(),
        changes: changes.to_vec(),
        expires_at: consent::time_text(expires_at),
        actor: actor.clone(),
    };
    message(Kind::AuthorityProposed, at, about(statement), &data)
}
