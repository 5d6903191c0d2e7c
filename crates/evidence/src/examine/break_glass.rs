//! Checks that each break-glass request refers to a break-glass policy in the log. The entry that creates the policy
//! contains its document, and every step of the request contains the SHA-256 of that document.

use domain::replay::{PolicyHistory, PolicyTerms, PolicyUse, Replayed, Violation};
use serde_json::Value;
use tlog::Hash;

use crate::Event;

/// Returns the rules that an event breaks about break-glass policies and the requests that use them. `history` is the
/// history of the request and includes this step.
pub(super) fn check(policies: &mut PolicyHistory, event: &Event, history: Option<&Replayed>) -> Vec<Violation> {
    let data = event.data();
    let by_customer = event.person().is_some() && data["actor"]["side"] == "customer";
    if event.kind == "directory.changed" {
        let mut violations = Vec::new();
        if let document @ Value::Object(_) = &data["break_glass_policy"] {
            violations.extend(policies.record_policy(&digest(document), terms(document, event, by_customer)));
        }
        if let Some(digest) = data["break_glass_policy_ended"].as_str() {
            violations.extend(policies.record_end(digest, event.at, by_customer));
        }
        return violations;
    }
    let is_active = event.kind == "grant.activated";
    let break_glass = history.and_then(|history| history.break_glass.as_ref().zip(Some(history)));
    match break_glass {
        Some(((name, digest), history)) if is_active || event.kind == "request.submitted" => {
            let service = data["service"].as_str().unwrap_or_default();
            let policy_use = PolicyUse { at: event.at, name, digest, service, seconds: history.requested_seconds };
            policies.record_use(&policy_use, is_active)
        }
        _ => Vec::new(),
    }
}

/// Records a policy that a statement of the authority creates.
pub(super) fn record_stated(policies: &mut PolicyHistory, policy: &consent::BreakGlassRule, event: &Event) {
    let document = serde_json::to_value(policy).unwrap_or_default();
    policies.record_stated(&digest(&document), terms(&document, event, true));
}

/// SHA-256 of the document in RFC 8785 form, as in the entry.
fn digest(document: &Value) -> String {
    hex::encode(Hash::of(document.to_string().as_bytes()).0)
}

fn terms(document: &Value, event: &Event, by_customer: bool) -> PolicyTerms {
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    let services = document["services"].as_array().into_iter().flatten();
    PolicyTerms {
        at: event.at,
        by_customer,
        name: text("name"),
        services: services.filter_map(|service| service.as_str().map(str::to_owned)).collect(),
        ceiling_seconds: document["ceiling_seconds"].as_i64().unwrap_or_default(),
        quota: document["quota"].as_i64().unwrap_or_default(),
        until: crate::event::parse_time(&text("until")).unwrap_or_default(),
    }
}
