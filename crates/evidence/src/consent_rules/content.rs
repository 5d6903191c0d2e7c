//! Rule 8: the content of a request and its submission agree, and the digest is that of the content.

use serde_json::{Value, json};
use tlog::Hash;

use crate::Event;
use crate::event::parse_time;

/// What later rules need of the content of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub service: Value,
    pub resource: Value,
    pub access_level: Value,
    pub duration_seconds: Value,
    pub decision_deadline_seconds: Option<i64>,
    pub access_ceiling_seconds: Option<i64>,
    pub required_approvals: Option<i64>,
    pub comment_required: Option<bool>,
}

impl Content {
    /// Reads the content of a `request.submitted` event.
    pub fn read(event: &Event) -> Option<Self> {
        let content = event.data().get("content").filter(|content| content.is_object())?;
        let rules = &content["rules"];
        Some(Self {
            service: content["service"].clone(),
            resource: content["resource"].clone(),
            access_level: content["access_level"].clone(),
            duration_seconds: content["duration_seconds"].clone(),
            decision_deadline_seconds: rules["decision_deadline_seconds"].as_i64(),
            access_ceiling_seconds: rules["access_ceiling_seconds"].as_i64(),
            required_approvals: rules["required_approvals"].as_i64(),
            comment_required: rules["comment_required"].as_bool(),
        })
    }

    /// The members that a decision signs.
    pub fn document(&self) -> Value {
        json!({
            "service": self.service, "resource": self.resource, "access_level": self.access_level,
            "duration_seconds": self.duration_seconds,
        })
    }
}

/// Members of `data` that are those of the content.
const SAME: [&str; 8] =
    ["service_request", "service", "resource", "category", "severity", "duration_seconds", "extends", "justification"];

/// Lists how a `request.submitted` event differs from the content in it.
pub(super) fn differences(event: &Event) -> Vec<String> {
    let data = event.data();
    let Some(content) = data.get("content").filter(|content| content.is_object()) else {
        return vec!["the submission does not have the content of the request".to_owned()];
    };
    let digest = hex::encode(Hash::of(content.to_string().as_bytes()).0);
    let time = |value: &Value| value.as_str().map(parse_time);
    let break_glass = match &data["break_glass"] {
        Value::Null => (Value::Null, Value::Null),
        name => (name.clone(), data["break_glass_digest"].clone()),
    };
    let other = [
        ("digest", data["digest"] == digest),
        ("start_time", time(&data["start_time"]) == time(&content["start_time"])),
        ("request", content["request"].is_string() && content["request"] == event.document["correlationid"]),
        ("requester_name", content["requester_name"] == data["requester"]),
        ("requester", content["requester"] == data["actor"]["id"]),
        ("tenant_name", content["tenant_name"] == event.document["tenant"]),
        ("required_approvals", content["rules"]["required_approvals"] == data["required_approvals"]),
        (
            "break_glass",
            content["break_glass"].is_null() == break_glass.0.is_null()
                && content["break_glass"]["name"] == break_glass.0
                && content["break_glass"]["digest"] == break_glass.1,
        ),
    ];
    let same = SAME.map(|name| (name, data[name] == content[name]));
    let wrong = same.into_iter().chain(other).filter(|(_, agrees)| !agrees);
    wrong.map(|(name, _)| format!("the content of the request and its submission differ: {name}")).collect()
}
