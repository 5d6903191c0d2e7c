//! Parses events leniently from JSON: events of later versions may have more members.

use chrono::{DateTime, Utc};
use domain::replay::RecordedStep;
use serde_json::Value;
use uuid::Uuid;

/// The members of an event that verification needs.
#[derive(Clone, Debug)]
pub struct Event {
    /// Id of the event.
    pub id: Uuid,
    /// Type without prefix and version, such as `request.submitted`.
    pub kind: String,
    /// Time of the event.
    pub at: DateTime<Utc>,
    /// Time of the event as written in the document.
    pub time: String,
    /// Id of the request (`correlationid`).
    pub request: Option<String>,
    /// Version of the request after this step (`subjectversion`).
    pub version: Option<i64>,
    /// The complete document.
    pub document: Value,
}

impl Event {
    /// Reads an event. Returns `None` when its type, id or time is missing or invalid.
    pub fn read(document: Value) -> Option<Self> {
        let text = |name: &str| document[name].as_str();
        let key = text("type")?.strip_prefix("lockbox.")?;
        Some(Self {
            id: text("id").and_then(uuid)?,
            kind: key.rsplit_once('.').map_or(key, |(name, _)| name).to_owned(),
            at: text("time").and_then(parse_time)?,
            time: text("time")?.to_owned(),
            request: text("correlationid").map(str::to_owned),
            version: document["subjectversion"].as_i64(),
            document,
        })
    }

    /// The `data` member.
    pub fn data(&self) -> &Value {
        &self.document["data"]
    }

    /// Name of the actor, or the kind of actor when there is no name.
    pub fn who(&self) -> Option<&str> {
        let actor = &self.data()["actor"];
        actor["name"].as_str().or_else(|| actor["kind"].as_str())
    }

    /// Id of the actor, when it is a person.
    pub fn person(&self) -> Option<Uuid> {
        let actor = &self.data()["actor"];
        if actor["kind"] == "person" { actor["id"].as_str().and_then(uuid) } else { None }
    }

    /// The lifecycle step of this event. `None` when the event has no version.
    pub fn recorded_step(&self) -> Option<RecordedStep> {
        self.version?;
        let data = self.data();
        let text = |name: &str| data[name].as_str().map(str::to_owned);
        let time = |name: &str| data[name].as_str().and_then(parse_time);
        Some(RecordedStep {
            kind: self.kind.clone(),
            at: self.at,
            from: text("from"),
            to: text("to").unwrap_or_default(),
            digest: text("digest").unwrap_or_default(),
            person: self.person(),
            side: data["actor"]["side"].as_str().map(str::to_owned),
            review_deadline: time("review_deadline"),
            decision_deadline: time("decision_deadline"),
            start_time: time("start_time"),
            access_from: time("access_from"),
            access_until: time("access_until"),
            deadline: time("deadline"),
            duration_seconds: data["duration_seconds"].as_i64(),
            required_approvals: data["required_approvals"].as_i64(),
            approvals: data["approvals"].as_i64(),
            cause: text("cause"),
            stage: text("stage"),
            break_glass: text("break_glass").zip(text("break_glass_digest")),
        })
    }
}

/// Parses a UUID in the form that events use: lower case, with hyphens.
fn uuid(text: &str) -> Option<Uuid> {
    text.parse().ok().filter(|id: &Uuid| id.to_string() == text)
}

/// Parses a time in the form that events use: UTC with `Z`, at most six fractional digits, no leap second.
pub(crate) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    let fraction = text.strip_suffix('Z')?.get(19..)?;
    let is_plain = bytes[10] == b'T'
        && &bytes[17..19] < b"60".as_slice()
        && &bytes[..4] > b"0000".as_slice()
        && (fraction.is_empty() || (2..=7).contains(&fraction.len()));
    if is_plain { DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::{parse_time, uuid};

    #[test]
    fn a_time_or_an_id_is_accepted_in_one_form_only() {
        assert_eq!(parse_time("2026-11-24T12:00:00.000001Z").unwrap().timestamp_subsec_micros(), 1);
        assert!(parse_time("2026-11-24T12:00:00Z").is_some());
        for other in [
            "",
            "2026-11-24T12:00:00+00:00",
            "2026-11-24T12:00:00.0000001Z",
            "2026-11-24T12:00:00.Z",
            "2026-11-24 12:00:00Z",
            "2026-12-31T23:59:60Z",
            "2026-11-24T12:00:00z",
            "0000-01-01T00:00:00Z",
            "2026-11-24T12:00:0äZ",
        ] {
            assert_eq!(parse_time(other), None, "{other}");
        }
        assert!(uuid("01a20c86-c964-73a2-8a62-99c595af84c4").is_some());
        assert!(uuid("01A20C86-c964-73a2-8a62-99c595af84c4").is_none());
    }
}
