//! The first page, with what waits for this person, and the history.

use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;
use store::views::{RequestFilter, RequestView};

use super::App;
use super::answer::{Answer, Fault, page};
use super::look::Row;
use super::session::Viewer;

/// Most requests on one page.
const PAGE_LIMIT: i64 = 100;

/// Requests under a heading.
struct Section {
    title: &'static str,
    empty: &'static str,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    viewer: Viewer,
    sections: Vec<Section>,
}

/// The part of all requests that this person sees: their tenant's, their own, or all.
async fn scope(app: &App, viewer: &Viewer) -> Result<RequestFilter, Fault> {
    let mut filter = RequestFilter { limit: PAGE_LIMIT, ..RequestFilter::default() };
    match viewer.person.side {
        domain::Side::Customer(id) => {
            let tenants = app.store.tenants().await?;
            let tenant = tenants.into_iter().find(|tenant| tenant.id == id).ok_or(Fault::Missing)?;
            filter.tenant = Some(tenant.name);
        }
        domain::Side::Vendor if viewer.is_manager() || viewer.is(domain::Role::Auditor) => {}
        domain::Side::Vendor => filter.requester = Some(viewer.person.name.clone()),
    }
    Ok(filter)
}

pub(crate) async fn home(State(app): State<App>, viewer: Viewer) -> Answer {
    let scope = scope(&app, &viewer).await?;
    let of_state = async |state: &str| -> Result<Vec<RequestView>, Fault> {
        let filter = RequestFilter { state: Some(state.to_owned()), open: true, ..scope.clone() };
        Ok(app.store.list_requests(&filter).await?)
    };
    let mut sections = Vec::new();
    let mut add = |title, empty, requests: Vec<RequestView>| {
        sections.push(Section { title, empty, rows: requests.iter().map(Row::from).collect() });
    };
    let (reviews, decisions) = (of_state("awaiting_manager").await?, of_state("awaiting_customer").await?);
    if viewer.is_manager() {
        let others = reviews.into_iter().filter(|request| request.requester != viewer.person.name).collect();
        add("Waits for your review", "Nothing waits for you.", others);
        add("Waits for customers", "Nothing waits for a customer.", decisions);
    } else if viewer.is_vendor() {
        add("Waits for a manager", "Nothing of yours waits for a manager.", reviews);
        add("Waits for the customer", "Nothing of yours waits for a customer.", decisions);
    } else {
        add("Waits for your decision", "Nothing waits for you.", decisions);
        add("Still with the vendor", "The vendor is preparing nothing.", reviews);
    }
    add("Open access", "No access is open.", of_state("granted").await?);
    page(&HomePage { viewer, sections })
}

#[derive(Deserialize)]
pub(crate) struct HistoryQuery {
    #[serde(default)]
    service_request: String,
    #[serde(default)]
    state: String,
}

/// Every state with its words.
const STATES: [(&str, &str); 8] = [
    ("awaiting_manager", "waits for the manager"),
    ("awaiting_customer", "waits for the customer"),
    ("granted", "access open"),
    ("ended", "access ended"),
    ("manager_rejected", "rejected by the manager"),
    ("customer_rejected", "rejected by the customer"),
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
}

pub(crate) async fn history(State(app): State<App>, viewer: Viewer, Query(query): Query<HistoryQuery>) -> Answer {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = RequestFilter {
        state: given(&query.state),
        service_request: given(&query.service_request),
        ..scope(&app, &viewer).await?
    };
    let rows = app.store.list_requests(&filter).await?.iter().map(Row::from).collect();
    let section = Section { title: "Requests, newest first", empty: "Nothing found.", rows };
    page(&HistoryPage { viewer, states: STATES, query, section })
}
