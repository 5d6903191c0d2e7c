//! What a person does on a page becomes a command: kept in the outbox, published, and waited for.

use std::time::Duration;

use axum::Form;
use axum::extract::{Path, State};
use contracts::commands::{Decide, EndAccess, WithdrawRequest};
use contracts::directory::parse_seconds;
use contracts::envelope::{About, message};
use contracts::{Kind, Traceparent};
use domain::Verdict;
use serde::{Deserialize, Serialize};
use store::audit::AuditRow;
use uuid::Uuid;

use super::App;
use super::answer::{Answer, Fault, go};
use super::request::find;
use super::session::Viewer;
use crate::outcome::{Failure, outcome_of};

/// How long a page waits for the truth.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps a command, hands it to the relay, and waits for what became of it.
pub(crate) async fn click(
    app: &App,
    kind: Kind,
    request: Option<Uuid>,
    data: &impl Serialize,
) -> Result<Vec<AuditRow>, Failure> {
    let about = About { request, trace: Some(Traceparent::start()), ..About::default() };
    let now = app.store.clock().await?;
    let sent = message(kind, now, about, data);
    app.store.enqueue(std::slice::from_ref(&sent)).await?;
    app.relay.hand_over(vec![sent.clone()], Vec::new(), now).await;
    outcome_of(&app.store, &sent, PATIENCE).await
}

fn words(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[derive(Deserialize)]
pub(crate) struct Decision {
    form_token: String,
    verdict: String,
    /// Digest of what the page showed.
    digest: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    duration: String,
}

pub(crate) async fn decide(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<Decision>,
) -> Answer {
    viewer.check(&form.form_token)?;
    let (request, _) = find(&app, &viewer, &id).await?;
    let back = format!("/requests/{}", request.id);
    let unreadable = |what: &str| Fault::Unreadable(what.to_owned());
    let duration_seconds = match form.duration.trim() {
        "" => None,
        text => Some(parse_seconds(text).map_err(|fault| unreadable(&format!("how long: {fault}")))?),
    };
    let data = Decide {
        request: request.id,
        by: viewer.person.name.clone(),
        verdict: Verdict::parse(&form.verdict).ok_or_else(|| unreadable("the answer is neither yes nor no"))?,
        digest: form.digest.parse().map_err(|_| unreadable("the form does not say what it showed"))?,
        comment: words(&form.comment),
        channel: "portal".to_owned(),
        duration_seconds,
    };
    let kind = if viewer.is_vendor() { Kind::ManagerDecide } else { Kind::CustomerDecide };
    click(&app, kind, Some(request.id), &data).await.map_err(|failure| Fault::of_click(failure, &back))?;
    go(&back)
}

#[derive(Deserialize)]
pub(crate) struct Words {
    form_token: String,
    #[serde(default)]
    comment: String,
}

pub(crate) async fn end(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<Words>,
) -> Answer {
    viewer.check(&form.form_token)?;
    let (request, _) = find(&app, &viewer, &id).await?;
    let back = format!("/requests/{}", request.id);
    let data = EndAccess { request: request.id, by: viewer.person.name.clone(), comment: words(&form.comment) };
    click(&app, Kind::AccessEnd, Some(request.id), &data).await.map_err(|failure| Fault::of_click(failure, &back))?;
    go(&back)
}

pub(crate) async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<Words>,
) -> Answer {
    viewer.check(&form.form_token)?;
    let (request, _) = find(&app, &viewer, &id).await?;
    let back = format!("/requests/{}", request.id);
    let data = WithdrawRequest { request: request.id, by: viewer.person.name.clone(), comment: words(&form.comment) };
    click(&app, Kind::RequestWithdraw, Some(request.id), &data)
        .await
        .map_err(|failure| Fault::of_click(failure, &back))?;
    go(&back)
}
