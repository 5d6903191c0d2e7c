//! Deciding, ending, taking back, talking and fetching handles over HTTP: by people, each with a token of their own.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use contracts::Kind;
use contracts::commands::{AnswerReport, Assertion, CommentRequest, Decide, EndAccess, WithdrawRequest};
use domain::Verdict;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::super::App;
use super::caller::Caller;
use super::problem::{Answer, Problem, answer};
use super::read::request_json;
use super::submit::{Outcome, read, send};
use crate::outcome::Failure;

/// Schema of a decision.
pub(super) const DECISION: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["verdict", "digest"],
  "properties": {
    "verdict": {"type": "string", "enum": ["approve", "reject"], "description": "Yes or no."},
    "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Digest of the request as it was shown."},
    "comment": {"type": "string", "maxLength": 2000, "description": "In the person's own words."},
    "duration_seconds": {"type": "integer", "minimum": 1, "description": "Allow less time than was asked for."},
    "assertion": {"type": "object", "description": "The passkey's signature, as in the message customer.decide.v1."}
  }
}"#;
/// Schema of what needs no more than a word.
pub(super) const WORDS: &str = r#"{
  "type": "object", "additionalProperties": false,
  "properties": {"comment": {"type": "string", "maxLength": 2000, "description": "In the person's own words."}}
}"#;
/// Schema of a comment.
pub(super) const COMMENT: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["comment"],
  "properties": {"comment": {"type": "string", "maxLength": 2000, "description": "The question or the answer."}}
}"#;

/// Schema of an answer to a closing report.
pub(super) const REPORT: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["accepts"],
  "properties": {
    "accepts": {"type": "boolean", "description": "true accepts, false disputes."},
    "comment": {"type": "string", "maxLength": 2000, "description": "In the person's own words; a dispute needs some."}
  }
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    accepts: bool,
    #[serde(default)]
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    verdict: String,
    digest: String,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    duration_seconds: Option<i64>,
    #[serde(default)]
    assertion: Option<Assertion>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    #[serde(default)]
    comment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    comment: String,
}

/// Sends a command about a request and answers with the request as it then stands.
async fn act(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    (kind, request): (Kind, Uuid),
    data: &(impl Serialize + Sync),
) -> Answer {
    match send(app, caller, headers, (kind, Some(request)), data).await? {
        Outcome::Done(_) => answer(StatusCode::OK, request_json(&app.store.show_request(request).await?)),
        Outcome::Kept(command) => Outcome::kept(command),
    }
}

/// Who acts, on which request, and what they sent.
async fn told<T: DeserializeOwned>(
    app: &App,
    caller: &Caller,
    (scope, id): (&str, &str),
    body: &[u8],
) -> Result<(String, Uuid, T), Problem> {
    caller.may(scope)?;
    let by = caller.person()?;
    let (request, _) = caller.find(app, id).await?;
    Ok((by, request.id, read(body)?))
}

pub(super) async fn decide(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let (by, request, said): (_, _, Decision) = told(&app, &caller, ("decisions:write", &id), &body).await?;
    let data = Decide {
        request,
        by,
        verdict: Verdict::parse(&said.verdict).ok_or_else(|| Problem::unreadable("verdict: approve or reject"))?,
        digest: said.digest.parse().map_err(|_| Problem::unreadable("digest: 64 hexadecimal digits"))?,
        comment: said.comment,
        channel: "api".to_owned(),
        duration_seconds: said.duration_seconds,
        assertion: said.assertion,
    };
    let for_vendor = caller.token.person.as_ref().is_some_and(|person| person.side == domain::Side::Vendor);
    let kind = if for_vendor { Kind::ManagerDecide } else { Kind::CustomerDecide };
    act(&app, &caller, &headers, (kind, request), &data).await
}

pub(super) async fn end(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let (by, request, Words { comment }) = told(&app, &caller, ("requests:write", &id), &body).await?;
    act(&app, &caller, &headers, (Kind::AccessEnd, request), &EndAccess { request, by, comment }).await
}

pub(super) async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let (by, request, Words { comment }) = told(&app, &caller, ("requests:write", &id), &body).await?;
    act(&app, &caller, &headers, (Kind::RequestWithdraw, request), &WithdrawRequest { request, by, comment }).await
}

pub(super) async fn comment(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let (by, request, Said { comment }) = told(&app, &caller, ("requests:write", &id), &body).await?;
    act(&app, &caller, &headers, (Kind::RequestComment, request), &CommentRequest { request, by, comment }).await
}

pub(super) async fn report(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let (by, request, Word { accepts, comment }) = told(&app, &caller, ("decisions:write", &id), &body).await?;
    let data = AnswerReport { request, by, accepts, comment };
    act(&app, &caller, &headers, (Kind::ReportAnswer, request), &data).await
}

/// Told once and kept as a hash: so the same call again makes another.
pub(super) async fn handle(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.may("requests:write")?;
    let by = caller.person()?;
    let (request, _) = caller.find(&app, &id).await?;
    let (handle, event) = crate::gate::issue(&app.store, request.id, &by).await.map_err(|failure| match failure {
        Failure::NotFound(_) => Problem::missing(),
        failure => failure.into(),
    })?;
    app.relay.hand_over(vec![event], Vec::new(), app.store.clock().await?).await;
    answer(StatusCode::OK, json!({"request": request.id, "handle": handle}))
}
