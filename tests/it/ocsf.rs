//! Events in OCSF 1.3.0: every event type matches the published schema of its class.

use std::process::Stdio;

use contracts::Kind;
use contracts::envelope::Message;
use evidence::{Event, views};
use serde_json::{Value, json};
use servers::programs::{or_skip, python_with};

use crate::any_event::Draw;
use crate::harness::{packages, progress};

/// Reads one document per line. Prints the errors of each document that does not match its class, then the number of documents.
const CHECK: &str = r"
import sys, json
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

plain, known, count = get_ocsf_schema(version='1.3.0'), {}, 0
schema = OcsfJsonSchemaEmbedded(plain)
names = {one['uid']: name for name, one in plain['classes'].items()}
for line in sys.stdin:
    document, count = json.loads(line), count + 1
    profiles = document['metadata'].get('profiles', [])
    key = (document['class_uid'], tuple(profiles))
    if key not in known:
        known[key] = Draft202012Validator(schema.get_class_schema(names[key[0]], profiles))
    for fault in known[key].iter_errors(document):
        print(document['metadata']['event_code'], list(fault.absolute_path), fault.message[:300])
print(count)
";

fn document(message: &Message) -> Value {
    let event = Event::read(serde_json::from_slice(&message.body).unwrap()).unwrap();
    views::ocsf("lockbox.fabrikam.example/t/contoso", 7, &message.body, &event)
}

fn draw(seed: u64) -> Draw {
    Draw::new(seed, "contoso", "key".to_owned())
}

#[test]
fn every_event_type_matches_the_schema_of_its_class() {
    let packages_of_python = ["ocsf-json-schema==1.2.0", "jsonschema==4.26.0"];
    let Some(python) = or_skip(python_with(&packages_of_python, &packages(), &progress())) else { return };
    let mut lines = String::new();
    let mut add = |document: &Value| lines += &format!("{document}\n");
    let mut count = 1;
    for seed in 0..12 {
        let mut draw = draw(seed);
        for message in Kind::ALL.iter().filter_map(|kind| draw.event(*kind)) {
            add(&document(&message));
            count += 1;
        }
    }
    let details = json!({"first": 3, "end": 5});
    add(&views::ocsf_gap("lockbox.fabrikam.example/operator", 3, "missing", chrono::DateTime::UNIX_EPOCH, &details));
    let mut checking =
        python.command().args(["-c", CHECK]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut checking.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    let done = checking.wait_with_output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success());
    assert_eq!(said.trim(), count.to_string(), "faults");
}

#[test]
fn no_document_contains_null_and_members_without_a_field_are_unmapped() {
    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(items) => items.iter().any(has_null),
            Value::Object(members) => members.values().any(has_null),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }
    for seed in 0..12 {
        let mut draw = draw(seed);
        for message in Kind::ALL.iter().filter_map(|kind| draw.event(*kind)) {
            let mut document = document(&message);
            // Documents inside the event's data stay as they are; members without a value are left out before.
            let unmapped = document.as_object_mut().unwrap().remove("unmapped");
            assert!(!has_null(&document), "{document}");
            let mut members = unmapped.iter().filter_map(Value::as_object).flat_map(|data| data.values());
            assert!(members.all(|value| !value.is_null()), "{unmapped:?}");
        }
    }
    let granted = document(&draw(1).event(Kind::GrantActivated).unwrap());
    assert!(granted["unmapped"]["access_until"].is_string(), "{granted}");
}

#[test]
fn a_refused_check_is_a_failure_with_source_and_reason() {
    let mut seen = (false, false);
    for seed in 0..40 {
        let message = draw(seed).event(Kind::GrantUsed).unwrap();
        let document = document(&message);
        let data = serde_json::from_slice::<Value>(&message.body).unwrap()["data"].clone();
        let is_allowed = data["allowed"].as_bool().unwrap();
        assert_eq!(document["class_uid"], 6003);
        assert_eq!(document["status_id"], if is_allowed { 1 } else { 2 });
        assert_eq!(document["severity_id"], if is_allowed { 1 } else { 2 });
        assert_eq!(document["status_code"], data["code"]);
        assert_eq!(document["count"], data["count"]);
        assert_eq!(document["resources"][0]["name"], data["resource"]);
        if data["source"] == "192.0.2.7" {
            assert_eq!(document["src_endpoint"], json!({"ip": "192.0.2.7"}));
        }
        if data["method"] == "GET" {
            assert_eq!(document["activity_id"], 2);
        }
        seen = (seen.0 || is_allowed, seen.1 || !is_allowed);
    }
    assert_eq!(seen, (true, true), "both results occur");
    for (kind, class, activity) in [
        (Kind::GrantActivated, 3005, 1),
        (Kind::GrantEnded, 3005, 2),
        (Kind::RequestRefused, 6003, 1),
        (Kind::DecisionRefused, 6003, 3),
        (Kind::RequestSubmitted, 3004, 1),
        (Kind::LogHeartbeat, 3004, 3),
    ] {
        let document = document(&draw(3).event(kind).unwrap());
        assert_eq!(document["class_uid"], class, "{}", kind.key());
        assert_eq!(document["type_uid"], class * 100 + activity, "{}", kind.key());
    }
}
