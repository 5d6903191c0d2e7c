//! Views of the entries for other programs: JSON lines, CSV for spreadsheets, OCSF for security monitoring.
//!
//! Views are derived from the entries and are not evidence. A verifier computes them again and compares.

use serde_json::Value;

use crate::Event;

mod ocsf;

pub use ocsf::{ocsf, ocsf_gap};

/// Header line of the CSV view.
pub const CSV_HEAD: &str = "index,time,type,tenant,request,step,who,side,from,to,event\r\n";

/// The event on one line.
pub fn jsonl(event: &[u8]) -> Vec<u8> {
    [event, b"\n"].concat()
}

/// One line of the CSV view.
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

/// Escapes a cell, so that no spreadsheet treats it as a formula or splits it.
fn quoted(cell: &str) -> String {
    let cell =
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\0']) { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// Whether an event reports a refusal or a failure.
pub fn is_refusal(event: &Event) -> bool {
    event.kind.ends_with(".refused")
        || event.kind.ends_with("failed")
        || event.kind == "message.dead_lettered"
        || (event.kind == "grant.used" && event.data()["allowed"].as_bool() == Some(false))
}
