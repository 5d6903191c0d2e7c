//! Changes of tenants, people and rules.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Actor;
use crate::envelope::{About, EVENT_LIMIT_BYTES, Message, message};
use crate::kinds::Kind;

/// Data of `directory.changed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DirectoryChanged {
    /// What changed, one sentence each.
    pub changes: Vec<String>,
    /// A break-glass policy was created or ended.
    #[serde(flatten)]
    pub policy: PolicyChanged,
    /// Who applied the change.
    pub actor: Actor,
}

/// A change of a break-glass policy, for verifiers: every step of break-glass access names the policy's digest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PolicyChanged {
    /// The created policy. The digest covers the bytes of this document in RFC 8785 form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass_policy: Option<Value>,
    /// Digest of the ended policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass_policy_ended: Option<String>,
}

/// Writes the events of changes, as many as are needed to keep each within the size limit.
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
        // Escaping may double a text. A single change that is too large for an event is cut.
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
