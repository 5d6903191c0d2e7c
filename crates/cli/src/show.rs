//! One request for people and for programs, from the database or as the portal told it.

use serde_json::{Value, json};
use store::Store;
use store::audit::{AuditFilter, AuditRow};
use store::views::RequestView;
use uuid::Uuid;

use crate::closing::door_json;
use crate::outcome::Failure;
use crate::output::{Format, data, json as print_json, line, printable, time};

/// A request for programs.
pub(crate) fn request_json(request: &RequestView) -> Value {
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
        "review_by": time(request.review_by),
        "decide_by": request.decide_by.map(time),
        "access_from": request.access_from.map(time),
        "access_until": request.access_until.map(time),
        "over_at": request.over_at.map(time),
        "digest": request.digest().to_string(),
    })
}

/// A request with its content and the answers so far, for programs.
pub(crate) async fn document(store: &Store, request: &RequestView) -> Result<Value, store::Error> {
    let decisions = store.decisions(request.id).await?;
    let mut document = request_json(request);
    // The very bytes that deciders are shown, and that the digest is of.
    document["content"] = serde_json::from_slice(&request.content).unwrap_or_default();
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
    document["door"] = store.door(request.id).await?.as_ref().map(door_json).unwrap_or_default();
    Ok(document)
}

pub(super) async fn timeline(store: &Store, id: Uuid) -> Result<Vec<AuditRow>, Failure> {
    let filter = AuditFilter { request: Some(id), limit: 500, ..AuditFilter::default() };
    let mut events = store.search_audit(&filter).await?;
    events.reverse();
    Ok(events)
}

/// One event as a line for people.
pub(crate) fn event_text(event: &AuditRow) -> String {
    text_of(&time(event.at), &event.type_name, &data(&event.body))
}

/// One event, as its envelope says it, as a line for people.
pub(super) fn envelope_text(event: &Value) -> String {
    text_of(event["time"].as_str().unwrap_or_default(), short_type(event), &event["data"])
}

/// Type of an event without what all types have around it.
pub(super) fn short_type(event: &Value) -> &str {
    let name = event["type"].as_str().unwrap_or_default().trim_start_matches("lockbox.");
    name.rsplit_once(".v").map_or(name, |(name, _)| name)
}

fn text_of(at: &str, type_name: &str, data: &Value) -> String {
    let text = |name: &str| data[name].as_str().map(printable);
    let who = data["actor"]["display_name"].as_str().or_else(|| data["actor"]["name"].as_str()).unwrap_or("Lockbox");
    let mut line = format!("{at}  {type_name:<26} {}", printable(who));
    let told = [
        ("comment", "says"),
        ("cause", "cause"),
        ("stage", "no answer from"),
        ("message", "because"),
        ("decide_by", "answer before"),
        ("access_until", "access until"),
        ("recipient", "to"),
        ("error", "error"),
    ];
    for (name, label) in told {
        if let Some(value) = text(name) {
            line.push_str(&format!(", {label} {value}"));
        }
    }
    line
}

/// State with its cause.
pub(super) fn state_text(request: &Value) -> String {
    let state = request["state"].as_str().unwrap_or_default();
    request["cause"].as_str().map_or_else(|| state.to_owned(), |cause| format!("{state} ({cause})"))
}

/// Prints a request with its timeline.
pub(crate) async fn show(store: &Store, id: Uuid, format: Format) -> Result<(), Failure> {
    let request = store.show_request(id).await?;
    let events = timeline(store, id).await?;
    let events = events.iter().map(|event| serde_json::from_slice(&event.body).unwrap_or_default()).collect();
    print(document(store, &request).await?, events, format)
}

/// Prints a request and its events.
pub(super) fn print(mut request: Value, events: Vec<Value>, format: Format) -> Result<(), Failure> {
    if format != Format::Table {
        request["events"] = events.into();
        return print_json(&request);
    }
    let text = |name: &str| request[name].as_str().map_or_else(|| "-".to_owned(), printable);
    line(&format!("request         {}", text("id")))?;
    line(&format!("state           {}", state_text(&request)))?;
    line(&format!("tenant          {}", text("tenant")))?;
    line(&format!("service request {}", text("service_request")))?;
    line(&format!("content         {} {}", text("service"), text("resource")))?;
    let content = &request["content"];
    let mode = content["mode"].as_str().unwrap_or("read_only");
    line(&format!("asked by        {} for {} s, {mode}", text("requester"), request["duration_seconds"]))?;
    if let (Some(rule), Some(digest)) = (content["emergency"]["name"].as_str(), content["emergency"]["digest"].as_str())
    {
        line(&format!("EMERGENCY       under the standing consent {} ({digest})", printable(rule)))?;
    }
    if let (Some(code), Some(reason)) = (content["reason_code"].as_str(), content["reason"].as_str()) {
        line(&format!("reason          {code}: {}", printable(reason)))?;
    }
    line(&format!("review by       {}", text("review_by")))?;
    line(&format!("decide by       {}", text("decide_by")))?;
    line(&format!("access          {} until {}", text("access_from"), text("access_until")))?;
    if let Some(door) = request["door"]["said"].as_str() {
        line(&format!("door            {}", printable(door)))?;
    }
    line(&format!("digest          {}", text("digest")))?;
    line("")?;
    for event in &events {
        line(&envelope_text(event))?;
    }
    Ok(())
}
