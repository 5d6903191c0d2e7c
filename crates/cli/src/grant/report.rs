//! Prints an access report: what was requested and approved, what was used, and how access ended.

use serde_json::Value;
use uuid::Uuid;

use crate::portal_client::PortalClient;
use runtime::outcome::Failure;
use runtime::output::{Format, duration, fields, json as print_json, line, printable};

/// Reads the access report of a request and prints it.
pub(super) async fn show(portal: &PortalClient, id: Uuid, format: Format) -> Result<(), Failure> {
    let report = portal.get(&format!("/requests/{id}/report")).await?;
    if format != Format::Table {
        return print_json(&report);
    }
    fields(&rows(&report))?;
    for item in report["items"].as_array().into_iter().flatten() {
        line(&printable(&activity(item)))?;
    }
    Ok(())
}

fn rows(report: &Value) -> Vec<(&'static str, String)> {
    let text = |name: &str| report[name].as_str().unwrap_or("-").to_owned();
    let seconds = |name: &str| duration(report[name].as_i64().unwrap_or_default());
    let count = |name: &str| report[name].as_i64().unwrap_or_default();
    let response = &report["answer"];
    let customer = match response["acknowledged"].as_bool() {
        Some(acknowledged) => {
            let word = if acknowledged { "acknowledged" } else { "DISPUTED" };
            let comment = response["comment"].as_str().map(|comment| format!(": {comment}")).unwrap_or_default();
            let by = response["by"].as_str().unwrap_or("-");
            format!("{word} by {by} at {}{comment}", response["at"].as_str().unwrap_or("-"))
        }
        None => "no response yet".to_owned(),
    };
    vec![
        ("Request", format!("{} {}", text("request"), text("service_request"))),
        ("Resource", format!("{} {} ({})", text("service"), text("resource"), text("access_level"))),
        ("Requested by", text("requester")),
        ("Requested", seconds("asked_seconds")),
        ("Approved", format!("{} from {}", seconds("granted_seconds"), text("access_from"))),
        ("Active", format!("{}, {} unused", seconds("open_seconds"), seconds("unused_seconds"))),
        ("Ended", format!("{} ({})", text("access_until"), text("cause"))),
        ("Access activity", format!("{} allowed, {} refused", count("uses"), count("refused"))),
        ("Provisioning", report["provisioning"]["said"].as_str().unwrap_or("none").to_owned()),
        ("Customer", customer),
    ]
}

/// One line of access activity.
fn activity(item: &Value) -> String {
    let text = |name: &str| item[name].as_str().unwrap_or("-");
    let refused = if item["allowed"] == false { "refused " } else { "" };
    let (method, resource, last) = (text("method"), text("resource"), text("last_at"));
    format!("  {refused}{method} {resource} ({} times, last at {last})", item["count"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dispute_is_shown_with_its_comment_and_a_missing_response_as_such() {
        let report = json!({"answer": {"acknowledged": false, "by": "Alex Novak", "comment": "too long", "at": "now"}});
        assert!(rows(&report).contains(&("Customer", "DISPUTED by Alex Novak at now: too long".to_owned())));
        assert!(rows(&json!({})).contains(&("Customer", "no response yet".to_owned())));
    }

    #[test]
    fn refused_activity_is_marked() {
        let item = json!({"allowed": false, "method": "GET", "resource": "/a", "count": 2, "last_at": "now"});
        assert_eq!(activity(&item), "  refused GET /a (2 times, last at now)");
    }
}
