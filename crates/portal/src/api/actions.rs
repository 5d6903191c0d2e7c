//! Decisions, revocations, withdrawals, comments, responses to access reports and access tokens over HTTP. Only people may
//! call these, each with their own token.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use consent::SignedDecision;
use contracts::commands::{CommentRequest, Decide, RespondToReport, RevokeAccess, WithdrawRequest};
use contracts::{Kind, reading};
use domain::{FreeText, Verdict};
use runtime::outcome::Failure;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::app::App;
use super::caller::Caller;
use super::input::{Body, document};
use super::problem::{ApiResult, Problem, json_response};
use super::read::request_json;
use super::submit::{Outcome, send};

/// The person who acts, and the request.
pub(super) struct Actor {
    request: Uuid,
    name: String,
    is_vendor: bool,
}

/// A request body that becomes a command.
pub(super) trait Action: DeserializeOwned + Send {
    /// Scope that the token needs.
    const SCOPE: &'static str;
    /// The command.
    type Command: Serialize + Send + Sync;

    /// The command of this person.
    ///
    /// # Errors
    /// When the body is not valid.
    fn command(self, by: Actor) -> Result<(Kind, Self::Command), Problem>;
}

/// Submits the command, and responds with the new state of the request.
pub(super) async fn act<A: Action>(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    caller.may(A::SCOPE)?;
    let name = caller.person()?;
    let (request, _) = caller.load_request(&app, &id).await?;
    let is_vendor = caller.token.person.as_ref().is_some_and(|person| person.side == domain::Side::Vendor);
    let (kind, command) = body.read::<A>()?.command(Actor { request: request.id, name, is_vendor })?;
    match send(&app, &caller, &headers, (kind, Some(request.id)), &command).await? {
        Outcome::Done(_) => json_response(StatusCode::OK, request_json(&app.store.show_request(request.id).await?)),
        Outcome::Stored(command) => Outcome::stored(command),
    }
}

/// Approves or denies a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    verdict: String,
    digest: String,
    #[serde(default, deserialize_with = "reading::words")]
    comment: Option<FreeText>,
    #[serde(default, deserialize_with = "reading::whole")]
    duration_seconds: Option<i64>,
    #[serde(default)]
    signature: Option<Map<String, Value>>,
    #[serde(default, with = "contracts::commands::salt")]
    comment_salt: Option<[u8; 32]>,
}

impl Action for Decision {
    const SCOPE: &'static str = "decisions:write";
    type Command = Decide;

    fn command(self, by: Actor) -> Result<(Kind, Decide), Problem> {
        let data = Decide {
            request: by.request,
            by: by.name,
            verdict: Verdict::parse(&self.verdict)
                .ok_or_else(|| Problem::invalid("verdict: must be approve or deny"))?,
            digest: self.digest.parse().map_err(|_| Problem::invalid("digest: must be 64 hexadecimal digits"))?,
            comment: self.comment,
            channel: "api".to_owned(),
            duration_seconds: self.duration_seconds,
            signature: self
                .signature
                .map(|signature| document::<SignedDecision>("signature", signature.into()))
                .transpose()?,
            comment_salt: self.comment_salt,
        };
        Ok((if by.is_vendor { Kind::VendorDecide } else { Kind::CustomerDecide }, data))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OptionalComment {
    #[serde(default, deserialize_with = "reading::words")]
    comment: Option<FreeText>,
}

/// Revokes active access.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Revocation(OptionalComment);

impl Action for Revocation {
    const SCOPE: &'static str = "requests:write";
    type Command = RevokeAccess;

    fn command(self, by: Actor) -> Result<(Kind, RevokeAccess), Problem> {
        Ok((Kind::GrantRevoke, RevokeAccess { request: by.request, by: by.name, comment: self.0.comment }))
    }
}

/// Withdraws a request.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Withdrawal(OptionalComment);

impl Action for Withdrawal {
    const SCOPE: &'static str = "requests:write";
    type Command = WithdrawRequest;

    fn command(self, by: Actor) -> Result<(Kind, WithdrawRequest), Problem> {
        Ok((Kind::RequestWithdraw, WithdrawRequest { request: by.request, by: by.name, comment: self.0.comment }))
    }
}

/// Comments on a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Comment {
    comment: FreeText,
}

impl Action for Comment {
    const SCOPE: &'static str = "requests:write";
    type Command = CommentRequest;

    fn command(self, by: Actor) -> Result<(Kind, CommentRequest), Problem> {
        Ok((Kind::RequestComment, CommentRequest { request: by.request, by: by.name, comment: self.comment }))
    }
}

/// Acknowledges or disputes an access report.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportResponse {
    acknowledges: bool,
    #[serde(default, deserialize_with = "reading::words")]
    comment: Option<FreeText>,
}

impl Action for ReportResponse {
    const SCOPE: &'static str = "decisions:write";
    type Command = RespondToReport;

    fn command(self, by: Actor) -> Result<(Kind, RespondToReport), Problem> {
        let data = RespondToReport {
            request: by.request,
            by: by.name,
            acknowledges: self.acknowledges,
            comment: self.comment,
        };
        Ok((Kind::ReportRespond, data))
    }
}

/// Creates an access token. Only its hash is stored, so a repeated call creates another one.
pub(super) async fn create_access_token(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> ApiResult {
    caller.may("requests:write")?;
    let by = caller.person()?;
    let (request, _) = caller.load_request(&app, &id).await?;
    let (access_token, event) =
        operations::access_token::issue(&app.store, request.id, &by).await.map_err(|failure| match failure {
            Failure::NotFound(_) => Problem::not_found(),
            failure => failure.into(),
        })?;
    app.relay.publish(vec![event], Vec::new(), app.store.clock().await?).await;
    let mut body = json!({"request": request.id, "access_token": access_token});
    if let Some(found) = app.target_logins.find(&request.service, request.id)? {
        body["database"] = json!({"login": found.login, "password": found.password});
    }
    json_response(StatusCode::OK, body)
}
