//! Events of the audit log about itself.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Actor;

/// Data of `log.heartbeat`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogHeartbeat {
    /// Origin of the log.
    pub log: String,
    /// Number of entries at that time.
    pub size: i64,
    /// Lockbox.
    pub actor: Actor,
}

/// Data of `log.key_changed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogKeyChanged {
    /// Origin of the log.
    pub log: String,
    /// The key that now signs, with its name.
    pub key: String,
    /// The key that signed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Lockbox, or the operator who changed it.
    pub actor: Actor,
}

/// Data of `texts.redacted`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TextsRedacted {
    /// The request whose texts were redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Short name of the person whose texts were redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// How many texts.
    pub texts: i64,
    /// The operator.
    pub actor: Actor,
}
