//! The audit log for auditors, managers and approvers. People of a tenant see events of their tenant only.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use chrono::{DateTime, NaiveDateTime, Utc};
use domain::Side;
use serde::Deserialize;
use store::audit::{AuditFilter, AuditRow, Found as FoundEvents};
use store::searches::SavedSearch;
use uuid::Uuid;

use super::app::App;
use super::format::DisplayTime;
use super::response::{Form, PageError, PageResult, Query, redirect, render};
use super::session::Viewer;

/// Most events on a page.
const PAGE_LIMIT: i64 = 100;
/// Most events in an export.
const EXPORT_LIMIT: i64 = 100_000;
/// After this long a search shows its results so far, and offers to continue.
const SEARCH_TIMEOUT: Duration = Duration::from_millis(100);

/// The query of the page. A saved search is a saved query.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AuditQuery {
    request: String,
    service_request: String,
    person: String,
    pub(super) tenant: String,
    #[serde(rename = "type")]
    type_name: String,
    text: String,
    /// Id of the message that an event followed from.
    cause: String,
    pub(super) since: String,
    pub(super) until: String,
    format: String,
    cursor: String,
}

struct EventRow {
    id: String,
    at: DisplayTime,
    type_name: String,
    tenant: String,
    who: String,
    service_request: String,
    request: Option<String>,
    text: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    viewer: Viewer,
    query: AuditQuery,
    export: String,
    /// Name of the log in the address of its checkpoint.
    log: String,
    events: Vec<EventRow>,
    searches: Vec<SavedSearch>,
    /// Whether the log is complete, in a sentence.
    completeness: String,
    problem: Option<String>,
    /// Query of the next page.
    older: Option<String>,
    /// The time that the search reached before its timeout.
    stopped_at: Option<DisplayTime>,
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    viewer: Viewer,
    id: String,
    type_name: String,
    at: DisplayTime,
    recorded_at: DisplayTime,
    tenant: String,
    request: Option<String>,
    body: String,
}

/// Parses a time of a query; `None` when it is empty.
pub(super) fn parse_time(text: &str) -> Result<Option<DateTime<Utc>>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    // An unescaped `+` of a zone arrives as a space.
    let zoned = text.replace(' ', "+");
    let day =
        || Some(chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(chrono::NaiveTime::MIN).and_utc());
    let utc = |form| NaiveDateTime::parse_from_str(text, form).ok().map(|at| at.and_utc());
    let parsed = DateTime::parse_from_rfc3339(&zoned).ok().map(|at| at.to_utc());
    let parsed = parsed.or_else(|| utc("%Y-%m-%dT%H:%M")).or_else(|| utc("%Y-%m-%dT%H:%M:%S%.f")).or_else(day);
    parsed.map(Some).ok_or_else(|| format!("{text:?} is not a time; enter a time such as 2026-11-24T10:00:00Z"))
}

impl AuditQuery {
    pub(super) fn filter(&self, limit: i64) -> Result<AuditFilter, String> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let request = match self.request.trim() {
            "" => None,
            text => Some(text.parse::<Uuid>().map_err(|_| format!("request: {text:?} is not the id of a request"))?),
        };
        Ok(AuditFilter {
            request,
            service_request: given(&self.service_request),
            person: given(&self.person),
            tenant: given(&self.tenant),
            type_name: given(&self.type_name),
            cause: given(&self.cause),
            text: given(&self.text),
            since: parse_time(&self.since).map_err(|fault| format!("since: {fault}"))?,
            until: parse_time(&self.until).map_err(|fault| format!("until: {fault}"))?,
            after: match self.cursor.as_str() {
                "" => None,
                text => Some(
                    text.parse().map_err(|()| "cursor: must be `next` of the previous page, unchanged".to_owned())?,
                ),
            },
            limit,
        })
    }

    /// The query as text, without the cursor and the format.
    fn encode(&self) -> String {
        let pairs = [
            ("request", &self.request),
            ("service_request", &self.service_request),
            ("person", &self.person),
            ("tenant", &self.tenant),
            ("type", &self.type_name),
            ("text", &self.text),
            ("cause", &self.cause),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish()
    }
}

/// Short name of the tenant whose events this person sees; `None` for all tenants.
pub(super) async fn own_tenant(app: &App, viewer: &Viewer) -> Result<Option<String>, PageError> {
    if !viewer.may_audit() {
        return Err(PageError::NotFound);
    }
    let Side::Customer(id) = viewer.person.side else { return Ok(None) };
    let tenant = app.store.tenants().await?.into_iter().find(|tenant| tenant.id == id);
    tenant.map(|tenant| Some(tenant.name)).ok_or(PageError::NotFound)
}

/// Searches the events that this person may see, with a timeout.
pub(super) async fn search_events(app: &App, viewer: &Viewer, filter: AuditFilter) -> Result<FoundEvents, PageError> {
    search_events_for(app, viewer, filter, SEARCH_TIMEOUT).await
}

async fn search_events_for(
    app: &App,
    viewer: &Viewer,
    mut filter: AuditFilter,
    timeout: Duration,
) -> Result<FoundEvents, PageError> {
    if let Some(own) = own_tenant(app, viewer).await? {
        filter.tenant = Some(own);
    }
    Ok(app.store.search_audit_within(&filter, timeout).await?)
}

pub(crate) async fn search(State(app): State<App>, viewer: Viewer, Query(query): Query<AuditQuery>) -> PageResult {
    let (found, problem) = match query.filter(PAGE_LIMIT) {
        Ok(filter) => (search_events(&app, &viewer, filter).await?, None),
        Err(problem) => {
            own_tenant(&app, &viewer).await?;
            (FoundEvents::default(), Some(problem))
        }
    };
    let is_full = i64::try_from(found.events.len()).unwrap_or_default() == PAGE_LIMIT;
    let last = found.events.last().filter(|_| is_full).map(AuditRow::place);
    let older = found.stopped_at.or(last).map(|place| format!("{}&cursor={place}", query.encode()));
    let stopped_at = found.stopped_at.map(|place| DisplayTime::from(place.at));
    let tenants = app.store.tenants().await?;
    let name_of = |tenant: &str| {
        let known = tenants.iter().find(|known| known.name == tenant);
        known.map_or_else(|| tenant.to_owned(), |known| known.display_name.clone())
    };
    let events = found.events.iter().map(|event| {
        let data = runtime::output::data(&event.body);
        let actor = &data["actor"];
        let who = actor["display_name"].as_str().or_else(|| actor["name"].as_str()).unwrap_or("Lockbox");
        EventRow {
            id: event.id.to_string(),
            at: event.at.into(),
            type_name: event.type_name.clone(),
            tenant: event.tenant.as_deref().map(name_of).unwrap_or_default(),
            who: who.to_owned(),
            service_request: event.service_request.clone().unwrap_or_default(),
            request: event.request.map(|request| request.to_string()),
            text: runtime::output::summary(&data),
        }
    });
    let searches = app.store.searches(viewer.person.id.0).await?;
    let query_tenant = Some(query.tenant.trim().to_owned()).filter(|tenant| !tenant.is_empty());
    let tenant = own_tenant(&app, &viewer).await?.or(query_tenant);
    let completeness = super::completeness::sentence(&app.store, &app.counts, tenant.as_deref()).await?;
    render(&AuditPage {
        completeness,
        log: tenant.unwrap_or_else(|| super::log::OPERATOR.to_owned()),
        events: events.collect(),
        searches,
        export: query.encode(),
        viewer,
        query,
        problem,
        older,
        stopped_at,
    })
}

/// A search to save or to delete.
#[derive(Deserialize)]
pub(crate) struct SearchForm {
    form_token: String,
    name: String,
    #[serde(default)]
    query: String,
}

pub(crate) async fn save_search(State(app): State<App>, viewer: Viewer, Form(form): Form<SearchForm>) -> PageResult {
    viewer.check(&form.form_token)?;
    own_tenant(&app, &viewer).await?;
    let name = domain::text::one_line(&form.name);
    if let Some(problem) = domain::text::problem(&name, 64, false) {
        return Err(PageError::Invalid(format!("The name of the search {problem}")));
    }
    // Parsed and encoded again, so that only known parameters are saved.
    let query: AuditQuery =
        serde_urlencoded::from_str(&form.query).map_err(|error| PageError::Invalid(error.to_string()))?;
    app.store.save_search(viewer.person.id.0, &name, &query.encode()).await?;
    redirect(&format!("/audit?{}", query.encode()))
}

pub(crate) async fn delete_search(State(app): State<App>, viewer: Viewer, Form(form): Form<SearchForm>) -> PageResult {
    viewer.check(&form.form_token)?;
    own_tenant(&app, &viewer).await?;
    app.store.delete_search(viewer.person.id.0, &form.name).await?;
    redirect("/audit")
}

pub(crate) async fn export(State(app): State<App>, viewer: Viewer, Query(query): Query<AuditQuery>) -> PageResult {
    // One more, to find out whether the export would be incomplete.
    let filter = query.filter(EXPORT_LIMIT + 1).map_err(PageError::Invalid)?;
    let found = search_events_for(&app, &viewer, filter, Duration::from_secs(86_400)).await?.events;
    if i64::try_from(found.len()).unwrap_or(i64::MAX) > EXPORT_LIMIT {
        let text = format!(
            "More than {EXPORT_LIMIT} events match. Choose a shorter period, and export one period after the other."
        );
        return Err(PageError::Invalid(text));
    }
    let listing = operations::audit_listing::listing(&found);
    let (kind, name, text) = if query.format == "json" {
        let own = own_tenant(&app, &viewer).await?;
        let tenant = own.or_else(|| Some(query.tenant.trim().to_owned()).filter(|tenant| !tenant.is_empty()));
        let document = serde_json::json!({
            "complete": super::completeness::sentence(&app.store, &app.counts, tenant.as_deref()).await?,
            "events": listing.json,
        });
        ("application/json", "audit.json", document.to_string())
    } else {
        (
            "text/csv; charset=utf-8",
            "audit.csv",
            listing.csv().map_err(|failure| PageError::Unavailable(failure.to_string()))?,
        )
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], text).into_response())
}

pub(crate) async fn event(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> PageResult {
    let own = own_tenant(&app, &viewer).await?;
    let event = app.store.audit_event(id.parse().map_err(|_| PageError::NotFound)?).await?;
    if own.is_some() && own != event.tenant {
        return Err(PageError::NotFound);
    }
    let body = serde_json::from_slice::<serde_json::Value>(&event.body)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_default();
    render(&EventPage {
        viewer,
        id: event.id.to_string(),
        type_name: event.type_name,
        at: event.at.into(),
        recorded_at: event.recorded_at.into(),
        tenant: event.tenant.unwrap_or_default(),
        request: event.request.map(|request| request.to_string()),
        body,
    })
}
