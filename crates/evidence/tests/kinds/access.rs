//! Access outside a grant, grants without consent, and times that do not fit.

use evidence::fixtures::{SampleLog, witnesses};
use serde_json::{Value, json};
use tlog::{Checkpoint, Note};
use uuid::Uuid;

use super::authorities::place;
use super::decisions::moved;
use super::submissions::event;
use super::{Case, Tampering, by_operator, case, pick};

pub const KINDS: [Tampering; 14] = [
    ("access used after its time", &[16], |log, _, draw| {
        used(log, draw, |event, until, _| event["data"]["last_at"] = until.into())
    }),
    ("access used before its time", &[16], |log, _, draw| {
        used(log, draw, |event, _, from| event["data"]["first_at"] = moved(from, -60).into())
    }),
    ("access used for another resource", &[16], |log, _, draw| {
        used(log, draw, |event, _, _| event["data"]["resource"] = "https://contoso.example/sites/finance2".into())
    }),
    ("access used for a resource above the granted one", &[16], |log, _, draw| {
        used(log, draw, |event, _, _| event["data"]["resource"] = "https://contoso.example/sites".into())
    }),
    ("access used outside with a crafted address", &[16], |log, _, draw| {
        let crafted = ["/../hr", "/%2e%2e/hr", "/..;/hr", "//x", "%2fx", "/%252e%252e/hr", "/\u{ff0e}\u{ff0e}/hr"];
        let path = crafted[pick(draw, crafted.len())];
        used(log, draw, |event, _, _| {
            event["data"]["resource"] = format!("https://contoso.example/sites/finance{path}").into();
        })
    }),
    ("access used without a grant", &[16], |log, _, _| {
        let request = Uuid::from_u128(0x7000 << 64 | 1 << 63).to_string();
        appended(log, &[use_event(log, Some(&request))])
    }),
    ("access used without a request", &[16], |log, _, _| appended(log, &[use_event(log, None)])),
    ("access used after it ended", &[16], |log, _, draw| {
        let mut events = log.events();
        let ended = place(&events, "grant.ended", draw);
        let (time, request) = (moved(events[ended]["time"].as_str().unwrap(), 61), &events[ended]["correlationid"]);
        let mut used = use_event(log, request.as_str());
        used["data"]["first_at"] = events[ended]["time"].clone();
        used["data"]["last_at"] = time.into();
        events.push(used);
        case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
    }),
    ("access provisioned before it was active", &[16], |log, _, draw| {
        let mut events = log.events();
        let place = place(&events, "grant.provisioned", draw);
        events[place]["time"] = moved(events[place]["time"].as_str().unwrap(), -2).into();
        case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
    }),
    ("grant without consent", &[17], |log, _, _| forged(log, false)),
    ("grant without consent in the name of an approver", &[17], |log, _, _| forged(log, true)),
    ("break-glass policy by the operator", &[17], |log, _, draw| {
        let policy = json!({
            "v": 1, "policy": Uuid::from_u128(u128::from(draw())).to_string(), "tenant": Uuid::from_u128(100).to_string(),
            "name": "night watch", "services": ["sharepoint"], "ceiling_seconds": 14_400, "quota": 100,
            "until": moved(&end(log), 86_400),
        });
        let data = json!({"actor": alex(), "changes": ["break-glass policy night watch created"], "break_glass_policy": policy});
        appended(log, &[event("directory.changed", &end(log), None, 1, data)])
    }),
    ("request dated back", &[16], |log, _, _| {
        let mut events = log.events();
        let data = json!({"actor": {"kind": "lockbox"}, "log": log.origin, "size": events.len()});
        events.push(event("log.heartbeat", &end(log), None, 1, data));
        let comment = json!({"actor": alex(), "note": "entered later"});
        events.push(event("token.added", &moved(&end(log), -3601), None, 2, comment));
        case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
    }),
    ("entries later than a cosignature that covers them", &[16], |log, _, draw| {
        let text = log.checkpoint().text;
        let size = text.parse::<Checkpoint>().unwrap().size;
        let at: chrono::DateTime<chrono::Utc> = end(log).parse().unwrap();
        let seconds = u64::try_from(at.timestamp()).unwrap() - 3602 - draw() % 1000;
        let mut note: Note = log.checkpoint();
        assert_eq!(size, log.size());
        note.signatures.truncate(1);
        note.signatures.extend(witnesses(log.seed()).iter().map(|witness| witness.sign(&text, seconds)));
        case(log, log.bundle_signed(Vec::new(), note, &log.earlier).unwrap())
    }),
];

fn alex() -> Value {
    json!({"kind": "person", "id": Uuid::from_u128(3).to_string(), "name": "alex", "display_name": "alex", "side": "customer"})
}

/// The latest time in the log.
fn end(log: &SampleLog) -> String {
    let times = log.events().into_iter().filter_map(|event| event["time"].as_str().map(str::to_owned));
    times.max().unwrap()
}

/// Changes an allowed use of sites. The change gets the end and the start of its grant.
fn used(log: &SampleLog, draw: &mut dyn FnMut() -> u64, change: impl Fn(&mut Value, &str, &str)) -> Case {
    let mut events = log.events();
    let is_one =
        |place: &usize| events[*place]["type"] == "lockbox.grant.used.v1" && events[*place]["data"]["allowed"] == true;
    let places: Vec<usize> = (0..events.len()).filter(is_one).collect();
    let place = places[pick(draw, places.len())];
    let request = &events[place]["correlationid"];
    let grant = |event: &&Value| event["type"] == "lockbox.grant.activated.v1" && event["correlationid"] == *request;
    let grant = events.iter().find(grant).unwrap()["data"].clone();
    let (until, from) = (grant["access_until"].as_str().unwrap(), grant["access_from"].as_str().unwrap());
    change(&mut events[place], until, from);
    case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
}

fn use_event(log: &SampleLog, request: Option<&str>) -> Value {
    let data = json!({
        "request": request, "service_request": "SR-2026-004711", "method": "GET", "resource": "https://contoso.example/sites/finance",
        "source": "192.0.2.7", "allowed": true, "code": "ok", "count": 1, "first_at": end(log), "last_at": end(log),
        "actor": {"kind": "person", "id": Uuid::from_u128(1).to_string(), "name": "robin", "display_name": "robin", "side": "vendor"},
    });
    event("grant.used", &end(log), request.map(|request| (request, 0)), 1, data)
}

fn appended(log: &SampleLog, more: &[Value]) -> Case {
    let events = [log.events(), more.to_vec()].concat();
    case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
}

/// A whole request that the operator wrote, after the model of one that was approved. Its decisions are not signed, or have the
/// signatures of the other request.
fn forged(log: &SampleLog, has_signatures: bool) -> Case {
    let events = log.events();
    let approved = events.iter().find(|event| event["type"] == "lockbox.request.customer_approved.v1").unwrap();
    let model = approved["correlationid"].as_str().unwrap().to_owned();
    let request = Uuid::from_u64_pair(0x7000, (1 << 63) | 0xdef).to_string();
    let mut more: Vec<Value> = Vec::new();
    for (number, event) in (10..).zip(events.iter().filter(|event| event["correlationid"] == model.as_str())) {
        let mut text = event.to_string().replace(&model, &request);
        let old = event["data"]["digest"].as_str().unwrap_or("no digest").to_owned();
        if let Some(content) = more.first().map(|event| event["data"]["content"].clone()) {
            text = text.replace(&old, &hex::encode(tlog::Hash::of(content.to_string().as_bytes()).0));
        }
        let mut forged: Value = serde_json::from_str(&text).unwrap();
        if more.is_empty() {
            let content = forged["data"]["content"].to_string();
            forged["data"]["digest"] = hex::encode(tlog::Hash::of(content.as_bytes()).0).into();
        }
        forged["id"] = Uuid::from_u64_pair(0x7000 | (number << 16), (1 << 63) | 0xdef).to_string().into();
        if !has_signatures {
            forged["data"].as_object_mut().unwrap().remove("signature");
        }
        more.push(forged);
    }
    appended(log, &more)
}
