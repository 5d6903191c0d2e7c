//! Looking at requests and at the audit log over HTTP.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};
use store::audit::{AuditFilter, AuditRow};
use store::views::{RequestFilter, RequestView};

use super::super::App;
use super::super::audit;
use super::caller::Caller;
use super::input::Params;
use super::problem::{Answer, Problem, answer};

use operations::access_report::AccessReport;
use operations::documents::access_json;
pub(super) use operations::documents::request_json;

/// Most entries on one page.
const PAGE_LIMIT: i64 = 200;
/// States of a request, as the description lists them.
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

fn limit(asked: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = asked else { return Ok(50) };
    let wrong = || Problem::unreadable(format!("limit must be a whole number from 1 to {PAGE_LIMIT}, not {text:?}"));
    text.parse().ok().filter(|limit| (1..=PAGE_LIMIT).contains(limit)).ok_or_else(wrong)
}

fn flag(name: &str, asked: Option<&str>) -> Result<bool, Problem> {
    match asked {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(text) => Err(Problem::unreadable(format!("{name} must be true or false, not {text:?}"))),
    }
}

fn state(asked: Option<String>) -> Result<Option<String>, Problem> {
    match asked {
        Some(name) if !STATES.contains(&name.as_str()) => {
            Err(Problem::unreadable(format!("state must be one of {}, not {name:?}", STATES.join(", "))))
        }
        asked => Ok(asked),
    }
}

/// Where a page ended: time and id of its last request.
fn cursor(request: &RequestView) -> String {
    format!("{}.{}", request.submitted_at.timestamp_micros(), request.id.simple())
}

fn after(cursor: &str) -> Result<(DateTime<chrono::Utc>, uuid::Uuid), Problem> {
    let read = || {
        let (micros, id) = cursor.split_once('.')?;
        let micros = micros.parse().ok().filter(|micros| store::audit::MICROSECONDS.contains(micros))?;
        let id: uuid::Uuid = id.parse().ok()?;
        // One way to write each: what reads the same but is written differently is refused.
        let is_written_so = format!("{micros}.{}", id.simple()) == cursor;
        Some((DateTime::from_timestamp_micros(micros).filter(|_| is_written_so)?, id))
    };
    read().ok_or_else(|| Problem::unreadable("cursor: take `next` of the page before as it is"))
}

pub(super) async fn list(State(app): State<App>, caller: Caller, Params(page): Params<Page>) -> Answer {
    caller.may("requests:read")?;
    let scope = caller.scope(&app).await?;
    let limit = limit(page.limit.as_deref())?;
    let own = scope.tenant.clone();
    let elsewhere = own.is_some() && page.tenant.is_some() && own != page.tenant;
    let filter = RequestFilter {
        state: state(page.state)?,
        tenant: own.or(page.tenant),
        service_request: page.service_request,
        open: flag("open", page.open.as_deref())?,
        requester: scope.requester.or(page.requester),
        after: page.cursor.as_deref().map(after).transpose()?,
        owed: flag("owed", page.owed.as_deref())?,
        // One more, to know whether there is a next page.
        limit: limit + 1,
    };
    if elsewhere {
        return answer(StatusCode::OK, json!({"requests": [], "next": null}));
    }
    let mut found = app.store.list_requests(&filter).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = if found.len() > wanted { found.get(wanted - 1).map(cursor) } else { None };
    found.truncate(wanted);
    let requests: Vec<Value> = found.iter().map(request_json).collect();
    answer(StatusCode::OK, json!({"requests": requests, "next": next}))
}

pub(super) async fn show(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.may("requests:read")?;
    let (request, _) = caller.find(&app, &id).await?;
    answer(StatusCode::OK, operations::documents::request_document(&app.store, &request).await?)
}

fn events_json(events: &[AuditRow]) -> Value {
    let event = |event: &AuditRow| serde_json::from_slice::<Value>(&event.body).unwrap_or_default();
    events.iter().map(event).collect()
}

pub(super) async fn events(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.may("requests:read")?;
    let (request, _) = caller.find(&app, &id).await?;
    let filter = AuditFilter { request: Some(request.id), limit: 1000, ..AuditFilter::default() };
    let mut events = app.store.search_audit(&filter).await?;
    events.reverse();
    answer(StatusCode::OK, json!({"events": events_json(&events)}))
}

/// Whose token this is.
pub(super) async fn me(caller: Caller) -> Answer {
    caller.may("requests:read")?;
    let token = &caller.token;
    let person = token.person.as_ref();
    answer(
        StatusCode::OK,
        json!({
            "token": token.name, "scopes": token.scopes, "person": person.map(|person| &person.name),
            "display_name": person.map(|person| &person.display_name),
        }),
    )
}

pub(super) async fn grants(State(app): State<App>, caller: Caller) -> Answer {
    caller.may("requests:read")?;
    let filter = RequestFilter { limit: 1000, ..caller.scope(&app).await? };
    let found = app.store.grants(&filter).await?;
    answer(StatusCode::OK, json!({"grants": found.iter().map(access_json).collect::<Vec<_>>()}))
}

pub(super) async fn report(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.may("requests:read")?;
    let (request, _) = caller.find(&app, &id).await?;
    let early = || Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no report yet: no access is over");
    let closing = AccessReport::of(&app.store, &request).await?.ok_or_else(early)?;
    answer(StatusCode::OK, closing.json(&request))
}

#[derive(Deserialize)]
pub(super) struct Limit {
    limit: Option<String>,
}

pub(super) async fn audit(
    State(app): State<App>,
    caller: Caller,
    Params(page): Params<Limit>,
    Params(asked): Params<audit::Asked>,
) -> Answer {
    caller.may("audit:read")?;
    let limit = limit(page.limit.as_deref())?;
    // One more, to know whether there is a next page.
    let filter = asked.filter(limit + 1).map_err(Problem::unreadable)?;
    let viewer = caller.viewer().ok_or_else(Problem::missing)?;
    let found = audit::look(&app, &viewer, filter).await?;
    let (mut events, stopped_at) = (found.events, found.stopped_at);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let last = if events.len() > wanted { events.get(wanted - 1).map(AuditRow::place) } else { None };
    let next = last.or(stopped_at).map(|place| place.to_string());
    events.truncate(wanted);
    let archived_before = app.store.archived_before().await?.map(runtime::output::time);
    answer(StatusCode::OK, json!({"events": events_json(&events), "next": next, "archived_before": archived_before}))
}
