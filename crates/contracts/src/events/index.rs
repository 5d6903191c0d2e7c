//! The columns by which the audit log indexes events.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::Actor;
use crate::malformed::Malformed;

/// The columns by which the audit log indexes an event. They are read from any event, whatever its type.
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
    /// Name of the person; never of a service account.
    pub person: Option<String>,
    /// Id of the message that caused this event.
    pub cause: Option<String>,
    /// Searchable words of the event. Texts that people wrote are stored beside the event and are not included.
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

/// Reads the indexed columns of an event.
///
/// # Errors
/// [`Malformed`] when it is not one of our events.
pub fn index(body: &[u8]) -> Result<Indexed, Malformed> {
    let (envelope, kind) = crate::Envelope::read(body)?;
    let id = envelope
        .own_id()
        .ok_or_else(|| Malformed::new("schema.invalid", "an event must have a UUID as id and come from /lockbox"))?;
    let at = envelope.time.ok_or_else(|| Malformed::new("schema.invalid", "an event must have a time"))?.into();
    let data: Tolerant = envelope.data()?;
    // A commitment is not a text; labels, and words of older events, are.
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

/// Postgres cannot store the zero character, so it is replaced.
fn searchable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}
