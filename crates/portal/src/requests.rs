//! The pending page, which is the first page, and the list of all requests.

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use store::audit::AuditFilter;
use store::views::{RequestFilter, RequestView};
use uuid::Uuid;

use super::app::App;
use super::format::{Row, next_deadline};
use super::response::{PageError, PageResult, Query, render};
use super::session::Viewer;
use super::updates::version;
use super::visibility::{PAGE_LIMIT, request_scope};

/// Requests under a heading.
struct Section {
    title: &'static str,
    /// Shown when there are no requests.
    empty: &'static str,
    rows: Vec<Row>,
    /// The form token, in lists with a button that revokes access.
    revoke: Option<String>,
}

#[derive(Template)]
#[template(path = "pending.html")]
struct PendingPage {
    viewer: Viewer,
    version: String,
    sections: Vec<Section>,
    /// Whether a notification of the last day was not delivered.
    undelivered: bool,
}

pub(crate) async fn pending(State(app): State<App>, viewer: Viewer) -> PageResult {
    let scope = request_scope(&app, &viewer).await?;
    let version = version(app.store.open_requests_version(&scope).await?);
    let in_state = async |state: &str| -> Result<Vec<RequestView>, PageError> {
        let filter = RequestFilter { state: Some(state.to_owned()), open: true, ..scope.clone() };
        Ok(app.store.list_requests(&filter).await?)
    };
    let mut sections = Vec::new();
    let mut add = |title, empty, mut requests: Vec<RequestView>| {
        // What expires or ends next is on top.
        requests.sort_by_key(|request| next_deadline(request).map(|(_, at)| at));
        sections.push(Section { title, empty, rows: requests.iter().map(Row::from).collect(), revoke: None });
    };
    let (reviews, decisions) = (in_state("pending_vendor").await?, in_state("pending_customer").await?);
    if viewer.is_manager() {
        let others = reviews.into_iter().filter(|request| request.requester != viewer.person.name).collect();
        add("Pending your approval", "There are no requests for you to approve.", others);
        add("Pending customer approval", "There are no requests that are pending customer approval.", decisions);
    } else if viewer.is_vendor() {
        add("Pending vendor approval", "You have no requests that are pending vendor approval.", reviews);
        add("Pending customer approval", "You have no requests that are pending customer approval.", decisions);
    } else {
        add("Pending your approval", "There are no requests for you to approve.", decisions);
        add("Pending vendor approval", "There are no requests that are pending vendor approval.", reviews);
    }
    let to_acknowledge = RequestFilter { owed: true, ..scope.clone() };
    let to_acknowledge = app.store.list_requests(&to_acknowledge).await?;
    if !to_acknowledge.is_empty() {
        add("Break-glass access to acknowledge", "", to_acknowledge);
    }
    add("Active access", "There is no active access.", in_state("active").await?);
    if let Some(active) = sections.last_mut().filter(|_| viewer.is_approver() || viewer.is_manager()) {
        active.revoke = Some(viewer.form_token.clone());
    }
    let undelivered = viewer.may_audit() && has_undelivered(&app, &viewer).await?;
    render(&PendingPage { viewer, version, sections, undelivered })
}

/// Whether a notification that this person may know about failed or bounced within a day.
async fn has_undelivered(app: &App, viewer: &Viewer) -> Result<bool, PageError> {
    let filter = AuditFilter {
        type_name: Some("notification.failed".to_owned()),
        since: Some(app.store.clock().await? - TimeDelta::days(1)),
        limit: 1,
        ..AuditFilter::default()
    };
    Ok(!super::audit::search_events(app, viewer, filter).await?.events.is_empty())
}

#[derive(Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    service_request: String,
    #[serde(default)]
    state: String,
    /// The last request of the previous page: submission time in microseconds, and id.
    #[serde(default)]
    cursor: String,
}

impl ListQuery {
    fn after(&self) -> Option<(DateTime<Utc>, Uuid)> {
        let (micros, id) = self.cursor.split_once('.')?;
        let micros = micros.parse().ok().filter(|micros| store::audit::MICROSECONDS.contains(micros))?;
        Some((DateTime::from_timestamp_micros(micros)?, id.parse().ok()?))
    }

    /// The query of the next page.
    fn older(&self, last: &RequestView) -> String {
        let cursor = format!("{}.{}", last.submitted_at.timestamp_micros(), last.id.simple());
        let pairs = [("service_request", &self.service_request), ("state", &self.state), ("cursor", &cursor)];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish()
    }
}

/// Every state, with its label.
const STATES: [(&str, &str); 8] = [
    ("pending_vendor", "Pending vendor approval"),
    ("pending_customer", "Pending customer approval"),
    ("active", "Active"),
    ("ended", "Ended"),
    ("vendor_denied", "Denied by the vendor"),
    ("customer_denied", "Denied by the customer"),
    ("expired", "Expired"),
    ("withdrawn", "Withdrawn"),
];

#[derive(Template)]
#[template(path = "requests.html")]
struct RequestsPage {
    viewer: Viewer,
    states: [(&'static str, &'static str); 8],
    query: ListQuery,
    section: Section,
    older: Option<String>,
}

pub(crate) async fn list(State(app): State<App>, viewer: Viewer, Query(query): Query<ListQuery>) -> PageResult {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = RequestFilter {
        state: given(&query.state),
        service_request: given(&query.service_request),
        after: query.after(),
        ..request_scope(&app, &viewer).await?
    };
    let found = app.store.list_requests(&filter).await?;
    let is_full = i64::try_from(found.len()).unwrap_or_default() == PAGE_LIMIT;
    let older = found.last().filter(|_| is_full).map(|last| query.older(last));
    let rows = found.iter().map(Row::from).collect();
    let section = Section { title: "Newest first", empty: "No requests match.", rows, revoke: None };
    render(&RequestsPage { viewer, states: STATES, query, section, older })
}
