//! Requests access over HTTP, and submits commands once for each idempotency key.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use contracts::commands::SubmitRequest;
use contracts::envelope::{About, Message, message};
use contracts::{Kind, Traceparent};
use runtime::answer::outcome_of;
use runtime::outcome::Failure;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::audit::AuditRow;
use store::tokens::Sent;
use uuid::Uuid;

use super::super::app::App;
use super::caller::Caller;
use super::input::Body;
use super::problem::{ApiResult, Problem, json_response};
use super::read::request_json;

/// How long a call waits for the result of its command.
const RESULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The result of a command.
pub(super) enum Outcome {
    /// These events followed.
    Done(Vec<AuditRow>),
    /// It is stored, and no events followed yet. The id of the command.
    Stored(Uuid),
}

impl Outcome {
    /// The response when no events followed yet.
    pub fn stored(command: Uuid) -> ApiResult {
        let note = "The command is stored and takes effect as soon as the workers run. The events that follow have its id as causationid.";
        json_response(StatusCode::ACCEPTED, json!({"command": command, "note": note}))
    }
}

/// The idempotency key of the call.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let text = key.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > 128 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = "Idempotency-Key must have 1 to 128 visible ASCII characters, without spaces";
        return Err(Problem::invalid(detail));
    }
    Ok(Some(text.to_owned()))
}

fn unknown_outcome(error: store::Error) -> Problem {
    Problem::unknown_outcome(error.into())
}

/// Stores a command, once for its idempotency key, publishes it, and waits for its result.
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
    let sent = match idempotency_key(headers)? {
        None => {
            app.store.enqueue(std::slice::from_ref(&sent)).await.map_err(unknown_outcome)?;
            app.relay.publish(vec![sent.clone()], Vec::new(), now).await;
            sent
        }
        Some(key) => {
            let mut hash = Sha256::new();
            hash.update(kind.key());
            hash.update(serde_json::to_vec(data).unwrap_or_default());
            match app
                .store
                .enqueue_once(caller.token.id, &key, &hash.finalize(), &sent)
                .await
                .map_err(unknown_outcome)?
            {
                Sent::Fresh => {
                    app.relay.publish(vec![sent.clone()], Vec::new(), now).await;
                    sent
                }
                Sent::Before(id) => Message { id, ..sent },
                Sent::Other => {
                    let detail = "this Idempotency-Key was used for another call; use a new key";
                    return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail));
                }
            }
        }
    };
    match outcome_of(&app.store, &sent, RESULT_TIMEOUT).await {
        Ok(events) => Ok(Outcome::Done(events)),
        Err(Failure::TimedOut(_)) => Ok(Outcome::Stored(sent.id)),
        Err(failure) => Err(Problem::unknown_outcome(failure)),
    }
}

pub(super) async fn submit(State(app): State<App>, caller: Caller, headers: HeaderMap, body: Body) -> ApiResult {
    caller.may("requests:write")?;
    let data: SubmitRequest = body.read()?;
    // A person submits their own requests; a ticketing system submits them for any requester.
    if caller.token.person.as_ref().is_some_and(|person| person.name != data.requester) {
        let detail = "requester must be the token's owner; only a program's token may name another person";
        return Err(Problem::new(StatusCode::FORBIDDEN, "not_yourself", detail));
    }
    let events = match send(&app, &caller, &headers, (Kind::RequestSubmit, None), &data).await? {
        Outcome::Done(events) => events,
        Outcome::Stored(command) => return Outcome::stored(command),
    };
    let id = events.iter().find_map(|event| event.request).ok_or_else(Problem::not_found)?;
    let request = app.store.show_request(id).await?;
    let mut response = json_response(StatusCode::CREATED, request_json(&request))?.into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/requests/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
