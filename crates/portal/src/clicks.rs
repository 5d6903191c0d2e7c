//! What a person does on a page becomes a command: kept in the outbox, published, and waited for.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use contracts::commands::{Assertion, CommentRequest, Decide, RespondToReport, RevokeAccess, WithdrawRequest};
use contracts::directory::parse_seconds;
use contracts::envelope::{About, message};
use contracts::{Kind, Traceparent};
use domain::{FreeText, Verdict};
use serde::{Deserialize, Serialize};
use store::audit::AuditRow;
use uuid::Uuid;

use super::App;
use super::answer::{Answer, Fault, Filled, go};
use super::changed;
use super::refused::{Problem, Typed, of_field, problems};
use super::request::{beside, find, refused};
use super::session::Viewer;
use runtime::answer::outcome_of;
use runtime::outcome::Failure;

/// How long a page waits for the truth.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps a command, hands it to the relay, and waits for what became of it.
pub(crate) async fn click(
    app: &App,
    viewer: &Viewer,
    kind: Kind,
    request: Option<Uuid>,
    data: &impl Serialize,
) -> Result<Vec<AuditRow>, Failure> {
    let about =
        About { request, channel: Some(viewer.channel()), trace: Some(Traceparent::start()), ..About::default() };
    let now = app.store.clock().await?;
    let sent = message(kind, now, about, data);
    app.store.enqueue(std::slice::from_ref(&sent)).await?;
    app.relay.publish(vec![sent.clone()], Vec::new(), now).await;
    outcome_of(&app.store, &sent, PATIENCE).await
}

#[derive(Deserialize)]
pub(crate) struct Decision {
    form_token: String,
    verdict: String,
    /// Digest of what the page showed.
    digest: String,
    /// What the page showed, so that a difference can be shown too.
    #[serde(default)]
    shown: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    duration: String,
    /// What the passkey answered, as JSON; empty when none was asked.
    #[serde(default)]
    assertion: String,
}

/// The browser's words (`PublicKeyCredential.toJSON`) in ours.
fn assertion(said: &str) -> Result<Option<Assertion>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Response {
        authenticator_data: String,
        #[serde(rename = "clientDataJSON")]
        client_data: String,
        signature: String,
    }
    #[derive(Deserialize)]
    struct Answer {
        id: String,
        response: Response,
    }
    if said.is_empty() {
        return Ok(None);
    }
    let Answer { id, response } = serde_json::from_str(said)?;
    Ok(Some(Assertion {
        credential: id,
        authenticator_data: response.authenticator_data,
        client_data: response.client_data,
        signature: response.signature,
    }))
}

impl Decision {
    /// What was typed, for the page that says why it was refused.
    fn typed(&self, code: &str, problems: Vec<Problem>) -> Typed {
        let (comment, duration) = (self.comment.clone(), self.duration.clone());
        Typed { form: "decision", comment, duration, code: code.to_owned(), problems }
    }

    fn command(&self, request: Uuid, by: &str) -> Result<Decide, Fault> {
        let unreadable = |what: &str| Fault::Unreadable(what.to_owned());
        Ok(Decide {
            request,
            by: by.to_owned(),
            verdict: Verdict::parse(&self.verdict)
                .ok_or_else(|| unreadable("the form does not say whether to approve"))?,
            digest: self.digest.parse().map_err(|_| unreadable("the form does not say what it showed"))?,
            comment: FreeText::non_empty(&self.comment),
            channel: "portal".to_owned(),
            duration_seconds: None,
            assertion: assertion(&self.assertion).map_err(|_| unreadable("the passkey's answer cannot be read"))?,
        })
    }
}

pub(crate) async fn decide(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Filled(form): Filled<Decision>,
) -> Answer {
    viewer.check(&form.form_token)?;
    let (request, content) = find(&app, &viewer, &id).await?;
    let back = format!("/requests/{}", request.id);
    let mut data = form.command(request.id, &viewer.person.name)?;
    data.duration_seconds = match form.duration.trim() {
        "" => None,
        text => match parse_seconds(text) {
            Ok(seconds) => Some(seconds),
            Err(fault) => {
                let typed = form.typed("duration.unreadable", vec![of_field("duration_seconds", &fault)]);
                return refused(&app, viewer, request.id, typed, StatusCode::BAD_REQUEST).await;
            }
        },
    };
    let kind = if viewer.is_vendor() { Kind::VendorDecide } else { Kind::CustomerDecide };
    match click(&app, &viewer, kind, Some(request.id), &data).await {
        Ok(_) => go(&back),
        // The refusal is on record like any other; the page shows what it was about.
        Err(Failure::Refused { code, .. }) if code == "digest_mismatch" => {
            changed::page(viewer, &request, &content, (&data.digest, &form.shown), &form.comment)
        }
        Err(Failure::Refused { code, message }) => {
            let typed = form.typed(&code, problems(&code, &message));
            refused(&app, viewer, request.id, typed, StatusCode::CONFLICT).await
        }
        Err(failure) => Err(Fault::of_click(failure, &back)),
    }
}

#[derive(Deserialize)]
pub(crate) struct Words {
    form_token: String,
    #[serde(default)]
    comment: String,
}

/// Sends what a person said about a request with the form of this name, and shows the request again.
async fn say<T: Serialize>(
    app: &App,
    viewer: Viewer,
    (kind, name, id): (Kind, &'static str, &str),
    form: Words,
    data: impl FnOnce(Uuid, String, String) -> T,
) -> Answer {
    viewer.check(&form.form_token)?;
    let (request, _) = find(app, &viewer, id).await?;
    let data = data(request.id, viewer.person.name.clone(), form.comment.clone());
    match click(app, &viewer, kind, Some(request.id), &data).await {
        Ok(_) => go(&format!("/requests/{}", request.id)),
        Err(failure) => not_done(app, viewer, request.id, name, form.comment, failure).await,
    }
}

/// The page after a form of it did nothing: with what was typed, when it was refused.
async fn not_done(
    app: &App,
    viewer: Viewer,
    request: Uuid,
    form: &'static str,
    comment: String,
    failure: Failure,
) -> Answer {
    match failure {
        Failure::Refused { code, message } => {
            let problems = problems(&code, &message);
            let typed = Typed { form, comment, duration: String::new(), code, problems };
            refused(app, viewer, request, typed, StatusCode::CONFLICT).await
        }
        failure => Err(Fault::of_click(failure, &format!("/requests/{request}"))),
    }
}

#[derive(Deserialize)]
pub(crate) struct End {
    form_token: String,
    #[serde(default)]
    comment: String,
    /// Not empty: the other access to the same content too.
    #[serde(default)]
    all: String,
}

pub(crate) async fn end(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Filled(form): Filled<End>,
) -> Answer {
    viewer.check(&form.form_token)?;
    let (request, _) = find(&app, &viewer, &id).await?;
    let mut to_end = Vec::new();
    if !form.all.is_empty() {
        let others = beside(&app, &viewer, request.id).await?;
        to_end.extend(others.into_iter().filter(|other| other.can_end).map(|other| other.id));
    }
    if form.all.is_empty() || request.state == "active" {
        to_end.push(request.id);
    }
    for id in to_end {
        let data =
            RevokeAccess { request: id, by: viewer.person.name.clone(), comment: FreeText::non_empty(&form.comment) };
        match click(&app, &viewer, Kind::GrantRevoke, Some(id), &data).await {
            // Another one ended meanwhile; a comment that cannot be taken is told.
            Err(Failure::Refused { code, .. }) if id != request.id && code != "invalid" => {}
            Ok(_) => {}
            Err(failure) => return not_done(&app, viewer, request.id, "end", form.comment, failure).await,
        }
    }
    go(&format!("/requests/{}", request.id))
}

pub(crate) async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Filled(form): Filled<Words>,
) -> Answer {
    let withdraw =
        |request, by, comment: String| WithdrawRequest { request, by, comment: FreeText::non_empty(&comment) };
    say(&app, viewer, (Kind::RequestWithdraw, "withdrawal", &id), form, withdraw).await
}

pub(crate) async fn comment(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Filled(form): Filled<Words>,
) -> Answer {
    let comment = |request, by, comment: String| CommentRequest { request, by, comment: comment.into() };
    say(&app, viewer, (Kind::RequestComment, "comments", &id), form, comment).await
}

#[derive(Deserialize)]
pub(crate) struct Word {
    form_token: String,
    #[serde(default)]
    answer: String,
    #[serde(default)]
    comment: String,
}

pub(crate) async fn report(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Filled(form): Filled<Word>,
) -> Answer {
    let acknowledges = form.answer == "accept";
    if !acknowledges && form.answer != "dispute" {
        viewer.check(&form.form_token)?;
        return Err(Fault::Unreadable("the answer is neither accept nor dispute".to_owned()));
    }
    let words_of = Words { form_token: form.form_token, comment: form.comment };
    let answer = |request, by, comment: String| RespondToReport {
        request,
        by,
        acknowledges,
        comment: FreeText::non_empty(&comment),
    };
    say(&app, viewer, (Kind::ReportRespond, "report", &id), words_of, answer).await
}
