//! Events of a grant's door. They are no steps of the request: they carry no version and may come before or after those.

use chrono::{DateTime, Utc};
use domain::Content;
use domain::door::{Door, DoorEvent, DoorState};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Actor;
use crate::envelope::{About, Message, message};
use crate::kinds::Kind;
use crate::timestamp::Timestamp;

/// Data of `access.opened`, `access.closed` and `access.failed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DoorStep {
    /// The request, which is the grant.
    pub request: Uuid,
    /// Number in the ticketing system.
    pub service_request: String,
    /// Service.
    pub service: String,
    /// Exactly what access covers.
    pub resource: String,
    /// `read_only` or `read_write`.
    pub mode: String,
    /// Short name of the engineer.
    pub requester: String,
    /// Which connector was told; `gate` when the gate alone is the door.
    pub connector: String,
    /// Where the door stands: `opening`, `open`, `closing`, `closed`.
    pub state: String,
    /// Tries in this state that came to nothing.
    pub failures: i32,
    /// Access is over at this moment.
    pub access_until: Timestamp,
    /// `access.failed`: since when tries come to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// `access.failed`: what the target said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `access.failed`: whether the end is unconfirmed for more than a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<bool>,
    /// `access.opened`: what the engineer can do at the target beyond the request, through rights that the target gives to
    /// everybody; a phrase each that follows "the engineer can".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_rights: Vec<String>,
    /// `access.closed`: how access ended, moment by moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// Lockbox.
    pub actor: Actor,
}

/// The receipt of an end. All times are the database's clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// The door was ordered closed.
    pub ordered_at: Timestamp,
    /// From this moment the gate refuses.
    pub refused_from: Timestamp,
    /// Running sessions were cut.
    pub cut_at: Timestamp,
    /// How many there were.
    pub sessions_cut: i64,
    /// The target was read back as closed.
    pub closed_at: Timestamp,
}

impl Receipt {
    /// The receipt of a door that is closed for certain.
    pub fn of(door: &Door) -> Option<Self> {
        let closed_at = door.closed_at.filter(|_| door.state == DoorState::Closed)?;
        let ordered_at = door.ordered_at?;
        Some(Self {
            ordered_at: ordered_at.into(),
            refused_from: door.refused_from.unwrap_or(ordered_at).into(),
            cut_at: door.cut_at.unwrap_or(closed_at).into(),
            sessions_cut: door.sessions_cut,
            closed_at: closed_at.into(),
        })
    }
}

/// Writes the event of a door's step; `door` is where it stands after it.
pub fn door(content: &Content, connector: &str, door: &Door, event: &DoorEvent, at: DateTime<Utc>) -> Message {
    let (kind, error, alarm) = match event {
        DoorEvent::Opened { .. } => (Kind::AccessOpened, None, None),
        DoorEvent::Closed => (Kind::AccessClosed, None, None),
        DoorEvent::Failed { problem, alarm } => (Kind::AccessFailed, Some(problem.clone()), Some(*alarm)),
    };
    let extra_rights = match event {
        DoorEvent::Opened { extra_rights } => extra_rights.clone(),
        DoorEvent::Closed | DoorEvent::Failed { .. } => Vec::new(),
    };
    let request = content.request.0;
    let data = DoorStep {
        request,
        service_request: content.service_request.clone(),
        service: content.service.clone(),
        resource: content.resource.clone(),
        mode: content.mode.as_str().to_owned(),
        requester: content.requester_name.clone(),
        connector: connector.to_owned(),
        state: door.state.as_str().to_owned(),
        failures: door.failures,
        access_until: door.until.into(),
        failing_since: door.first_failed_at.filter(|_| kind == Kind::AccessFailed).map(Timestamp::from),
        error,
        alarm,
        receipt: Receipt::of(door),
        extra_rights,
        actor: Actor::lockbox(),
    };
    let about = About { tenant: Some(content.tenant_name.clone()), request: Some(request), ..About::default() };
    message(kind, at, about, &data)
}

/// Data of `access.orphan_removed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrphanRemoved {
    /// The grant whose mark it carried; no request of this database may be known under it.
    pub grant: Uuid,
    /// The request, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Which connector found it.
    pub connector: String,
    /// Sessions that were cut with it.
    pub sessions_cut: i64,
    /// What was found and what was done.
    pub note: String,
    /// Lockbox.
    pub actor: Actor,
}

/// Writes the event of something open that should not have been.
pub fn orphan_removed(found: &OrphanRemoved, tenant: Option<String>, at: DateTime<Utc>) -> Message {
    let about = About { tenant, request: found.request, ..About::default() };
    message(Kind::AccessOrphanRemoved, at, about, found)
}
