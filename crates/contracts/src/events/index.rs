//! What the audit log indexes events by.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::Actor;
use crate::malformed::Malformed;

/// What the audit log indexes an event by, read from any event whatever its type.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// Id.
    pub id: Uuid,
    /// Type without prefix and version, such as `request.submitted`.
    pub type_name: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Tenant's name.
    pub tenant: Option<String>,
    /// The request.
    pub request: Option<Uuid>,
    /// Version of the request.
    pub version: Option<i32>,
    /// Number in the ticketing system.
    pub service_request: Option<String>,
    /// The named person, never a service account.
    pub person: Option<String>,
    /// Id of the message this event followed from.
    pub cause: Option<String>,
    /// Words in it, to be searched; what people wrote is beside the event and not among them.
    pub text: Option<String>,
}

#[derive(Deserialize)]
struct Tolerant {
    #[serde(default)]
    service_request: Option<String>,
    #[serde(default)]
    actor: Option<Actor>,
    #[serde(default)]
    comment: Value,
    #[serde(default)]
    reason: Value,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    recipient: Option<String>,
    #[serde(default)]
    note: Value,
}

/// Reads what the audit log indexes.
///
/// # Errors
/// [`Malformed`] when it is no event of ours.
pub fn index(body: &[u8]) -> Result<Indexed, Malformed> {
    let (envelope, kind) = crate::Envelope::read(body)?;
    let id = envelope
        .own_id()
        .ok_or_else(|| Malformed::new("schema.invalid", "an event must have a UUID as id and come from /lockbox"))?;
    let at = envelope.time.ok_or_else(|| Malformed::new("schema.invalid", "an event must have a time"))?.into();
    let data: Tolerant = envelope.data()?;
    // A commitment is no text; only labels and words of older events are.
    let words =
        [data.reason, data.comment, data.note].into_iter().filter_map(|words| words.as_str().map(str::to_owned));
    let text: Vec<String> = words.chain([data.resource, data.message, data.recipient].into_iter().flatten()).collect();
    let actor = data.actor;
    let type_name = kind.key().rsplit_once('.').map_or(kind.key(), |(name, _)| name).to_owned();
    Ok(Indexed {
        id,
        type_name,
        at,
        tenant: envelope.tenant,
        request: envelope.correlationid.as_deref().and_then(|id| id.parse().ok()),
        version: envelope.subjectversion,
        service_request: data.service_request.map(searchable),
        cause: envelope.causationid.map(searchable),
        person: actor.filter(|actor| actor.kind == "person").and_then(|actor| actor.name).map(searchable),
        text: if text.is_empty() { None } else { Some(searchable(text.join(" "))) },
    })
}

/// Postgres keeps no zero character; an event that holds one is found by everything else in it.
fn searchable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}
