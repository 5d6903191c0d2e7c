//! One request for people and for programs, from the database or as the portal told it.

use operations::documents::{envelope_text, request_document};
use runtime::outcome::Failure;
use runtime::output::{Format, json as print_json, line, printable};
use serde_json::Value;
use store::Store;
use store::audit::{AuditFilter, AuditRow};
use uuid::Uuid;

pub(super) async fn timeline(store: &Store, id: Uuid) -> Result<Vec<AuditRow>, Failure> {
    let filter = AuditFilter { request: Some(id), limit: 500, ..AuditFilter::default() };
    let mut events = store.search_audit(&filter).await?;
    events.reverse();
    Ok(events)
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
    print(request_document(store, &request).await?, events, format)
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
    let access_level = content["access_level"].as_str().unwrap_or("read_only");
    line(&format!("asked by        {} for {} s, {access_level}", text("requester"), request["duration_seconds"]))?;
    if let (Some(rule), Some(digest)) =
        (content["break_glass"]["name"].as_str(), content["break_glass"]["digest"].as_str())
    {
        line(&format!("EMERGENCY       under the standing consent {} ({digest})", printable(rule)))?;
    }
    if let (Some(code), Some(justification)) = (content["category"].as_str(), content["justification"].as_str()) {
        line(&format!("reason          {code}: {}", printable(justification)))?;
    }
    line(&format!("review by       {}", text("review_deadline")))?;
    line(&format!("decide by       {}", text("decision_deadline")))?;
    line(&format!("access          {} until {}", text("access_from"), text("access_until")))?;
    if let Some(provisioning) = request["provisioning"]["said"].as_str() {
        line(&format!("provisioning            {}", printable(provisioning)))?;
    }
    line(&format!("digest          {}", text("digest")))?;
    line("")?;
    for event in &events {
        line(&envelope_text(event))?;
    }
    Ok(())
}
