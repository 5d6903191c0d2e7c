//! How things look to people: times, durations, states.

use chrono::{DateTime, Utc};
use domain::titles;
use store::views::RequestView;

/// An absolute time with its zone, and the same for programs.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// For people: `24 Nov 2026 10:15:00 UTC`.
    pub text: String,
    /// RFC 3339, for the browser's countdown.
    pub machine: String,
}

impl From<DateTime<Utc>> for Moment {
    fn from(at: DateTime<Utc>) -> Self {
        Self {
            text: at.format("%-d %b %Y %H:%M:%S UTC").to_string(),
            machine: at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        }
    }
}

/// `1 h 30 min`.
pub(crate) fn duration(seconds: i64) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let shown: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if shown.is_empty() { "0 s".to_owned() } else { shown.join(" ") }
}

/// A state in words.
pub(crate) fn state(request: &RequestView) -> String {
    let cause = request.cause.as_deref().unwrap_or_default();
    match request.state.as_str() {
        "pending_vendor" => "Waits for the vendor's manager".to_owned(),
        "pending_customer" => "Waits for the customer".to_owned(),
        "active" => "Access is open".to_owned(),
        "ended" => format!("Access has ended: {}", titles::ended(cause)),
        "vendor_denied" => "Rejected by the vendor's manager".to_owned(),
        "customer_denied" => "Rejected by the customer".to_owned(),
        "expired" if cause == "vendor" => "Expired: the vendor's manager did not answer".to_owned(),
        "expired" => "Expired: the customer did not answer".to_owned(),
        "withdrawn" if cause == "requester_disabled" => "Withdrawn: the engineer was disabled".to_owned(),
        "withdrawn" if cause == "ticket_closed" => "Withdrawn: the service request was closed".to_owned(),
        "withdrawn" => "Withdrawn by the engineer".to_owned(),
        other => other.to_owned(),
    }
}

/// A request in a list.
pub(crate) struct Row {
    pub id: String,
    /// Name for people.
    pub tenant: String,
    pub service_request: String,
    pub service: String,
    pub resource: String,
    pub requester: String,
    pub state: String,
    /// For the colour.
    pub kind: String,
    pub duration: String,
    pub submitted: Moment,
    /// What runs out next, and what that is.
    pub until: Option<(&'static str, Moment)>,
}

impl From<&RequestView> for Row {
    fn from(request: &RequestView) -> Self {
        let until = match request.state.as_str() {
            "pending_vendor" => Some(("Review by", request.review_deadline.into())),
            "pending_customer" => request.decision_deadline.map(|at| ("Decide by", at.into())),
            "active" => request.access_until.map(|at| ("Access until", at.into())),
            _ => None,
        };
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
            until,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn durations_read_like_people_say_them() {
        assert_eq!(super::duration(5400), "1 h 30 min");
        assert_eq!(super::duration(45), "45 s");
        assert_eq!(super::duration(12 * 3600), "12 h");
        assert_eq!(super::duration(0), "0 s");
    }
}
