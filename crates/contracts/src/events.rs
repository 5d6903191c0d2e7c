//! Events: facts with many readers.

use chrono::{DateTime, Utc};
use domain::{EventKind, Person, Refusal, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::envelope::{About, EVENT_LIMIT_BYTES, Message, message, message_with};
use crate::kinds::Kind;
use crate::malformed::Malformed;
use crate::trace::Traceparent;
use crate::words::{Committed, commit};

mod doors;

pub use doors::{DoorStep, OrphanRemoved, Receipt, door, orphan_removed};

/// Who caused an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Actor {
    /// `person`, `producer` (a broker login) or `lockbox`.
    pub kind: String,
    /// Internal id of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Short name of the person, or the broker login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name for people, as it was at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// `vendor` or `customer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<String>,
    /// How it is known that it was they.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
}

/// How a person is known to have done something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Auth {
    /// `portal`, `api`, `cli`: signed in there. `broker`: named in a message of a ticketing system.
    pub method: String,
    /// How they signed in there: `oidc` (an identity provider), `token`, `developer` (by choosing a name), `database` (whoever
    /// holds the database's login may name anybody).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<String>,
    /// Broker login that sent the message, checked by the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Whether a passkey signed.
    #[serde(default)]
    pub passkey: bool,
}

impl Actor {
    /// Lockbox itself.
    pub fn lockbox() -> Self {
        Self { kind: "lockbox".to_owned(), id: None, name: None, display_name: None, side: None, auth: None }
    }

    /// A person, named.
    pub fn person(person: &Person) -> Self {
        Self {
            kind: "person".to_owned(),
            id: Some(person.id.0),
            name: Some(person.name.clone()),
            display_name: Some(person.display_name.clone()),
            side: Some(person.side.as_str().to_owned()),
            auth: None,
        }
    }

    /// A person of whom only the name in a message is known.
    pub fn claimed(name: &str) -> Self {
        Self { kind: "claimed".to_owned(), name: Some(name.to_owned()), ..Self::lockbox() }
    }

    /// The same, with how it is known.
    #[must_use]
    pub fn known_by(self, auth: Option<Auth>) -> Self {
        Self { auth, ..self }
    }

    /// A broker login.
    pub fn producer(login: Option<&str>) -> Self {
        Self { kind: "producer".to_owned(), name: login.map(str::to_owned), ..Self::lockbox() }
    }
}

/// Data of every event that moves a request. Which of the optional fields are there follows from the type; the
/// schemas in `schemas/events/` say it one by one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// The request.
    pub request: Uuid,
    /// Number in the ticketing system.
    pub service_request: String,
    /// Service.
    pub service: String,
    /// Short name of the engineer.
    pub requester: String,
    /// State before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// State after.
    pub to: String,
    /// Digest of the content that everything here is about.
    pub digest: String,
    /// Who caused it.
    pub actor: Actor,
    /// The actor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Committed>,
    /// What is particular to the type.
    #[serde(flatten)]
    pub particulars: Particulars,
}

/// What is particular to one type of event.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Particulars {
    /// `request.submitted`: what is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// `request.submitted`: typed reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// `request.submitted`: reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Committed>,
    /// `request.submitted`: urgency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// `request.submitted`: seconds asked for; `request.customer_approved`: seconds allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// `request.submitted`: earliest start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
    /// `request.submitted`: the request whose access is to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<Uuid>,
    /// Every step of an emergency: name of the standing consent that it stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<String>,
    /// The digest of that rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency_digest: Option<String>,
    /// `request.submitted`: the manager must answer before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_by: Option<DateTime<Utc>>,
    /// `request.manager_approved`, `request.reminded`: the customer must answer before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_by: Option<DateTime<Utc>>,
    /// `request.customer_approved`: yeses so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<i32>,
    /// `request.submitted`, `request.customer_approved`: yeses needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_approvals: Option<i32>,
    /// `access.granted`: access opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<DateTime<Utc>>,
    /// `access.granted`, `access.ended`: the end that was fixed when access was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_until: Option<DateTime<Utc>>,
    /// `access.ended`, `request.withdrawn`: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Decisions: the passkey that signed, with all it takes to verify it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<Value>,
    /// `request.expired`: whose answer was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// `request.expired`: the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<Utc>>,
}

fn particulars(kind: &EventKind, request: &Request) -> (Kind, Particulars) {
    let content = &request.content;
    let none = Particulars {
        emergency: content.emergency.as_ref().map(|emergency| emergency.name.clone()),
        emergency_digest: content.emergency.as_ref().map(|emergency| emergency.digest.to_string()),
        ..Particulars::default()
    };
    let required_approvals = Some(content.rules.required_approvals);
    match kind {
        EventKind::Submitted { review_by } => (
            Kind::RequestSubmitted,
            Particulars {
                resource: Some(content.resource.clone()),
                reason_code: Some(content.reason_code.as_str().to_owned()),
                severity: Some(content.severity.as_str().to_owned()),
                duration_seconds: Some(content.duration_seconds),
                starts_at: content.starts_at,
                extends: content.extends.map(|request| request.0),
                review_by: Some(*review_by),
                required_approvals,
                ..none
            },
        ),
        EventKind::ManagerApproved { decide_by } => {
            (Kind::RequestManagerApproved, Particulars { decide_by: Some(*decide_by), ..none })
        }
        EventKind::ManagerRejected => (Kind::RequestManagerRejected, none),
        EventKind::CustomerApproved { approvals, duration_seconds } => (
            Kind::RequestCustomerApproved,
            Particulars {
                approvals: Some(*approvals),
                required_approvals,
                duration_seconds: Some(*duration_seconds),
                ..none
            },
        ),
        EventKind::CustomerRejected => (Kind::RequestCustomerRejected, none),
        EventKind::AccessGranted { access_from, access_until } => (
            Kind::AccessGranted,
            Particulars { access_from: Some(*access_from), access_until: Some(*access_until), ..none },
        ),
        EventKind::AccessEnded { cause, access_until } => (
            Kind::AccessEnded,
            Particulars { cause: Some(cause.as_str().to_owned()), access_until: Some(*access_until), ..none },
        ),
        EventKind::Expired { stage, deadline } => (
            Kind::RequestExpired,
            Particulars { stage: Some(stage.as_str().to_owned()), deadline: Some(*deadline), ..none },
        ),
        EventKind::Reminded { decide_by } => {
            (Kind::RequestReminded, Particulars { decide_by: Some(*decide_by), ..none })
        }
        EventKind::EmergencySupported => (Kind::RequestEmergencySupported, none),
        EventKind::EmergencyApproved => (Kind::RequestEmergencyApproved, none),
        EventKind::Commented => (Kind::RequestCommented, none),
        EventKind::ReportAccepted => (Kind::ReportAccepted, none),
        EventKind::ReportDisputed => (Kind::ReportDisputed, none),
        EventKind::Withdrawn { cause } => {
            (Kind::RequestWithdrawn, Particulars { cause: Some(cause.as_str().to_owned()), ..none })
        }
    }
}

/// Writes the event of one step; `version` is the request's version after it, `auth` how its actor is known.
pub fn step(
    request: &Request,
    event: &domain::Event,
    version: i32,
    cause: Option<String>,
    auth: Option<Auth>,
    trace: Traceparent,
) -> Message {
    let content = &request.content;
    let (kind, mut particulars) = particulars(&event.kind, request);
    particulars.passkey = event.proof.as_ref().and_then(|proof| serde_json::from_str(&proof.evidence).ok());
    let mut texts = Vec::new();
    let mut apart = |field, text: &str| {
        let (committed, text) = commit(field, text);
        texts.push(text);
        committed
    };
    if matches!(event.kind, EventKind::Submitted { .. }) {
        particulars.reason = Some(apart("reason", &content.reason));
    }
    let comment = event.comment.as_deref().map(|comment| apart("comment", comment));
    let auth = auth.map(|auth| Auth { passkey: event.proof.is_some(), ..auth });
    let data = Step {
        request: content.request.0,
        service_request: content.service_request.clone(),
        service: content.service.clone(),
        requester: content.requester_name.clone(),
        from: event.from.map(str::to_owned),
        to: event.to.to_owned(),
        digest: request.digest.to_string(),
        actor: event.actor.as_ref().map_or_else(Actor::lockbox, |person| Actor::person(person).known_by(auth)),
        comment,
        particulars,
    };
    let about = About {
        tenant: Some(content.tenant_name.clone()),
        request: Some(content.request.0),
        version: Some(version),
        cause,
        channel: None,
        trace: Some(trace),
    };
    message_with(kind, event.at, about, &data, texts)
}

/// Data of `request.refused` and `decision.refused`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refused {
    /// Type of the refused command.
    pub command: String,
    /// Id of the refused command, as its sender gave it.
    pub command_id: String,
    /// The request it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_request: Option<String>,
    /// Stable code.
    pub code: String,
    /// For people: what is wrong, and what to do.
    pub message: String,
    /// Field by field, when the submission was invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FieldFault>,
    /// Who tried.
    pub actor: Actor,
}

/// One thing wrong with one field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FieldFault {
    /// The field.
    pub field: String,
    /// What is wrong.
    pub problem: String,
}

/// What a refusal is about.
#[derive(Clone, Debug)]
pub struct RefusedCommand<'a> {
    /// Kind of the command.
    pub kind: Kind,
    /// Id of the command.
    pub id: &'a str,
    /// Tenant's name, only when the request or the tenant is known to be real.
    pub tenant: Option<String>,
    /// The request.
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    pub service_request: Option<String>,
    /// Who tried.
    pub actor: Actor,
    /// Trace.
    pub trace: Traceparent,
}

/// Writes the event of a refusal.
pub fn refused(command: RefusedCommand<'_>, refusal: &Refusal, at: DateTime<Utc>) -> Message {
    let faults = match refusal {
        Refusal::Invalid(faults) => faults
            .iter()
            .map(|fault| FieldFault { field: fault.field.to_owned(), problem: fault.problem.clone() })
            .collect(),
        _ => Vec::new(),
    };
    let data = Refused {
        command: command.kind.type_name(),
        command_id: command.id.to_owned(),
        request: command.request,
        service_request: command.service_request,
        code: refusal.code().to_owned(),
        message: refusal.to_string(),
        faults,
        actor: command.actor,
    };
    let kind = match command.kind {
        Kind::RequestSubmit => Kind::RequestRefused,
        _ => Kind::DecisionRefused,
    };
    let about = About {
        tenant: command.tenant,
        request: command.request,
        version: None,
        cause: Some(command.id.to_owned()),
        channel: None,
        trace: Some(command.trace),
    };
    message(kind, at, about, &data)
}

/// Data of `message.parked`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parked {
    /// Id under which `lockbox parked show` has it.
    pub parked: Uuid,
    /// Stable code.
    pub code: String,
    /// What is wrong and where.
    pub message: String,
    /// The queue it was taken from.
    pub queue: String,
    /// `message_id` property as its sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Size of the body in bytes.
    pub size_bytes: usize,
    /// Who sent it.
    pub actor: Actor,
}

/// Writes the event of a parked message.
pub fn parked(parked: &Parked, at: DateTime<Utc>) -> Message {
    let about = About { cause: parked.message_id.clone(), ..About::default() };
    message(Kind::MessageParked, at, about, parked)
}

/// Data of `message.resolved`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resolved {
    /// The parked message.
    pub parked: Uuid,
    /// `replayed` or `discarded`.
    pub resolution: String,
    /// The operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Committed>,
    /// The operator.
    pub actor: Actor,
}

/// Writes the event of a parked message that somebody dealt with.
pub fn resolved(parked: Uuid, resolution: &str, note: Option<&str>, actor: Actor, at: DateTime<Utc>) -> Message {
    let (note, text) = note.map(|note| commit("note", note)).unzip();
    let data = Resolved { parked, resolution: resolution.to_owned(), note, actor };
    message_with(Kind::MessageResolved, at, About::default(), &data, Vec::from_iter(text))
}

/// Data of `notice.sent` and `notice.failed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NoticeResult {
    /// The request it was about, if it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_request: Option<String>,
    /// Id of the notice.
    pub notice: Uuid,
    /// What the mail says, such as `decision_needed`.
    pub template: String,
    /// Address it went to.
    pub recipient: String,
    /// `Message-ID` of the mail.
    pub mail_message_id: String,
    /// How many tries it took.
    pub attempts: i32,
    /// Why it was given up on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Lockbox.
    pub actor: Actor,
}

/// Data of `passkey.added` and `passkey.removed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasskeyChanged {
    /// Id of the passkey.
    pub credential: String,
    /// What its owner calls it.
    pub note: String,
    /// Its owner.
    pub actor: Actor,
}

/// Data of `token.added` and `token.revoked`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenChanged {
    /// What it is for, whose, and what it may be used for; its id when revoked.
    pub note: String,
    /// Who did it.
    pub actor: Actor,
}

/// Data of `access.handle_issued`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandleIssued {
    /// The request.
    pub request: Uuid,
    /// Number in the ticketing system.
    pub service_request: String,
    /// The engineer.
    pub actor: Actor,
}

/// Data of `access.used`: equal uses within about a second are one event with their count.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessUsed {
    /// The request whose grant was used or tried; absent when none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_request: Option<String>,
    /// HTTP method, or what a program named.
    pub method: String,
    /// What was asked for.
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
    pub first_at: DateTime<Utc>,
    /// The last time.
    pub last_at: DateTime<Utc>,
    /// How many open grants of this person cover it, when more than one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<u32>,
    /// Who.
    pub actor: Actor,
}

/// Data of `directory.changed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DirectoryChanged {
    /// What changed, a sentence each.
    pub changes: Vec<String>,
    /// A standing consent was given or taken back.
    #[serde(flatten)]
    pub consent: ConsentChanged,
    /// Who applied it.
    pub actor: Actor,
}

/// What became of a standing consent, for verifiers: emergencies name its digest in every step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConsentChanged {
    /// It was given: the document, whose bytes in RFC 8785 form have the digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Value>,
    /// It was taken back: its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_ended: Option<String>,
}

/// Writes events of changes, as many as it takes to keep each within what an event may hold.
pub fn directory_changed(
    changes: &[String],
    consent: &ConsentChanged,
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
        let data = DirectoryChanged { changes, consent: consent.clone(), actor: actor.clone() };
        message(Kind::DirectoryChanged, at, about(), &data)
    };
    parts.into_iter().map(event).collect()
}

/// Data of `log.heartbeat`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogHeartbeat {
    /// Origin of the log.
    pub log: String,
    /// Entries it had.
    pub size: i64,
    /// Lockbox.
    pub actor: Actor,
}

/// Data of `log.key_changed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogKeyChanged {
    /// Origin of the log.
    pub log: String,
    /// The key that signs from now on, with its name.
    pub key: String,
    /// The key that signed so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Lockbox, or the operator who changed it.
    pub actor: Actor,
}

/// Data of `texts.erased`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TextsErased {
    /// The request whose texts were erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Short name of the person whose texts were erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// How many texts.
    pub texts: i64,
    /// The operator.
    pub actor: Actor,
}

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
    /// Whether its bytes are in the form of RFC 8785.
    pub canonical: bool,
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
    let at = envelope.time.ok_or_else(|| Malformed::new("schema.invalid", "an event must have a time"))?;
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
        service_request: data.service_request,
        cause: envelope.causationid,
        person: actor.filter(|actor| actor.kind == "person").and_then(|actor| actor.name),
        text: if text.is_empty() { None } else { Some(text.join(" ")) },
        canonical: crate::envelope::is_canonical(body),
    })
}
