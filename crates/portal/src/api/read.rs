//! Reads requests, grants, access reports and the audit log over HTTP.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};
use store::audit::{AuditFilter, AuditRow};
use store::views::{RequestFilter, RequestView};

use super::super::app::App;
use super::super::audit;
use super::caller::Caller;
use super::input::Params;
use super::problem::{ApiResult, Problem, json_response};

use operations::access_report::AccessReport;
use operations::documents::access_json;
pub(super) use operations::documents::request_json;

/// Most entries on one page.
const PAGE_LIMIT: i64 = 200;
/// States of a request.
const STATES: [&str; 8] = [
    "pending_vendor",
    "pending_customer",
    "active",
    "ended",
    "vendor_denied",
    "customer_denied",
    "expired",
    "withdrawn",
];

#[derive(Deserialize)]
pub(super) struct Page {
    limit: Option<String>,
    cursor: Option<String>,
    state: Option<String>,
    tenant: Option<String>,
    service_request: Option<String>,
    requester: Option<String>,
    open: Option<String>,
    owed: Option<String>,
}

fn limit(given: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = given else { return Ok(50) };
    let invalid = || Problem::invalid(format!("limit must be a whole number from 1 to {PAGE_LIMIT}, not {text:?}"));
    text.parse().ok().filter(|limit| (1..=PAGE_LIMIT).contains(limit)).ok_or_else(invalid)
}

fn flag(name: &str, given: Option<&str>) -> Result<bool, Problem> {
    match given {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(text) => Err(Problem::invalid(format!("{name} must be true or false, not {text:?}"))),
    }
}

fn state(given: Option<String>) -> Result<Option<String>, Problem> {
    match given {
        Some(name) if !STATES.contains(&name.as_str()) => {
            Err(Problem::invalid(format!("state must be one of {}, not {name:?}", STATES.join(", "))))
        }
        given => Ok(given),
    }
}

/// Cursor of the next page: time and id of the last request.
fn cursor(request: &RequestView) -> String {
    format!("{}.{}", request.submitted_at.timestamp_micros(), request.id.simple())
}

fn parse_cursor(cursor: &str) -> Result<(DateTime<chrono::Utc>, uuid::Uuid), Problem> {
    let parse = || {
        let (micros, id) = cursor.split_once('.')?;
        let micros = micros.parse().ok().filter(|micros| store::audit::MICROSECONDS.contains(micros))?;
        let id: uuid::Uuid = id.parse().ok()?;
        // Each cursor has one form; another form of the same cursor is refused.
        let is_canonical = format!("{micros}.{}", id.simple()) == cursor;
        Some((DateTime::from_timestamp_micros(micros).filter(|_| is_canonical)?, id))
    };
    parse().ok_or_else(|| Problem::invalid("cursor: must be `next` of the previous page, unchanged"))
}

pub(super) async fn list(State(app): State<App>, caller: Caller, Params(page): Params<Page>) -> ApiResult {
    caller.may("requests:read")?;
    let scope = caller.scope(&app).await?;
    let limit = limit(page.limit.as_deref())?;
    let own = scope.tenant.clone();
    let is_other_tenant = own.is_some() && page.tenant.is_some() && own != page.tenant;
    let filter = RequestFilter {
        state: state(page.state)?,
        tenant: own.or(page.tenant),
        service_request: page.service_request,
        open: flag("open", page.open.as_deref())?,
        requester: scope.requester.or(page.requester),
        after: page.cursor.as_deref().map(parse_cursor).transpose()?,
        owed: flag("owed", page.owed.as_deref())?,
        // One more, to find out whether there is a next page.
        limit: limit + 1,
    };
    if is_other_tenant {
        return json_response(StatusCode::OK, json!({"requests": [], "next": null}));
    }
    let mut found = app.store.list_requests(&filter).await?;
    let page_size = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = if found.len() > page_size { found.get(page_size - 1).map(cursor) } else { None };
    found.truncate(page_size);
    let requests: Vec<Value> = found.iter().map(request_json).collect();
    json_response(StatusCode::OK, json!({"requests": requests, "next": next}))
}

pub(super) async fn show(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> ApiResult {
    caller.may("requests:read")?;
    let (request, _) = caller.load_request(&app, &id).await?;
    json_response(StatusCode::OK, operations::documents::request_document(&app.store, &request).await?)
}

fn events_json(events: &[AuditRow]) -> Value {
    let event = |event: &AuditRow| serde_json::from_slice::<Value>(&event.body).unwrap_or_default();
    events.iter().map(event).collect()
}

pub(super) async fn events(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> ApiResult {
    caller.may("requests:read")?;
    let (request, _) = caller.load_request(&app, &id).await?;
    let filter = AuditFilter { request: Some(request.id), limit: 1000, ..AuditFilter::default() };
    let mut events = app.store.search_audit(&filter).await?;
    events.reverse();
    json_response(StatusCode::OK, json!({"events": events_json(&events)}))
}

/// The owner and the scopes of the token.
pub(super) async fn me(caller: Caller) -> ApiResult {
    caller.may("requests:read")?;
    let token = &caller.token;
    let person = token.person.as_ref();
    json_response(
        StatusCode::OK,
        json!({
            "token": token.name, "scopes": token.scopes, "person": person.map(|person| &person.name),
            "display_name": person.map(|person| &person.display_name),
        }),
    )
}

pub(super) async fn grants(State(app): State<App>, caller: Caller) -> ApiResult {
    caller.may("requests:read")?;
    let filter = RequestFilter { limit: 1000, ..caller.scope(&app).await? };
    let found = app.store.grants(&filter).await?;
    json_response(StatusCode::OK, json!({"grants": found.iter().map(access_json).collect::<Vec<_>>()}))
}

pub(super) async fn report(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> ApiResult {
    caller.may("requests:read")?;
    let (request, _) = caller.load_request(&app, &id).await?;
    let too_early = || {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no access report yet, because access has not ended")
    };
    let report = AccessReport::of(&app.store, &request).await?.ok_or_else(too_early)?;
    json_response(StatusCode::OK, report.json(&request))
}

#[derive(Deserialize)]
pub(super) struct Limit {
    limit: Option<String>,
}

pub(super) async fn audit(
    State(app): State<App>,
    caller: Caller,
    Params(page): Params<Limit>,
    Params(query): Params<audit::AuditQuery>,
) -> ApiResult {
    caller.may("audit:read")?;
    let limit = limit(page.limit.as_deref())?;
    // One more, to find out whether there is a next page.
    let filter = query.filter(limit + 1).map_err(Problem::invalid)?;
    let viewer = caller.viewer().ok_or_else(Problem::not_found)?;
    let found = audit::search_events(&app, &viewer, filter).await?;
    let (mut events, stopped_at) = (found.events, found.stopped_at);
    let page_size = usize::try_from(limit).unwrap_or(usize::MAX);
    let last = if events.len() > page_size { events.get(page_size - 1).map(AuditRow::place) } else { None };
    let next = last.or(stopped_at).map(|place| place.to_string());
    events.truncate(page_size);
    let archived_before = app.store.archived_before().await?.map(runtime::output::time);
    let body = json!({"events": events_json(&events), "next": next, "archived_before": archived_before});
    json_response(StatusCode::OK, body)
}
