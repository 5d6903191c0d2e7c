//! The envelope of every message: CloudEvents 1.0 in structured JSON.
//! Source: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use crate::canonical::{EVENT_LIMIT_BYTES, canonical, is_canonical};
use crate::fit;
use crate::kinds::{Channel, Kind};
use crate::malformed::Malformed;
use crate::timestamp::Timestamp;
use crate::trace::Traceparent;
use crate::words::Text;

/// Largest message that is read or written, in bytes: the size that CloudEvents requires every intermediary to forward.
pub const SIZE_LIMIT_BYTES: usize = 64 * 1024;
/// Longest id of the causing message, in characters. Ids that are read have at most 256.
const CAUSE_LIMIT: usize = 512;
/// `source` of every message Lockbox writes.
pub const SOURCE: &str = "/lockbox";

/// A message in transit. Unknown attributes are extensions and are ignored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// Always `1.0`.
    pub specversion: String,
    /// With `source`, the identity of the message.
    pub id: String,
    /// The producer.
    pub source: String,
    /// The message type, such as `lockbox.request.submit.v1`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// `request/<id>` when it is about one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacontenttype: Option<String>,
    /// Name of the tenant it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Position in the request's history, 1…n without gaps; only on events that are steps of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjectversion: Option<i32>,
    /// Id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlationid: Option<String>,
    /// Id of the message that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causationid: Option<String>,
    /// Channel and sign-in method of the person who sent this command: `portal/oidc`, `api/token`, `cli/database`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The payload, in the form that the schema of the type defines.
    pub data: Box<RawValue>,
}

/// What a new message is about. The kind determines the rest of the envelope.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Name of the tenant.
    pub tenant: Option<String>,
    /// The request.
    pub request: Option<Uuid>,
    /// Version of the request after this event.
    pub version: Option<i32>,
    /// Id of the message that caused this one.
    pub cause: Option<String>,
    /// Channel and sign-in method of the person; on commands.
    pub channel: Option<&'static str>,
    /// The trace that this message belongs to.
    pub trace: Option<Traceparent>,
}

/// A message ready to be stored and sent: its id, its kind and its exact bytes.
#[derive(Clone, Debug)]
pub struct Message {
    /// Id, a `UUIDv7`.
    pub id: Uuid,
    /// Kind.
    pub kind: Kind,
    /// The request it is about.
    pub request: Option<Uuid>,
    /// Trace context.
    pub traceparent: Option<String>,
    /// The envelope's JSON.
    pub body: Vec<u8>,
    /// Texts that the body commits to. They are stored in their table in the transaction that stores the message.
    pub texts: Vec<Text>,
}

/// Writes a message in the canonical form of RFC 8785. An event always fits what the audit log accepts, whatever its values.
pub fn message(kind: Kind, at: DateTime<Utc>, about: About, data: &impl Serialize) -> Message {
    message_with(kind, at, about, data, Vec::new())
}

/// Writes a message with commitments to texts.
pub fn message_with(kind: Kind, at: DateTime<Utc>, about: About, data: &impl Serialize, texts: Vec<Text>) -> Message {
    let id = Uuid::now_v7();
    let traceparent = about.trace.map(|trace| trace.to_string());
    // Our own structs contain only strings, numbers and options, so writing them cannot fail.
    let data = serde_json::value::to_raw_value(data).unwrap_or_else(|_| RawValue::NULL.to_owned());
    let envelope = Envelope {
        specversion: "1.0".to_owned(),
        id: id.to_string(),
        source: SOURCE.to_owned(),
        type_name: kind.type_name(),
        subject: about.request.map(|request| format!("request/{request}")),
        time: Some(at.into()),
        datacontenttype: Some("application/json".to_owned()),
        tenant: about.tenant,
        subjectversion: about.version,
        correlationid: about.request.map(|request| request.to_string()),
        causationid: about.cause.map(|cause| fit::brief(&cause, CAUSE_LIMIT)),
        channel: about.channel.map(str::to_owned),
        traceparent: traceparent.clone(),
        data,
    };
    let mut document = serde_json::to_value(&envelope).unwrap_or_default();
    let body = match kind.channel() {
        Channel::Events => {
            fit::make_whole(&mut document);
            fit::event_bytes(document)
        }
        Channel::Requests | Channel::Commands | Channel::Notifications => canonical(&document),
    };
    Message { id, kind, request: about.request, traceparent, body, texts }
}

impl Envelope {
    /// Reads an envelope and its kind.
    ///
    /// # Errors
    /// [`Malformed`] with what is wrong and where.
    pub fn read(body: &[u8]) -> Result<(Self, Kind), Malformed> {
        if body.len() > SIZE_LIMIT_BYTES {
            let detail = format!("the message has {} bytes; at most {SIZE_LIMIT_BYTES} are read", body.len());
            return Err(Malformed::new("schema.too_large", detail));
        }
        let body = crate::reading::unmarked(body).map_err(|fault| Malformed::new("schema.unparseable", fault))?;
        let envelope: Self = serde_json::from_slice(body).map_err(|fault| {
            if fault.is_data() {
                Malformed::new("schema.invalid", format_args!("not a CloudEvents envelope: {fault}"))
            } else {
                Malformed::new("schema.unparseable", format_args!("not JSON: {fault}"))
            }
        })?;
        if envelope.specversion != "1.0" {
            let detail = format!("specversion is {:?}; only \"1.0\" is read", envelope.specversion);
            return Err(Malformed::new("schema.invalid", detail));
        }
        for (attribute, text) in [("id", &envelope.id), ("source", &envelope.source)] {
            if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
                let detail = format!("{attribute} must have 1 to 256 characters and no control characters");
                return Err(Malformed::new("schema.invalid", detail));
            }
        }
        let kind = Kind::parse(&envelope.type_name).ok_or_else(|| {
            let detail = format!("type {:?} is not known; see schemas/asyncapi.yaml", envelope.type_name);
            Malformed::new("schema.unknown_type", detail)
        })?;
        Ok((envelope, kind))
    }

    /// The identity of the message (`source`, `id` and broker login) as a key of fixed length. A redelivery has the same key. The
    /// login is included, so that a client cannot block the message of another one by guessing its id.
    pub fn key(&self, login: Option<&str>) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(login.unwrap_or_default().as_bytes());
        hash.update([0]);
        hash.update(self.source.as_bytes());
        hash.update([0]);
        hash.update(self.id.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        uuid::Builder::from_custom_bytes(first).into_uuid()
    }

    /// The id of a message that Lockbox itself wrote.
    pub fn own_id(&self) -> Option<Uuid> {
        if self.source == SOURCE { Uuid::parse_str(&self.id).ok() } else { None }
    }

    /// The next step of the trace in this message, or a new trace.
    pub fn trace(&self) -> Traceparent {
        Traceparent::follow(self.traceparent.as_deref())
    }

    /// Reads the data as `T`.
    ///
    /// # Errors
    /// [`Malformed`] with the field and the place.
    pub fn data<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Malformed> {
        serde_json::from_str(self.data.get())
            .map_err(|fault| Malformed::new("schema.invalid", format_args!("data of {}: {fault}", self.type_name)))
    }
}

/// The machine's own clock, for clients and for detecting clock differences. It is never used for decisions.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn wall_clock() -> DateTime<Utc> {
    // In microseconds, like the database's clock, so that the two can be compared.
    Timestamp::from(Utc::now()).into()
}
