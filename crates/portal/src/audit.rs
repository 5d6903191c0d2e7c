//! The audit log as auditors, managers and approvers search it. A tenant's people see their tenant's events only.

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

use super::App;
use super::answer::{Answer, Fault, Filled, Query, go, page};
use super::look::Moment;
use super::session::Viewer;

/// Most events on a page.
const PAGE_LIMIT: i64 = 100;
/// Most events in an export.
const EXPORT_LIMIT: i64 = 100_000;
/// After this long a search shows what it has, and offers to go on.
const PATIENCE: Duration = Duration::from_millis(100);

/// What to look for, as in the address of the page: a search is kept by keeping its address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
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

struct Found {
    id: String,
    at: Moment,
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
    asked: Asked,
    export: String,
    /// Name of the log that is looked at, as its checkpoint's address has it.
    log: String,
    found: Vec<Found>,
    searches: Vec<SavedSearch>,
    /// Whether anything is missing, in a sentence.
    complete: String,
    problem: Option<String>,
    /// The page behind this one.
    older: Option<String>,
    /// How far back this search came before its time was over.
    stopped_at: Option<Moment>,
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    viewer: Viewer,
    id: String,
    type_name: String,
    at: Moment,
    recorded_at: Moment,
    tenant: String,
    request: Option<String>,
    body: String,
}

pub(super) fn moment(text: &str) -> Result<Option<DateTime<Utc>>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    // In a query an unescaped `+` of a zone arrives as a space.
    let zoned = text.replace(' ', "+");
    let day =
        || Some(chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(chrono::NaiveTime::MIN).and_utc());
    let utc = |form| NaiveDateTime::parse_from_str(text, form).ok().map(|at| at.and_utc());
    let parsed = DateTime::parse_from_rfc3339(&zoned).ok().map(|at| at.to_utc());
    let parsed = parsed.or_else(|| utc("%Y-%m-%dT%H:%M")).or_else(|| utc("%Y-%m-%dT%H:%M:%S%.f")).or_else(day);
    parsed.map(Some).ok_or_else(|| format!("{text:?} is not a time; write 2026-11-24T10:00:00Z"))
}

impl Asked {
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
            since: moment(&self.since).map_err(|fault| format!("since: {fault}"))?,
            until: moment(&self.until).map_err(|fault| format!("until: {fault}"))?,
            after: match self.cursor.as_str() {
                "" => None,
                text => Some(text.parse().map_err(|()| "cursor: take `next` of the page before as it is".to_owned())?),
            },
            limit,
        })
    }

    fn address(&self) -> String {
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

/// Short name of the tenant whose events this person sees; `None` is all.
pub(super) async fn own_tenant(app: &App, viewer: &Viewer) -> Result<Option<String>, Fault> {
    if !viewer.may_audit() {
        return Err(Fault::Missing);
    }
    let Side::Customer(id) = viewer.person.side else { return Ok(None) };
    let tenant = app.store.tenants().await?.into_iter().find(|tenant| tenant.id == id);
    tenant.map(|tenant| Some(tenant.name)).ok_or(Fault::Missing)
}

/// Searches as this person may, for a while.
pub(super) async fn look(app: &App, viewer: &Viewer, filter: AuditFilter) -> Result<FoundEvents, Fault> {
    look_for(app, viewer, filter, PATIENCE).await
}

async fn look_for(
    app: &App,
    viewer: &Viewer,
    mut filter: AuditFilter,
    patience: Duration,
) -> Result<FoundEvents, Fault> {
    if let Some(own) = own_tenant(app, viewer).await? {
        filter.tenant = Some(own);
    }
    Ok(app.store.search_audit_within(&filter, patience).await?)
}

pub(crate) async fn search(State(app): State<App>, viewer: Viewer, Query(asked): Query<Asked>) -> Answer {
    let (found, problem) = match asked.filter(PAGE_LIMIT) {
        Ok(filter) => (look(&app, &viewer, filter).await?, None),
        Err(problem) => {
            own_tenant(&app, &viewer).await?;
            (FoundEvents::default(), Some(problem))
        }
    };
    let is_full = i64::try_from(found.events.len()).unwrap_or_default() == PAGE_LIMIT;
    let last = found.events.last().filter(|_| is_full).map(AuditRow::place);
    let older = found.stopped_at.or(last).map(|place| format!("{}&cursor={place}", asked.address()));
    let stopped_at = found.stopped_at.map(|place| Moment::from(place.at));
    let tenants = app.store.tenants().await?;
    let name_of = |tenant: &str| {
        let known = tenants.iter().find(|known| known.name == tenant);
        known.map_or_else(|| tenant.to_owned(), |known| known.display_name.clone())
    };
    let found = found.events.iter().map(|event| {
        let data = runtime::output::data(&event.body);
        let actor = &data["actor"];
        let who = actor["display_name"].as_str().or_else(|| actor["name"].as_str()).unwrap_or("Lockbox");
        Found {
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
    let asked_tenant = Some(asked.tenant.trim().to_owned()).filter(|tenant| !tenant.is_empty());
    let tenant = own_tenant(&app, &viewer).await?.or(asked_tenant);
    let complete = super::complete::sentence(&app, tenant.as_deref()).await?;
    page(&AuditPage {
        complete,
        log: tenant.unwrap_or_else(|| super::log::OPERATOR.to_owned()),
        found: found.collect(),
        searches,
        export: asked.address(),
        viewer,
        asked,
        problem,
        older,
        stopped_at,
    })
}

/// A search to keep, or to forget.
#[derive(Deserialize)]
pub(crate) struct Named {
    form_token: String,
    name: String,
    #[serde(default)]
    query: String,
}

pub(crate) async fn keep(State(app): State<App>, viewer: Viewer, Filled(named): Filled<Named>) -> Answer {
    viewer.check(&named.form_token)?;
    own_tenant(&app, &viewer).await?;
    let name = domain::text::one_line(&named.name);
    if let Some(problem) = domain::text::problem(&name, 64, false) {
        return Err(Fault::Unreadable(format!("the name of the search {problem}")));
    }
    // Read and written again: only what the form knows is kept.
    let asked: Asked =
        serde_urlencoded::from_str(&named.query).map_err(|fault| Fault::Unreadable(fault.to_string()))?;
    app.store.save_search(viewer.person.id.0, &name, &asked.address()).await?;
    go(&format!("/audit?{}", asked.address()))
}

pub(crate) async fn forget(State(app): State<App>, viewer: Viewer, Filled(named): Filled<Named>) -> Answer {
    viewer.check(&named.form_token)?;
    own_tenant(&app, &viewer).await?;
    app.store.delete_search(viewer.person.id.0, &named.name).await?;
    go("/audit")
}

pub(crate) async fn export(State(app): State<App>, viewer: Viewer, Query(asked): Query<Asked>) -> Answer {
    // One more, to know whether something would be left out.
    let filter = asked.filter(EXPORT_LIMIT + 1).map_err(Fault::Unreadable)?;
    let found = look_for(&app, &viewer, filter, Duration::from_secs(86_400)).await?.events;
    if i64::try_from(found.len()).unwrap_or(i64::MAX) > EXPORT_LIMIT {
        let text =
            format!("more than {EXPORT_LIMIT} events match; choose a shorter time and export one after the other");
        return Err(Fault::Unreadable(text));
    }
    let listing = operations::audit_listing::listing(&found);
    let (kind, name, text) = if asked.format == "json" {
        let own = own_tenant(&app, &viewer).await?;
        let tenant = own.or_else(|| Some(asked.tenant.trim().to_owned()).filter(|tenant| !tenant.is_empty()));
        let document = serde_json::json!({
            "complete": super::complete::sentence(&app, tenant.as_deref()).await?,
            "events": listing.json,
        });
        ("application/json", "audit.json", document.to_string())
    } else {
        ("text/csv; charset=utf-8", "audit.csv", listing.csv().map_err(|failure| Fault::Away(failure.to_string()))?)
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], text).into_response())
}

pub(crate) async fn event(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Answer {
    let own = own_tenant(&app, &viewer).await?;
    let event = app.store.audit_event(id.parse().map_err(|_| Fault::Missing)?).await?;
    if own.is_some() && own != event.tenant {
        return Err(Fault::Missing);
    }
    let body = serde_json::from_slice::<serde_json::Value>(&event.body)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_default();
    page(&EventPage {
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
