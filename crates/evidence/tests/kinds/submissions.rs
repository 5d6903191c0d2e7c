//! Requests that protect the customer less than the authority demands, or whose content is not what they show.

use evidence::fixtures::SampleLog;
use serde_json::{Value, json};
use tlog::Hash;

use super::decisions::{moved, resign};
use super::{Case, Tampering, by_operator, by_operator_event, case, pick};

pub const KINDS: [Tampering; 13] = [
    ("quorum lowered in the content", &[17], |log, _, draw| {
        content(log, draw, true, |content, data| {
            content["rules"]["required_approvals"] = 0.into();
            data["required_approvals"] = 0.into();
        })
    }),
    ("deadline lengthened in the content", &[17], |log, _, draw| {
        content(log, draw, true, |content, _| {
            let seconds = content["rules"]["decision_deadline_seconds"].as_i64().unwrap();
            content["rules"]["decision_deadline_seconds"] = (seconds + 86_400).into();
        })
    }),
    ("ceiling lengthened in the content", &[17], |log, _, draw| {
        content(log, draw, true, |content, _| content["rules"]["access_ceiling_seconds"] = 1_000_000.into())
    }),
    ("requested longer than the ceiling", &[17], |log, _, draw| {
        content(log, draw, true, |content, data| {
            content["duration_seconds"] = 1_000_000.into();
            data["duration_seconds"] = 1_000_000.into();
        })
    }),
    ("rule about comments left out of the content", &[17], |log, _, draw| {
        content(log, draw, true, |content, _| {
            drop(content["rules"].as_object_mut().unwrap().remove("comment_required"))
        })
    }),
    ("another resource than the approvers signed", &[17], |log, _, draw| {
        content(log, draw, false, |content, data| {
            content["resource"] = "https://contoso.example/sites/hr".into();
            data["resource"] = "https://contoso.example/sites/hr".into();
        })
    }),
    ("another access level than the approvers signed", &[17], |log, _, draw| {
        content(log, draw, false, |content, _| content["access_level"] = "read_only".into())
    }),
    ("deadline for the decision later than the rules", &[17], |log, _, draw| {
        by_operator_event(log, draw, "request.vendor_approved", |event| {
            let later = moved(event["data"]["decision_deadline"].as_str().unwrap(), 3600);
            event["data"]["decision_deadline"] = later.into();
        })
    }),
    ("content that does not match its digest", &[16], |log, _, draw| {
        by_operator_event(log, draw, "request.submitted", |event| {
            event["data"]["content"]["rules"]["access_default_seconds"] = 60.into();
        })
    }),
    ("submission that shows another resource than its content", &[16], |log, _, draw| {
        by_operator_event(log, draw, "request.submitted", |event| event["data"]["resource"] = "crm/sales".into())
    }),
    ("submission without content", &[16, 17], |log, _, draw| {
        by_operator_event(log, draw, "request.submitted", |event| {
            event["data"].as_object_mut().unwrap().remove("content");
        })
    }),
    ("required approvals lowered beside the content", &[16], |log, _, draw| {
        by_operator_event(log, draw, "request.submitted", |event| event["data"]["required_approvals"] = 3.into())
    }),
    ("request by another person than its content names", &[16], |log, _, draw| {
        content(log, draw, true, |content, _| content["requester_name"] = "jo".into())
    }),
];

/// Changes the content of a request that the customer approved, and everything that follows from its digest. With `is_signed`, the
/// people sign again, as if they had been shown this content.
fn content(
    log: &SampleLog,
    draw: &mut dyn FnMut() -> u64,
    is_signed: bool,
    change: impl Fn(&mut Value, &mut Value),
) -> Case {
    let mut events = log.events();
    let approved = |place: &usize| events[*place]["type"] == "lockbox.request.customer_approved.v1";
    let places: Vec<usize> = (0..events.len()).filter(approved).collect();
    let request = events[places[pick(draw, places.len())]]["correlationid"].clone();
    let mut document = Value::Null;
    for event in events.iter_mut().filter(|event| event["correlationid"] == request) {
        if event["type"] == "lockbox.request.submitted.v1" {
            document = event["data"]["content"].clone();
            change(&mut document, &mut event["data"]);
            event["data"]["content"] = document.clone();
        }
        let digest = hex::encode(Hash::of(document.to_string().as_bytes()).0);
        if event["data"]["digest"].is_string() {
            event["data"]["digest"] = digest.as_str().into();
        }
        if event["data"]["signature"].is_object() {
            let vendor = event["data"]["actor"]["side"] == "vendor";
            let decision = &mut event["data"]["signature"]["decision"];
            decision["digest"] = digest.into();
            for name in ["resource", "access_level"] {
                decision[name] = document[name].clone();
            }
            if vendor {
                decision["duration_seconds"] = document["duration_seconds"].clone();
            }
            if is_signed || vendor {
                resign(log, event);
            }
        }
    }
    case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
}

/// An event of this log at a time.
pub fn event(kind: &str, time: &str, request: Option<(&str, u64)>, number: u64, data: Value) -> Value {
    let id = uuid::Uuid::from_u64_pair(0x7000 | (number << 16), (1 << 63) | 0xabc);
    let mut event = json!({
        "specversion": "1.0", "id": id.to_string(), "source": "/lockbox", "type": format!("lockbox.{kind}.v1"), "time": time,
        "datacontenttype": "application/json", "tenant": "contoso", "data": data,
    });
    if let Some((request, version)) = request {
        event["correlationid"] = request.into();
        event["subject"] = format!("requests/{request}").into();
        if version > 0 {
            event["subjectversion"] = version.into();
        }
    }
    event
}
