//! The first page, with what waits for this person, and the history.

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use store::audit::AuditFilter;
use store::views::{RequestFilter, RequestView};
use uuid::Uuid;

use super::App;
use super::answer::{Answer, Fault, Query, page};
use super::live::pulse;
use super::look::Row;
use super::session::Viewer;

/// Most requests on one page.
const PAGE_LIMIT: i64 = 100;

/// Requests under a heading.
struct Section {
    title: &'static str,
    empty: &'static str,
    rows: Vec<Row>,
    /// The form's token, where open access can be ended from the list.
    end: Option<String>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    viewer: Viewer,
    pulse: String,
    sections: Vec<Section>,
    /// Somebody was not told of something in the last day.
    undelivered: bool,
}

/// The part of all requests that this person sees: their tenant's, their own, or all. As `sight::see` does for one
/// request: belonging to a tenant is not enough, a role is needed.
pub(super) async fn scope(app: &App, viewer: &Viewer) -> Result<RequestFilter, Fault> {
    let mut filter = RequestFilter { limit: PAGE_LIMIT, ..RequestFilter::default() };
    match viewer.person.side {
        domain::Side::Customer(id) => {
            let tenants = app.store.tenants().await?;
            let tenant = tenants.into_iter().find(|tenant| tenant.id == id).ok_or(Fault::Missing)?;
            filter.tenant = Some(tenant.name);
            if !viewer.is_approver() && !viewer.is(domain::Role::Auditor) {
                filter.requester = Some(viewer.person.name.clone());
            }
        }
        domain::Side::Vendor if viewer.is_manager() || viewer.is(domain::Role::Auditor) => {}
        domain::Side::Vendor => filter.requester = Some(viewer.person.name.clone()),
    }
    Ok(filter)
}

pub(crate) async fn home(State(app): State<App>, viewer: Viewer) -> Answer {
    let scope = scope(&app, &viewer).await?;
    let pulse = pulse(app.store.open_pulse(&scope).await?);
    let of_state = async |state: &str| -> Result<Vec<RequestView>, Fault> {
        let filter = RequestFilter { state: Some(state.to_owned()), open: true, ..scope.clone() };
        Ok(app.store.list_requests(&filter).await?)
    };
    let mut sections = Vec::new();
    let mut add = |title, empty, requests: Vec<RequestView>| {
        sections.push(Section { title, empty, rows: requests.iter().map(Row::from).collect(), end: None });
    };
    let (reviews, decisions) = (of_state("pending_vendor").await?, of_state("pending_customer").await?);
    if viewer.is_manager() {
        let others = reviews.into_iter().filter(|request| request.requester != viewer.person.name).collect();
        add("Waits for your review", "Nothing waits for you.", others);
        add("Waits for customers", "Nothing waits for a customer.", decisions);
    } else if viewer.is_vendor() {
        add("Waits for a manager", "Nothing of yours waits for a manager.", reviews);
        add("Waits for the customer", "Nothing of yours waits for a customer.", decisions);
    } else {
        add("Waits for your decision", "Nothing waits for you.", decisions);
        add("ReadSnapshot with the vendor", "The vendor is preparing nothing.", reviews);
    }
    let owed = RequestFilter { owed: true, ..scope.clone() };
    let owed = app.store.list_requests(&owed).await?;
    if !owed.is_empty() {
        add("Emergencies that are owed a review", "", owed);
    }
    add("Open access", "No access is open.", of_state("active").await?);
    if let Some(open) = sections.last_mut().filter(|_| viewer.is_approver() || viewer.is_manager()) {
        open.end = Some(viewer.form_token.clone());
    }
    let undelivered = viewer.may_audit() && undelivered(&app, &viewer).await?;
    page(&HomePage { viewer, pulse, sections, undelivered })
}

/// Whether a mail that this person may know about was given up on or came back within a day.
async fn undelivered(app: &App, viewer: &Viewer) -> Result<bool, Fault> {
    let filter = AuditFilter {
        type_name: Some("notification.failed".to_owned()),
        since: Some(app.store.clock().await? - TimeDelta::days(1)),
        limit: 1,
        ..AuditFilter::default()
    };
    Ok(!super::audit::look(app, viewer, filter).await?.events.is_empty())
}

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    #[serde(default)]
    service_request: String,
    #[serde(default)]
    state: String,
    /// The last request of the page before: submitted at, in microseconds, and id.
    #[serde(default)]
    cursor: String,
}

impl HistoryQuery {
    fn after(&self) -> Option<(DateTime<Utc>, Uuid)> {
        let (micros, id) = self.cursor.split_once('.')?;
        let micros = micros.parse().ok().filter(|micros| store::audit::MICROSECONDS.contains(micros))?;
        Some((DateTime::from_timestamp_micros(micros)?, id.parse().ok()?))
    }

    /// The address of the page behind this one.
    fn older(&self, last: &RequestView) -> String {
        let cursor = format!("{}.{}", last.submitted_at.timestamp_micros(), last.id.simple());
        let pairs = [("service_request", &self.service_request), ("state", &self.state), ("cursor", &cursor)];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish()
    }
}

/// Every state with its words.
const STATES: [(&str, &str); 8] = [
    ("pending_vendor", "waits for the manager"),
    ("pending_customer", "waits for the customer"),
    ("active", "access open"),
    ("ended", "access ended"),
    ("vendor_denied", "rejected by the manager"),
    ("customer_denied", "rejected by the customer"),
    ("expired", "expired"),
    ("withdrawn", "withdrawn"),
];

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    viewer: Viewer,
    states: [(&'static str, &'static str); 8],
    query: HistoryQuery,
    section: Section,
    older: Option<String>,
}

pub(crate) async fn history(State(app): State<App>, viewer: Viewer, Query(query): Query<HistoryQuery>) -> Answer {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = RequestFilter {
        state: given(&query.state),
        service_request: given(&query.service_request),
        after: query.after(),
        ..scope(&app, &viewer).await?
    };
    let found = app.store.list_requests(&filter).await?;
    let is_full = i64::try_from(found.len()).unwrap_or_default() == PAGE_LIMIT;
    let older = found.last().filter(|_| is_full).map(|last| query.older(last));
    let rows = found.iter().map(Row::from).collect();
    let section = Section { title: "Requests, newest first", empty: "Nothing found.", rows, end: None };
    page(&HistoryPage { viewer, states: STATES, query, section, older })
}
