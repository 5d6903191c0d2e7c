//! Entries in forms that other programs read: plain events, CSV for spreadsheets, OCSF for security monitoring.
//!
//! They follow from the entries and prove nothing by themselves; a verifier makes them again and compares.

use serde_json::{Value, json};

use crate::Event;

/// First line of the CSV.
pub const CSV_HEAD: &str = "index,time,type,tenant,request,step,who,side,from,to,event\r\n";
/// Version of OCSF that [`ocsf`] writes.
const OCSF_VERSION: &str = "1.3.0";

/// The event itself, a line.
pub fn jsonl(event: &[u8]) -> Vec<u8> {
    [event, b"\n"].concat()
}

/// A line of the CSV.
pub fn csv(index: u64, event: &Event) -> String {
    let data = event.data();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let cells = [
        index.to_string(),
        event.time.clone(),
        event.kind.clone(),
        text(&event.document["tenant"]),
        event.request.clone().unwrap_or_default(),
        event.version.map(|version| version.to_string()).unwrap_or_default(),
        event.who().unwrap_or_default().to_owned(),
        text(&data["actor"]["side"]),
        text(&data["from"]),
        text(&data["to"]),
        event.id.to_string(),
    ];
    cells.map(|cell| quoted(&cell)).join(",") + "\r\n"
}

/// No spreadsheet takes a cell for a formula, and none breaks a line.
fn quoted(cell: &str) -> String {
    let cell =
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\0']) { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// Whether an event says that something was refused or failed.
pub fn is_refusal(event: &Event) -> bool {
    event.kind.ends_with(".refused") || event.kind.ends_with(".failed") || event.kind == "message.parked"
}

/// A document of the Open Cybersecurity Schema Framework (schema.ocsf.io), category Identity & Access Management.
pub fn ocsf(origin: &str, index: u64, bytes: &[u8], event: &Event) -> Value {
    let data = event.data();
    // Granting and ending access is User Access Management (3005), all else Entity Management (3004).
    let (class, activity) = match event.kind.as_str() {
        "access.granted" => (3005, 1),
        "access.ended" => (3005, 2),
        "request.submitted" => (3004, 1),
        _ => (3004, 3),
    };
    let is_refusal = is_refusal(event);
    json!({
        "activity_id": activity,
        "actor": {"user": {"name": event.who().unwrap_or("unknown"), "uid": data["actor"]["id"]}},
        "category_uid": 3,
        "class_uid": class,
        "entity": {"name": data["resource"], "type": data["service"], "uid": event.request},
        "message": event.kind,
        "metadata": {
            "log_name": origin,
            "product": {"name": "Lockbox", "vendor_name": "Lockbox"},
            "sequence": index,
            "uid": event.id.to_string(),
            "version": OCSF_VERSION,
        },
        "privileges": [data["service"]],
        "raw_data": String::from_utf8_lossy(bytes),
        "severity_id": if is_refusal { 2 } else { 1 },
        "status_id": if is_refusal { 2 } else { 1 },
        "time": event.at.timestamp_millis(),
        "type_uid": class * 100 + activity,
        "user": {"name": data["requester"]},
    })
}
