//! What an event says, read tolerantly from its JSON: later versions may say more.

use chrono::{DateTime, Utc};
use domain::replay::Told;
use serde_json::Value;
use uuid::Uuid;

/// An event, as far as evidence needs it.
#[derive(Clone, Debug)]
pub struct Event {
    /// Id.
    pub id: Uuid,
    /// Name without prefix and version, such as `request.submitted`.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// When, as it is written.
    pub time: String,
    /// The request it is about.
    pub request: Option<String>,
    /// Step of the request.
    pub version: Option<i64>,
    /// The whole document.
    pub document: Value,
}

impl Event {
    /// Reads an event; `None` when it lacks what every event has.
    pub fn read(document: Value) -> Option<Self> {
        let text = |name: &str| document[name].as_str();
        let key = text("type")?.strip_prefix("lockbox.")?;
        Some(Self {
            id: text("id")?.parse().ok()?,
            kind: key.rsplit_once('.').map_or(key, |(name, _)| name).to_owned(),
            at: DateTime::parse_from_rfc3339(text("time")?).ok()?.to_utc(),
            time: text("time")?.to_owned(),
            request: text("correlationid").map(str::to_owned),
            version: document["subjectversion"].as_i64(),
            document,
        })
    }

    /// Its data.
    pub fn data(&self) -> &Value {
        &self.document["data"]
    }

    /// Who did it, for people.
    pub fn who(&self) -> Option<&str> {
        let actor = &self.data()["actor"];
        actor["name"].as_str().or_else(|| actor["kind"].as_str())
    }

    /// The step of a request that it tells, if it tells one.
    pub fn told(&self) -> Option<Told> {
        self.version?;
        let data = self.data();
        let text = |name: &str| data[name].as_str().map(str::to_owned);
        let time = |name: &str| DateTime::parse_from_rfc3339(data[name].as_str()?).ok().map(|at| at.to_utc());
        let is_person = data["actor"]["kind"] == "person";
        Some(Told {
            kind: self.kind.clone(),
            at: self.at,
            from: text("from"),
            to: text("to").unwrap_or_default(),
            digest: text("digest").unwrap_or_default(),
            person: if is_person { data["actor"]["id"].as_str().and_then(|id| id.parse().ok()) } else { None },
            side: data["actor"]["side"].as_str().map(str::to_owned),
            review_by: time("review_by"),
            decide_by: time("decide_by"),
            starts_at: time("starts_at"),
            access_from: time("access_from"),
            access_until: time("access_until"),
            deadline: time("deadline"),
            duration_seconds: data["duration_seconds"].as_i64(),
            required_approvals: data["required_approvals"].as_i64(),
            approvals: data["approvals"].as_i64(),
            cause: text("cause"),
            stage: text("stage"),
        })
    }
}
