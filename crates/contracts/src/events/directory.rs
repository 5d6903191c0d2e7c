//! WriteSet of tenants, people and rules.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Actor;
use crate::envelope::{About, EVENT_LIMIT_BYTES, Message, message};
use crate::kinds::Kind;

/// Data of `directory.changed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DirectoryChanged {
    /// What changed, a sentence each.
    pub changes: Vec<String>,
    /// A standing consent was given or taken back.
    #[serde(flatten)]
    pub policy: PolicyChanged,
    /// Who applied it.
    pub actor: Actor,
}

/// What became of a standing consent, for verifiers: emergencies name its digest in every step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PolicyChanged {
    /// It was given: the document, whose bytes in RFC 8785 form have the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass_policy: Option<Value>,
    /// It was taken back: its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass_policy_ended: Option<String>,
}

/// Writes events of changes, as many as it takes to keep each within what an event may hold.
pub fn directory_changed(
    changes: &[String],
    policy: &PolicyChanged,
    actor: &Actor,
    tenant: Option<&str>,
    at: DateTime<Utc>,
) -> Vec<Message> {
    let mut parts: Vec<Vec<String>> = Vec::new();
    let mut room = 0;
    for change in changes {
        // Escapes may double a text, and one change alone is cut where it would fill an event.
        let change: String = change.chars().take(8000).collect();
        if parts.is_empty() || room < change.len() * 2 + 3 {
            parts.push(Vec::new());
            room = EVENT_LIMIT_BYTES - 2000;
        }
        room = room.saturating_sub(change.len() * 2 + 3);
        parts.last_mut().into_iter().for_each(|part| part.push(change.clone()));
    }
    let about = || About { tenant: tenant.map(str::to_owned), ..About::default() };
    let event = |changes| {
        let data = DirectoryChanged { changes, policy: policy.clone(), actor: actor.clone() };
        message(Kind::DirectoryChanged, at, about(), &data)
    };
    parts.into_iter().map(event).collect()
}
