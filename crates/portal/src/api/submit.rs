//! Asking for access over HTTP, and sending anything once under an idempotency key.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use contracts::commands::SubmitRequest;
use contracts::envelope::{About, Message, message};
use contracts::{Kind, Traceparent};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::audit::AuditRow;
use store::tokens::Sent;
use uuid::Uuid;

use super::super::App;
use super::caller::Caller;
use super::input::Body;
use super::problem::{Answer, Problem, answer};
use super::read::request_json;
use runtime::answer::outcome_of;
use runtime::outcome::Failure;

/// How long a call waits for the truth.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a command.
pub(super) enum Outcome {
    /// These events followed.
    Done(Vec<AuditRow>),
    /// It is kept, and nothing followed yet.
    Kept(Uuid),
}

impl Outcome {
    /// The answer when nothing followed yet.
    pub fn kept(command: Uuid) -> Answer {
        let note = "stored; it takes effect as soon as the roles run. The events that follow name it as their cause";
        answer(StatusCode::ACCEPTED, json!({"command": command, "note": note}))
    }
}

/// The caller's name for this call, if they gave one.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let text = key.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > 128 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = "Idempotency-Key must have 1 to 128 visible ASCII characters, without spaces";
        return Err(Problem::unreadable(detail));
    }
    Ok(Some(text.to_owned()))
}

fn unsure(error: store::Error) -> Problem {
    Problem::unsure(error.into())
}

/// Keeps a command, once under its key, publishes it and waits for what became of it.
pub(super) async fn send(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    (kind, request): (Kind, Option<Uuid>),
    data: &(impl Serialize + Sync),
) -> Result<Outcome, Problem> {
    let about =
        About { request, channel: Some(caller.channel()), trace: Some(Traceparent::start()), ..About::default() };
    let now = app.store.clock().await?;
    let sent = message(kind, now, about, data);
    let sent = match key(headers)?.filter(|_| caller.has_keys()) {
        None => {
            app.store.enqueue(std::slice::from_ref(&sent)).await.map_err(unsure)?;
            app.relay.publish(vec![sent.clone()], Vec::new(), now).await;
            sent
        }
        Some(key) => {
            let mut hash = Sha256::new();
            hash.update(kind.key());
            hash.update(serde_json::to_vec(data).unwrap_or_default());
            match app.store.enqueue_once(caller.token.id, &key, &hash.finalize(), &sent).await.map_err(unsure)? {
                Sent::Fresh => {
                    app.relay.publish(vec![sent.clone()], Vec::new(), now).await;
                    sent
                }
                Sent::Before(id) => Message { id, ..sent },
                Sent::Other => {
                    let detail = "something else was sent under this Idempotency-Key before; take a new key";
                    return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail));
                }
            }
        }
    };
    match outcome_of(&app.store, &sent, PATIENCE).await {
        Ok(events) => Ok(Outcome::Done(events)),
        Err(Failure::TimedOut(_)) => Ok(Outcome::Kept(sent.id)),
        Err(failure) => Err(Problem::unsure(failure)),
    }
}

pub(super) async fn submit(State(app): State<App>, caller: Caller, headers: HeaderMap, body: Body) -> Answer {
    caller.may("requests:write")?;
    let asked: SubmitRequest = body.read()?;
    // A person asks for themselves; the ticketing system asks for whoever holds the ticket.
    if caller.token.person.as_ref().is_some_and(|person| person.name != asked.requester) {
        let detail = "requester must be the token's owner; a program's token may name any engineer";
        return Err(Problem::new(StatusCode::FORBIDDEN, "not_yourself", detail));
    }
    let events = match send(&app, &caller, &headers, (Kind::RequestSubmit, None), &asked).await? {
        Outcome::Done(events) => events,
        Outcome::Kept(command) => return Outcome::kept(command),
    };
    let id = events.iter().find_map(|event| event.request).ok_or_else(Problem::missing)?;
    let request = app.store.show_request(id).await?;
    let mut response = answer(StatusCode::CREATED, request_json(&request))?.into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/requests/{id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}
