//! The authority of a tenant: the statement in force, its history, and changes that approvers propose, sign and withdraw.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use consent::{Assertion, Statement, time_text};
use serde::Deserialize;
use serde_json::json;
use store::authority::SignedChange;
use uuid::Uuid;

use super::app::App;
use super::refused::Problem;
use super::response::{Form, PageError, PageResult, ScriptResult, redirect};
use super::session::Viewer;
use edit::{Fields, apply, next};
use own::{founded, known};

pub(crate) use own::{authority_file, own_authority, own_change};

mod change_page;
pub(crate) mod edit;
mod own;
mod page;

pub(crate) async fn show(State(app): State<App>, viewer: Viewer) -> PageResult {
    page::page(&app, viewer, None).await
}

/// The authority file, for verifiers.
pub(crate) async fn file(State(app): State<App>, viewer: Viewer) -> PageResult {
    let (tenant, authority) = own_authority(&app, &viewer).await?;
    let name = format!("attachment; filename=\"{tenant}.authority.json\"");
    let text = json!(authority_file(tenant, &authority.ok_or(PageError::NotFound)?)).to_string();
    Ok(([(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, name)], text)
        .into_response())
}

/// Proposes the change of a form, and shows it.
pub(crate) async fn propose(
    State(app): State<App>,
    viewer: Viewer,
    Form(sent): Form<Vec<(String, String)>>,
) -> PageResult {
    let form = Fields(sent);
    viewer.check(form.text("form_token"))?;
    let known = known(&app, &viewer).await?;
    let edit = |draft: &mut Statement| apply(draft, &form, &known);
    match propose_edit(&app, &viewer, edit).await? {
        Ok(id) => redirect(&format!("/authority/changes/{id}")),
        Err(problem) => {
            let page = page::page(&app, viewer, Some(problem)).await?;
            Ok((StatusCode::BAD_REQUEST, page).into_response())
        }
    }
}

/// Stores an edited statement as a proposal, and returns its id.
///
/// # Errors
/// When the viewer has no founded authority, or the store refuses the proposal. Inside: what is not valid in the form.
pub(crate) async fn propose_edit(
    app: &App,
    viewer: &Viewer,
    edit: impl FnOnce(&mut Statement) -> Result<(), Problem>,
) -> Result<Result<Uuid, Problem>, PageError> {
    let authority = founded(app, viewer).await?;
    let now = app.store.clock().await?;
    let mut draft = next(authority.chain.in_force(now), authority.chain.latest(), now);
    if let Err(problem) = edit(&mut draft) {
        return Ok(Err(problem));
    }
    match app.store.propose_change(viewer.by(), &draft).await {
        Ok(id) => Ok(Ok(id)),
        Err(store::Error::Authority(fault)) => Ok(Err(Problem::new("", super::response::sentence(&fault.to_string())))),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn change(State(app): State<App>, viewer: Viewer, Path(id): Path<Uuid>) -> PageResult {
    let (_, authority) = own_authority(&app, &viewer).await?;
    change_page::page(&app, viewer, &authority.ok_or(PageError::NotFound)?, id).await
}

#[derive(Deserialize)]
pub(crate) struct SignatureForm {
    form_token: String,
    /// The signature over the statement that the page showed, as JSON.
    assertion: String,
}

/// Adds a signature to a change.
pub(crate) async fn sign(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    Form(form): Form<SignatureForm>,
) -> ScriptResult {
    viewer.check(&form.form_token)?;
    own_change(&app, &viewer, id).await?;
    let unreadable = || PageError::Invalid("The signature cannot be read.".to_owned());
    let assertion: Assertion = serde_json::from_str(&form.assertion).map_err(|_| unreadable())?;
    let document = signed(&app, app.store.sign_change(viewer.by(), id, &assertion).await?).await?;
    Ok(Json(document).into_response())
}

/// Publishes the messages of a recorded statement. Returns what followed from the signature, as JSON.
pub(crate) async fn signed(app: &App, signed: SignedChange) -> Result<serde_json::Value, PageError> {
    Ok(match signed {
        SignedChange::Recorded { statement, messages } => {
            app.relay.publish(messages, Vec::new(), app.store.clock().await?).await;
            json!({
                "state": "recorded", "version": statement.signed.statement.version,
                "recorded_at": time_text(statement.recorded_at), "in_force_from": time_text(statement.in_force_from),
            })
        }
        SignedChange::NeedsMore { have, needed } => json!({ "state": "open", "have": have, "needed": needed }),
    })
}

#[derive(Deserialize)]
pub(crate) struct WithdrawalForm {
    form_token: String,
}

/// Withdraws a proposal that is not recorded yet.
pub(crate) async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<Uuid>,
    Form(form): Form<WithdrawalForm>,
) -> PageResult {
    viewer.check(&form.form_token)?;
    own_change(&app, &viewer, id).await?;
    app.store.withdraw_change(viewer.by(), id).await?;
    redirect("/authority")
}
