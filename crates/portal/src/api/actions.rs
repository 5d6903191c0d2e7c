//! Deciding, ending, taking back, talking and fetching handles over HTTP: by people, each with a token of their own.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use contracts::commands::{Assertion, CommentRequest, Decide, RespondToReport, RevokeAccess, WithdrawRequest};
use contracts::{Kind, reading};
use domain::{FreeText, Verdict};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::super::App;
use super::caller::Caller;
use super::input::Body;
use super::problem::{Answer, Problem, answer};
use super::read::request_json;
use super::submit::{Outcome, send};
use runtime::outcome::Failure;

/// Schema of a decision.
pub(super) const DECISION: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["verdict", "digest"],
  "properties": {
    "verdict": {"type": "string", "enum": ["approve", "deny"], "description": "Approve or deny."},
    "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Digest of the request as it was shown."},
    "comment": {"type": "string", "maxLength": 2000, "description": "In the person's own words."},
    "duration_seconds": {"type": "integer", "minimum": 1, "maximum": 604800, "description": "Approve for less time than was requested."},
    "assertion": {
      "type": "object", "additionalProperties": false,
      "required": ["credential", "authenticator_data", "client_data", "signature"],
      "description": "The passkey's signature, each field as the browser gave it (base64url without padding).",
      "properties": {
        "credential": {"type": "string", "description": "Id of the passkey."},
        "authenticator_data": {"type": "string", "description": "What the authenticator says of itself."},
        "client_data": {"type": "string", "description": "What the browser says of the page."},
        "signature": {"type": "string", "description": "Signature over both."}
      }
    }
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
  "properties": {"comment": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "The question or the answer."}}
}"#;

/// Schema of an answer to a closing report.
pub(super) const REPORT: &str = r#"{
  "type": "object", "additionalProperties": false, "required": ["acknowledges"],
  "properties": {
    "acknowledges": {"type": "boolean", "description": "true accepts, false disputes."},
    "comment": {"type": "string", "maxLength": 2000, "description": "In the person's own words; a dispute needs some."}
  }
}"#;

/// Who acts, on which request.
pub(super) struct By {
    request: Uuid,
    name: String,
    for_vendor: bool,
}

/// What can be done to a request: the body that asks for it, and the command that the body means.
pub(super) trait Action: DeserializeOwned + Send {
    /// What the token must allow.
    const SCOPE: &'static str;
    /// The command.
    type Command: Serialize + Send + Sync;

    /// The command that these words of this person mean.
    ///
    /// # Errors
    /// When the words cannot be read.
    fn command(self, by: By) -> Result<(Kind, Self::Command), Problem>;
}

/// Does one thing to a request, and answers with the request as it then stands.
pub(super) async fn act<A: Action>(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    caller.may(A::SCOPE)?;
    let name = caller.person()?;
    let (request, _) = caller.find(&app, &id).await?;
    let for_vendor = caller.token.person.as_ref().is_some_and(|person| person.side == domain::Side::Vendor);
    let (kind, command) = body.read::<A>()?.command(By { request: request.id, name, for_vendor })?;
    match send(&app, &caller, &headers, (kind, Some(request.id)), &command).await? {
        Outcome::Done(_) => answer(StatusCode::OK, request_json(&app.store.show_request(request.id).await?)),
        Outcome::Kept(command) => Outcome::kept(command),
    }
}

/// Says yes or no.
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
    assertion: Option<Assertion>,
}

impl Action for Decision {
    const SCOPE: &'static str = "decisions:write";
    type Command = Decide;

    fn command(self, by: By) -> Result<(Kind, Decide), Problem> {
        let data = Decide {
            request: by.request,
            by: by.name,
            verdict: Verdict::parse(&self.verdict).ok_or_else(|| Problem::unreadable("verdict: approve or reject"))?,
            digest: self.digest.parse().map_err(|_| Problem::unreadable("digest: 64 hexadecimal digits"))?,
            comment: self.comment,
            channel: "api".to_owned(),
            duration_seconds: self.duration_seconds,
            assertion: self.assertion,
        };
        Ok((if by.for_vendor { Kind::VendorDecide } else { Kind::CustomerDecide }, data))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    #[serde(default, deserialize_with = "reading::words")]
    comment: Option<FreeText>,
}

/// Ends open access.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct End(Words);

impl Action for End {
    const SCOPE: &'static str = "requests:write";
    type Command = RevokeAccess;

    fn command(self, by: By) -> Result<(Kind, RevokeAccess), Problem> {
        Ok((Kind::GrantRevoke, RevokeAccess { request: by.request, by: by.name, comment: self.0.comment }))
    }
}

/// Takes a request back.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Withdrawal(Words);

impl Action for Withdrawal {
    const SCOPE: &'static str = "requests:write";
    type Command = WithdrawRequest;

    fn command(self, by: By) -> Result<(Kind, WithdrawRequest), Problem> {
        Ok((Kind::RequestWithdraw, WithdrawRequest { request: by.request, by: by.name, comment: self.0.comment }))
    }
}

/// Asks or answers something.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Comment {
    comment: FreeText,
}

impl Action for Comment {
    const SCOPE: &'static str = "requests:write";
    type Command = CommentRequest;

    fn command(self, by: By) -> Result<(Kind, CommentRequest), Problem> {
        Ok((Kind::RequestComment, CommentRequest { request: by.request, by: by.name, comment: self.comment }))
    }
}

/// Accepts or disputes a closing report.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportRespond {
    acknowledges: bool,
    #[serde(default, deserialize_with = "reading::words")]
    comment: Option<FreeText>,
}

impl Action for ReportRespond {
    const SCOPE: &'static str = "decisions:write";
    type Command = RespondToReport;

    fn command(self, by: By) -> Result<(Kind, RespondToReport), Problem> {
        let data = RespondToReport {
            request: by.request,
            by: by.name,
            acknowledges: self.acknowledges,
            comment: self.comment,
        };
        Ok((Kind::ReportRespond, data))
    }
}

/// Told once and kept as a hash: so the same call again makes another.
pub(super) async fn handle(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Answer {
    caller.may("requests:write")?;
    let by = caller.person()?;
    let (request, _) = caller.find(&app, &id).await?;
    let (handle, event) =
        operations::access_token::issue(&app.store, request.id, &by).await.map_err(|failure| match failure {
            Failure::NotFound(_) => Problem::missing(),
            failure => failure.into(),
        })?;
    app.relay.publish(vec![event], Vec::new(), app.store.clock().await?).await;
    let mut said = json!({"request": request.id, "handle": handle});
    if let Some(found) = app.target_logins.find(&request.service, request.id)? {
        said["database"] = json!({"login": found.login, "password": found.password});
    }
    answer(StatusCode::OK, said)
}
