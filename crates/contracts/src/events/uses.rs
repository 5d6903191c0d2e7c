//! Access through the gate.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Actor;
use crate::timestamp::Timestamp;

/// Data of `grant.token_issued`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenIssued {
    /// The request.
    pub request: Uuid,
    /// Number in the ticketing system.
    pub service_request: String,
    /// The requester.
    pub actor: Actor,
}

/// Data of `grant.used`: equal uses within about a second are one event with their count.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GrantUsed {
    /// The request of the access token; absent when there was no known token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_request: Option<String>,
    /// HTTP method, or the operation that a program named.
    pub method: String,
    /// The requested resource; empty for counts, and where the address of another tenant must not appear in this log.
    pub resource: String,
    /// Address of the client, as the proxy or program reported it.
    pub source: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// Stable code: `ok`, or the reason for the refusal.
    pub code: String,
    /// How often.
    pub count: u32,
    /// The first time.
    pub first_at: Timestamp,
    /// The last time.
    pub last_at: Timestamp,
    /// Who.
    pub actor: Actor,
}
