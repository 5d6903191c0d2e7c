//! Requests, grants and events as documents for programs and as lines for people: the same for the portal, the HTTP
//! interface and the command line.

use serde_json::{Value, json};
use store::Store;
use store::audit::AuditRow;
use store::provisionings::AccessView;
use store::views::RequestView;

use crate::access_report::provisioning_json;
use runtime::output::{data, printable, time};

/// A request as JSON.
pub fn request_json(request: &RequestView) -> Value {
    json!({
        "id": request.id,
        "tenant": request.tenant,
        "service_request": request.service_request,
        "service": request.service,
        "resource": request.resource,
        "requester": request.requester,
        "state": request.state,
        "cause": request.cause,
        "version": request.version,
        "duration_seconds": request.duration_seconds,
        "submitted_at": time(request.submitted_at),
        "review_deadline": time(request.review_deadline),
        "decision_deadline": request.decision_deadline.map(time),
        "access_from": request.access_from.map(time),
        "access_until": request.access_until.map(time),
        "finished_at": request.finished_at.map(time),
        "digest": request.digest().to_string(),
    })
}

/// A request with its content, its decisions and its provisioning as JSON.
pub async fn request_document(store: &Store, request: &RequestView) -> Result<Value, store::Error> {
    let decisions = store.decisions(request.id).await?;
    let mut document = request_json(request);
    // The bytes that approvers are shown; the digest is computed from them.
    document["content"] = serde_json::from_slice(&request.content).unwrap_or_default();
    let words = request.justification.as_ref().zip(request.justification_salt.as_ref());
    document["justification"] =
        words.map(|(text, salt)| json!({"text": text, "salt": hex::encode(salt)})).unwrap_or_default();
    document["decisions"] = decisions
        .iter()
        .map(|decision| {
            json!({
                "stage": decision.stage, "person": decision.person, "verdict": decision.verdict,
                "comment": decision.comment, "channel": decision.channel, "signed": decision.signed,
                "decided_at": time(decision.decided_at),
            })
        })
        .collect();
    document["provisioning"] =
        store.provisioning(request.id).await?.as_ref().map(provisioning_json).unwrap_or_default();
    Ok(document)
}

/// A grant as JSON.
pub fn access_json(access: &AccessView) -> Value {
    let access_level = domain::Content::from_bytes(&access.content).map(|content| content.access_level.as_str());
    json!({
        "request": access.request, "tenant": access.tenant, "service_request": access.service_request,
        "service": access.service, "resource": access.resource, "access_level": access_level, "requester": access.requester,
        "state": access.state, "access_from": access.access_from.map(time), "access_until": access.access_until.map(time),
        "provisioning": access.provisioning, "failures": access.failures, "revocation_ordered_at": access.revocation_ordered_at.map(time),
        "last_error": access.last_error,
    })
}

/// One event as a line of text.
pub fn event_text(event: &AuditRow) -> String {
    text_of(&time(event.at), &event.type_name, &data(&event.body))
}

/// One event, from its envelope, as a line of text.
pub fn envelope_text(event: &Value) -> String {
    text_of(event["time"].as_str().unwrap_or_default(), short_type(event), &event["data"])
}

/// Type of an event without the prefix and the version.
pub fn short_type(event: &Value) -> &str {
    let name = event["type"].as_str().unwrap_or_default().trim_start_matches("lockbox.");
    name.rsplit_once(".v").map_or(name, |(name, _)| name)
}

fn text_of(at: &str, type_name: &str, data: &Value) -> String {
    let text = |name: &str| data[name].as_str().map(printable);
    let who = data["actor"]["display_name"].as_str().or_else(|| data["actor"]["name"].as_str()).unwrap_or("Lockbox");
    let mut line = format!("{at}  {type_name:<26} {}", printable(who));
    let details = [
        ("comment", "comment"),
        ("cause", "cause"),
        ("stage", "no decision for"),
        ("message", "reason"),
        ("decision_deadline", "decision deadline"),
        ("access_until", "access until"),
        ("recipient", "to"),
        ("error", "error"),
    ];
    for (name, label) in details {
        if let Some(value) = text(name) {
            line.push_str(&format!(", {label}: {value}"));
        }
    }
    line
}
