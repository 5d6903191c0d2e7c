//! Turns submitted forms into commands: stores a command in the outbox, publishes it, and waits for its result.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use consent::SignedDecision;
use contracts::commands::{CommentRequest, Decide, RespondToReport, RevokeAccess, WithdrawRequest};
use contracts::directory::parse_seconds;
use contracts::envelope::{About, message};
use contracts::{Kind, Traceparent};
use domain::{FreeText, Verdict};
use runtime::answer::outcome_of;
use runtime::outcome::Failure;
use serde::{Deserialize, Serialize};
use store::audit::AuditRow;
use uuid::Uuid;

use super::app::App;
use super::digest_mismatch;
use super::refused::{Problem, RefusedForm, field_problem, problems};
use super::request::{other_access, refused_page};
use super::response::{Form, PageError, PageResult, redirect};
use super::session::Viewer;
use super::visibility::load_request;

/// How long a page waits for the result of a command.
const RESULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Stores a command, publishes it, and waits for the events that follow.
///
/// # Errors
/// When the command is refused, or its result is not known in time.
pub(crate) async fn submit_command(
    app: &App,
    viewer: &Viewer,
    kind: Kind,
    request: Option<Uuid>,
    data: &impl Serialize,
) -> Result<Vec<AuditRow>, Failure> {
    let about =
        About { request, channel: Some(viewer.channel()), trace: Some(Traceparent::start()), ..About::default() };
    let now = app.store.clock().await?;
    let command = message(kind, now, about, data);
    app.store.enqueue(std::slice::from_ref(&command)).await?;
    app.relay.publish(vec![command.clone()], Vec::new(), now).await;
    outcome_of(&app.store, &command, RESULT_TIMEOUT).await
}

#[derive(Deserialize)]
pub(crate) struct DecisionForm {
    form_token: String,
    verdict: String,
    /// Digest of the content that the page showed.
    digest: String,
    /// The content that the page showed, to explain a digest mismatch.
    #[serde(default)]
    shown: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    duration: String,
    /// What was signed, with the assertion of the key, as JSON; empty without a signature.
    #[serde(default)]
    signature: String,
    /// Salt of the comment in a signed decision.
    #[serde(default)]
    comment_salt: String,
}

/// Reads the signed decision that the browser made.
fn signature(json: &str) -> Result<Option<SignedDecision>, serde_json::Error> {
    if json.is_empty() { Ok(None) } else { serde_json::from_str(json).map(Some) }
}

/// Reads the salt of the comment.
fn comment_salt(text: &str) -> Result<Option<[u8; 32]>, hex::FromHexError> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut salt = [0; 32];
    hex::decode_to_slice(text, &mut salt)?;
    Ok(Some(salt))
}

impl DecisionForm {
    /// The form as the page shows it again after a refusal.
    fn refused(&self, code: &str, problems: Vec<Problem>) -> RefusedForm {
        let (comment, duration) = (self.comment.clone(), self.duration.clone());
        RefusedForm { form: "decision", comment, duration, code: code.to_owned(), problems }
    }

    fn command(&self, request: Uuid, by: &str) -> Result<Decide, PageError> {
        let invalid = |message: &str| PageError::Invalid(message.to_owned());
        Ok(Decide {
            request,
            by: by.to_owned(),
            verdict: Verdict::parse(&self.verdict).ok_or_else(|| invalid("the form has no valid verdict"))?,
            digest: self.digest.parse().map_err(|_| invalid("the form has no valid digest"))?,
            comment: FreeText::non_empty(&self.comment),
            channel: "portal".to_owned(),
            duration_seconds: None,
            signature: signature(&self.signature).map_err(|_| invalid("the signed decision is not valid"))?,
            comment_salt: comment_salt(&self.comment_salt)
                .map_err(|_| invalid("the salt of the comment is not valid"))?,
        })
    }
}

pub(crate) async fn decide(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<DecisionForm>,
) -> PageResult {
    viewer.check(&form.form_token)?;
    let (request, content) = load_request(&app, &viewer, &id).await?;
    let back = format!("/requests/{}", request.id);
    let mut data = form.command(request.id, &viewer.person.name)?;
    data.duration_seconds = match form.duration.trim() {
        "" => None,
        text => match parse_seconds(text) {
            Ok(seconds) => Some(seconds),
            Err(problem) => {
                let form = form.refused("duration.unreadable", vec![field_problem("duration_seconds", &problem)]);
                return refused_page(&app, viewer, request.id, form, StatusCode::BAD_REQUEST).await;
            }
        },
    };
    let kind = if viewer.is_vendor() { Kind::VendorDecide } else { Kind::CustomerDecide };
    match submit_command(&app, &viewer, kind, Some(request.id), &data).await {
        Ok(_) => redirect(&back),
        Err(Failure::Refused { code, .. }) if code == "digest_mismatch" => {
            digest_mismatch::page(viewer, &request, &content, (&data.digest, &form.shown), &form.comment)
        }
        Err(Failure::Refused { code, message }) => {
            let form = form.refused(&code, problems(&code, &message));
            refused_page(&app, viewer, request.id, form, StatusCode::CONFLICT).await
        }
        Err(failure) => Err(PageError::of_failure(failure, &back)),
    }
}

#[derive(Deserialize)]
pub(crate) struct CommentForm {
    form_token: String,
    #[serde(default)]
    comment: String,
}

/// Submits the command of a form that has nothing but a comment, and shows the request again.
async fn submit_form<T: Serialize>(
    app: &App,
    viewer: Viewer,
    (kind, name, id): (Kind, &'static str, &str),
    form: CommentForm,
    data: impl FnOnce(Uuid, String, String) -> T,
) -> PageResult {
    viewer.check(&form.form_token)?;
    let (request, _) = load_request(app, &viewer, id).await?;
    let data = data(request.id, viewer.person.name.clone(), form.comment.clone());
    match submit_command(app, &viewer, kind, Some(request.id), &data).await {
        Ok(_) => redirect(&format!("/requests/{}", request.id)),
        Err(failure) => failed_page(app, viewer, request.id, name, form.comment, failure).await,
    }
}

/// The page of the request after a command failed: with the comment again when it was refused.
async fn failed_page(
    app: &App,
    viewer: Viewer,
    request: Uuid,
    form: &'static str,
    comment: String,
    failure: Failure,
) -> PageResult {
    match failure {
        Failure::Refused { code, message } => {
            let problems = problems(&code, &message);
            let form = RefusedForm { form, comment, duration: String::new(), code, problems };
            refused_page(app, viewer, request, form, StatusCode::CONFLICT).await
        }
        failure => Err(PageError::of_failure(failure, &format!("/requests/{request}"))),
    }
}

#[derive(Deserialize)]
pub(crate) struct RevokeForm {
    form_token: String,
    #[serde(default)]
    comment: String,
    /// Not empty: revoke the other access to the same content too.
    #[serde(default)]
    all: String,
}

pub(crate) async fn revoke(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<RevokeForm>,
) -> PageResult {
    viewer.check(&form.form_token)?;
    let (request, _) = load_request(&app, &viewer, &id).await?;
    let mut ids = Vec::new();
    if !form.all.is_empty() {
        let others = other_access(&app, &viewer, request.id).await?;
        ids.extend(others.into_iter().filter(|other| other.can_revoke).map(|other| other.id));
    }
    if form.all.is_empty() || request.state == "active" {
        ids.push(request.id);
    }
    for id in ids {
        let data =
            RevokeAccess { request: id, by: viewer.person.name.clone(), comment: FreeText::non_empty(&form.comment) };
        match submit_command(&app, &viewer, Kind::GrantRevoke, Some(id), &data).await {
            // Other access may have ended in the meantime. A comment that is not valid is still reported.
            Err(Failure::Refused { code, .. }) if id != request.id && code != "invalid" => {}
            Ok(_) => {}
            Err(failure) => return failed_page(&app, viewer, request.id, "end", form.comment, failure).await,
        }
    }
    redirect(&format!("/requests/{}", request.id))
}

pub(crate) async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<CommentForm>,
) -> PageResult {
    let withdraw =
        |request, by, comment: String| WithdrawRequest { request, by, comment: FreeText::non_empty(&comment) };
    submit_form(&app, viewer, (Kind::RequestWithdraw, "withdrawal", &id), form, withdraw).await
}

pub(crate) async fn comment(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<CommentForm>,
) -> PageResult {
    let comment = |request, by, comment: String| CommentRequest { request, by, comment: comment.into() };
    submit_form(&app, viewer, (Kind::RequestComment, "comments", &id), form, comment).await
}

#[derive(Deserialize)]
pub(crate) struct ReportForm {
    form_token: String,
    /// `acknowledge` or `dispute`.
    #[serde(default)]
    response: String,
    #[serde(default)]
    comment: String,
}

pub(crate) async fn respond_to_report(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<ReportForm>,
) -> PageResult {
    let acknowledges = form.response == "acknowledge";
    if !acknowledges && form.response != "dispute" {
        viewer.check(&form.form_token)?;
        return Err(PageError::Invalid("the response must be acknowledge or dispute".to_owned()));
    }
    let comment_form = CommentForm { form_token: form.form_token, comment: form.comment };
    let respond = |request, by, comment: String| RespondToReport {
        request,
        by,
        acknowledges,
        comment: FreeText::non_empty(&comment),
    };
    submit_form(&app, viewer, (Kind::ReportRespond, "report", &id), comment_form, respond).await
}
