//! Documents of the Open Cybersecurity Schema Framework 1.3.0 (schema.ocsf.io). docs/audit-format.md §9 defines the
//! fields. Fields without a value are omitted and never null.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::is_refusal;
use crate::Event;

/// OCSF version.
const VERSION: &str = "1.3.0";
/// User Access Management: access starts and ends.
const USER_ACCESS: u64 = 3005;
/// API Activity: an allowed or refused check at the gate, or a refused command.
const API_ACTIVITY: u64 = 6003;
/// Entity Management: all other events.
const ENTITY: u64 = 3004;

/// Members of `data` that have an OCSF field. All others go to `unmapped`.
const MAPPED: [&str; 12] = [
    "actor",
    "allowed",
    "code",
    "count",
    "error",
    "first_at",
    "last_at",
    "message",
    "method",
    "requester",
    "service",
    "source",
];

/// A document that omits members without a value.
#[derive(Default)]
struct Document(Map<String, Value>);

impl Document {
    fn set(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a member when there is a value.
    fn set_optional(&mut self, name: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.set(name, value);
        }
        self
    }
}

/// The document of one entry.
pub fn ocsf(origin: &str, index: u64, bytes: &[u8], event: &Event) -> Value {
    let data = event.data();
    let text = |name: &str| data[name].as_str();
    let (class, activity) = class(event);
    let is_refused = is_refusal(event);
    let mut document = Document::default();
    let mut metadata = Document::default();
    metadata
        .set_optional("correlation_uid", event.request.clone())
        .set("event_code", event.kind.clone())
        .set("log_name", origin)
        .set("product", json!({"name": "Lockbox", "vendor_name": "Lockbox"}))
        .set("sequence", index)
        .set_optional("tenant_uid", event.document["tenant"].as_str())
        .set("uid", event.id.to_string())
        .set("version", VERSION);
    if class / 1000 == 3 {
        // In this category, only the `host` profile has `actor`.
        metadata.set("profiles", json!(["host"]));
    }
    document
        .set("activity_id", activity)
        .set("actor", actor(event))
        .set("category_uid", class / 1000)
        .set("class_uid", class)
        .set("message", event.kind.clone())
        .set("metadata", metadata.0)
        .set("raw_data", String::from_utf8_lossy(bytes))
        .set("severity_id", severity(event, is_refused))
        .set_optional("status_code", text("code"))
        .set_optional("status_detail", text("message").or_else(|| text("error")))
        .set("status_id", if is_refused { 2 } else { 1 })
        .set("time", event.at.timestamp_millis())
        .set("type_uid", class * 100 + activity)
        .set_optional("unmapped", unmapped(data));
    match class {
        USER_ACCESS => user_access(event, &mut document),
        API_ACTIVITY => api_activity(event, activity, &mut document),
        _ => drop(document.set("entity", entity(event))),
    }
    Value::Object(document.0)
}

/// The document that replaces entries that are missing or cannot be read.
pub fn ocsf_gap(origin: &str, first: u64, message: &str, at: DateTime<Utc>, details: &Value) -> Value {
    json!({
        "activity_id": 99,
        "activity_name": "Gap",
        "category_uid": 0,
        "class_uid": 0,
        "message": message,
        "metadata": {
            "event_code": "log.gap",
            "log_name": origin,
            "product": {"name": "Lockbox", "vendor_name": "Lockbox"},
            "sequence": first,
            "version": VERSION,
        },
        "severity_id": 4,
        "status_id": 2,
        "time": at.timestamp_millis(),
        "type_uid": 99,
        "unmapped": details,
    })
}

/// OCSF class and activity of an event.
fn class(event: &Event) -> (u64, u64) {
    match event.kind.as_str() {
        "grant.activated" => (USER_ACCESS, 1),
        "grant.ended" => (USER_ACCESS, 2),
        "grant.used" => (API_ACTIVITY, activity_of(event.data()["method"].as_str().unwrap_or_default())),
        "request.refused" => (API_ACTIVITY, 1),
        "decision.refused" => (API_ACTIVITY, 3),
        "request.submitted" | "token.added" | "notification.sent" => (ENTITY, 1),
        "token.revoked" | "grant.orphan_removed" | "texts.redacted" => (ENTITY, 4),
        "passkey.added" => (ENTITY, 6),
        "passkey.removed" => (ENTITY, 7),
        "grant.provisioned" => (ENTITY, 10),
        "grant.revoked" => (ENTITY, 11),
        _ => (ENTITY, 3),
    }
}

/// OCSF activity of an HTTP method: 1 create, 2 read, 3 update, 4 delete, 99 other.
fn activity_of(method: &str) -> u64 {
    match method {
        "POST" | "PUT" | "COPY" | "MKCOL" => 1,
        "GET" | "HEAD" | "OPTIONS" | "PROPFIND" | "REPORT" | "SEARCH" => 2,
        "PATCH" | "PROPPATCH" | "MOVE" | "LOCK" | "UNLOCK" => 3,
        "DELETE" => 4,
        _ => 99,
    }
}

/// OCSF severity: 1 informational, 2 low for refusals, 3 medium for failures that need attention.
fn severity(event: &Event, is_refused: bool) -> u64 {
    match event.kind.as_str() {
        "message.dead_lettered" | "grant.orphan_removed" => 3,
        kind if kind.ends_with("failed") => 3,
        _ if is_refused => 2,
        _ => 1,
    }
}

fn actor(event: &Event) -> Value {
    let actor = &event.data()["actor"];
    if actor["kind"].as_str() == Some("lockbox") {
        return json!({"app_name": "Lockbox"});
    }
    let mut user = Document::default();
    user.set_optional("full_name", actor["display_name"].as_str())
        .set("name", event.who().unwrap_or("unknown"))
        .set_optional("uid", actor["id"].as_str());
    json!({"user": user.0})
}

/// Members of `data` without an OCSF field.
fn unmapped(data: &Value) -> Option<Value> {
    let rest = data.as_object()?.iter().filter(|(name, value)| !MAPPED.contains(&name.as_str()) && !value.is_null());
    let rest: Map<String, Value> = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
    (!rest.is_empty()).then_some(Value::Object(rest))
}

/// The first of these members that is a string.
fn first(data: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| data[*name].as_str()).map(str::to_owned)
}

fn user_access(event: &Event, document: &mut Document) {
    let data = event.data();
    let mut resource = Document::default();
    resource
        .set_optional("name", first(data, &["resource"]))
        .set_optional("type", first(data, &["service"]))
        .set("uid", event.request.clone().unwrap_or_else(|| event.id.to_string()));
    document
        .set("privileges", json!([first(data, &["service"]).unwrap_or_else(|| "access".to_owned())]))
        .set("resource", resource.0)
        .set("user", json!({"name": first(data, &["requester"]).unwrap_or_else(|| "unknown".to_owned())}));
}

fn api_activity(event: &Event, activity: u64, document: &mut Document) {
    let data = event.data();
    let is_use = event.kind == "grant.used";
    let operation = first(data, &["method", "command"]).unwrap_or_else(|| "unknown".to_owned());
    let service = if is_use { "gate" } else { "commands" };
    if activity == 99 {
        document.set("activity_name", operation.clone());
    }
    let millis = |name: &str| data[name].as_str().and_then(crate::event::parse_time).map(|at| at.timestamp_millis());
    let source = first(data, &["source"]).filter(|source| !source.is_empty());
    let endpoint = match source {
        Some(source) if is_address(&source) => json!({"ip": source}),
        Some(source) => json!({"name": source}),
        None => json!({"svc_name": data["actor"]["auth"]["method"].as_str().unwrap_or("unknown")}),
    };
    document
        .set("api", json!({"operation": operation, "service": {"name": service}}))
        .set_optional("count", data["count"].as_i64())
        .set_optional("end_time", millis("last_at"))
        .set_optional("resources", first(data, &["resource"]).map(|resource| json!([{"name": resource}])))
        .set("src_endpoint", endpoint)
        .set_optional("start_time", millis("first_at"));
}

/// Whether this is an IP address in canonical form. Rejects mixed forms such as `::ffff:192.0.2.1`, which are ambiguous.
fn is_address(text: &str) -> bool {
    let is_mixed = text.contains(':') && text.contains('.');
    !is_mixed && text.parse::<IpAddr>().is_ok_and(|address| address.to_string() == text)
}

/// The managed entity. Its type is the first part of the event type.
fn entity(event: &Event) -> Value {
    let data = event.data();
    let what = event.kind.split('.').next().unwrap_or_default();
    let mut entity = Document::default();
    entity
        .set_optional("name", first(data, &["service_request", "recipient", "log", "person", "note"]))
        .set("type", what)
        .set(
            "uid",
            first(data, &["request", "dead_letter", "notification", "credential", "grant"])
                .unwrap_or_else(|| event.id.to_string()),
        );
    Value::Object(entity.0)
}
