//! Audit events as a list.

use runtime::output::{Listing, data, summary, time};
use serde_json::json;
use store::audit::AuditRow;

/// Events as a table, and complete as JSON.
pub fn listing(found: &[AuditRow]) -> Listing {
    let mut rows = Vec::with_capacity(found.len());
    let mut documents = Vec::with_capacity(found.len());
    for event in found {
        let data = data(&event.body);
        let actor = data["actor"]["name"].as_str().or_else(|| data["actor"]["kind"].as_str()).unwrap_or("-");
        rows.push(vec![
            time(event.at),
            event.type_name.clone(),
            event.tenant.clone().unwrap_or_default(),
            event.service_request.clone().unwrap_or_default(),
            actor.to_owned(),
            summary(&data),
            event.request.map(|request| request.to_string()).unwrap_or_default(),
        ]);
        documents.push(json!({
            "recorded_at": time(event.recorded_at),
            "event": serde_json::from_slice::<serde_json::Value>(&event.body).unwrap_or_default(),
        }));
    }
    let head = vec!["time", "type", "tenant", "service request", "actor", "details", "request"];
    Listing::new(head, rows, documents.into())
}
