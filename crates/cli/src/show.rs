//! Prints one request with its timeline, as a page of text or as JSON.

use operations::documents::envelope_text;
use runtime::outcome::Failure;
use runtime::output::{Format, duration, fields, json as print_json, line, localized};
use serde_json::Value;
use uuid::Uuid;

use super::portal_client::PortalClient;

/// State with its cause, such as `ended (expired)`.
pub(super) fn state_text(request: &Value) -> String {
    let state = request["state"].as_str().unwrap_or_default();
    request["cause"].as_str().map_or_else(|| state.to_owned(), |cause| format!("{state} ({cause})"))
}

/// Reads a request and its events, and prints both.
pub(super) async fn show(portal: &PortalClient, id: Uuid, format: Format) -> Result<(), Failure> {
    let mut request = portal.request(id).await?;
    let events = portal.events(id).await?;
    if format != Format::Table {
        request["events"] = events.into();
        return print_json(&request);
    }
    fields(&rows(&request))?;
    line("")?;
    for event in &events {
        line(&localized(&envelope_text(event)))?;
    }
    Ok(())
}

/// The rows of a request on a page of text.
pub(super) fn rows(request: &Value) -> Vec<(&'static str, String)> {
    let text = |name: &str| request[name].as_str().unwrap_or("-").to_owned();
    let content = &request["content"];
    let detail = |name: &str| content[name].as_str().unwrap_or("-").to_owned();
    let mut rows = vec![
        ("Request", text("id")),
        ("State", state_text(request)),
        ("Tenant", text("tenant")),
        ("Service request", text("service_request")),
        ("Resource", format!("{} {}", text("service"), text("resource"))),
        ("Access level", content["access_level"].as_str().unwrap_or("read_only").to_owned()),
        ("Requested by", text("requester")),
        ("Duration", duration(request["duration_seconds"].as_i64().unwrap_or_default())),
    ];
    if let Some(policy) = content["break_glass"]["name"].as_str() {
        let digest = content["break_glass"]["digest"].as_str().unwrap_or("-");
        rows.push(("Break-glass", format!("policy {policy}, digest {digest}")));
    }
    rows.extend([
        ("Category", detail("category")),
        ("Justification", request["justification"]["text"].as_str().unwrap_or(domain::REDACTED).to_owned()),
        ("Vendor deadline", text("review_deadline")),
        ("Customer deadline", text("decision_deadline")),
        ("Access", format!("{} to {}", text("access_from"), text("access_until"))),
    ]);
    if let Some(provisioning) = request["provisioning"]["said"].as_str() {
        rows.push(("Provisioning", provisioning.to_owned()));
    }
    rows.push(("Digest", text("digest")));
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_state_is_shown_with_its_cause() {
        assert_eq!(state_text(&json!({"state": "active", "cause": null})), "active");
        assert_eq!(state_text(&json!({"state": "ended", "cause": "expired"})), "ended (expired)");
    }

    #[test]
    fn a_break_glass_request_names_its_policy() {
        let request = json!({"content": {"break_glass": {"name": "outage", "digest": "abc"}}});
        assert!(rows(&request).contains(&("Break-glass", "policy outage, digest abc".to_owned())));
        assert!(rows(&json!({})).iter().all(|(name, _)| *name != "Break-glass"));
    }
}
