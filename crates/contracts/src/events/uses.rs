//! Getting in at the gate.

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
    /// The engineer.
    pub actor: Actor,
}

/// Data of `grant.used`: equal uses within about a second are one event with their count.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GrantUsed {
    /// The request of the access token that was shown; absent when there was none that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_request: Option<String>,
    /// HTTP method, or what a program named.
    pub method: String,
    /// What was asked for; empty where another tenant's address does not belong into this log, and for counts.
    pub resource: String,
    /// Address of the client, as the proxy or program told it.
    pub source: String,
    /// Whether it was let through.
    pub allowed: bool,
    /// Stable code: `ok`, or why not.
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
