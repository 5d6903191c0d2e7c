//! Times, durations, states and access levels as text for people.

use chrono::{DateTime, Utc};
use domain::{AccessLevel, titles};
use store::views::RequestView;

/// A time for people and for programs. Without scripts a page shows UTC; with scripts it shows the reader's zone.
#[derive(Clone, Debug)]
pub(crate) struct DisplayTime {
    /// For people: `24 Nov 2026 10:15:00 UTC`.
    pub text: String,
    /// RFC 3339, for the `datetime` attribute.
    pub machine: String,
}

impl From<DateTime<Utc>> for DisplayTime {
    fn from(at: DateTime<Utc>) -> Self {
        Self {
            text: at.format("%-d %b %Y %H:%M:%S UTC").to_string(),
            machine: at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        }
    }
}

/// Formats seconds, such as `1 h 30 min`.
pub(crate) fn duration(seconds: i64) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let shown: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if shown.is_empty() { "0 s".to_owned() } else { shown.join(" ") }
}

/// An access level in words.
pub(crate) fn access_level(level: AccessLevel) -> String {
    titles::sentence(level.as_str())
}

/// The state of a request in words.
pub(crate) fn state(request: &RequestView) -> String {
    let cause = request.cause.as_deref().unwrap_or_default();
    match request.state.as_str() {
        "pending_vendor" => "Pending vendor approval".to_owned(),
        "pending_customer" => "Pending customer approval".to_owned(),
        "active" => "Active".to_owned(),
        "ended" => format!("Ended: {}", titles::ended(cause)),
        "vendor_denied" => "Denied by the vendor".to_owned(),
        "customer_denied" => "Denied by the customer".to_owned(),
        "expired" if cause == "vendor" => "Expired without a decision of the vendor".to_owned(),
        "expired" => "Expired without a decision of the customer".to_owned(),
        "withdrawn" if cause == "requester_disabled" => "Withdrawn: the requester was disabled".to_owned(),
        "withdrawn" if cause == "ticket_closed" => "Withdrawn: the service request was closed".to_owned(),
        "withdrawn" => "Withdrawn by the requester".to_owned(),
        other => other.to_owned(),
    }
}

/// The next deadline of a request, with its label.
pub(crate) fn next_deadline(request: &RequestView) -> Option<(&'static str, DateTime<Utc>)> {
    match request.state.as_str() {
        "pending_vendor" => Some(("Expires", request.review_deadline)),
        "pending_customer" => request.decision_deadline.map(|at| ("Expires", at)),
        "active" => request.access_until.map(|at| ("Access ends", at)),
        _ => None,
    }
}

/// A request in a list.
pub(crate) struct Row {
    pub id: String,
    /// Display name.
    pub tenant: String,
    pub service_request: String,
    pub service: String,
    pub resource: String,
    pub requester: String,
    /// State in words.
    pub state: String,
    /// Name of the state, for its colour.
    pub kind: String,
    pub duration: String,
    pub submitted: DisplayTime,
    /// Label and time of the next deadline.
    pub until: Option<(&'static str, DisplayTime)>,
}

impl From<&RequestView> for Row {
    fn from(request: &RequestView) -> Self {
        Self {
            id: request.id.to_string(),
            tenant: request.tenant_name.clone(),
            service_request: request.service_request.clone(),
            service: titles::service(&request.service),
            resource: request.resource.clone(),
            requester: request.requester.clone(),
            state: state(request),
            kind: request.state.clone(),
            duration: duration(request.duration_seconds),
            submitted: request.submitted_at.into(),
            until: next_deadline(request).map(|(label, at)| (label, at.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_formatted_with_its_units() {
        assert_eq!(duration(5400), "1 h 30 min");
        assert_eq!(duration(45), "45 s");
        assert_eq!(duration(12 * 3600), "12 h");
        assert_eq!(duration(0), "0 s");
    }
}
