//! A person's passkeys: lists, adds and removes them. Changes are possible only soon after sign-in, so that no one can add
//! a passkey to a session that was left open.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use contracts::envelope::{About, Message, message};
use contracts::events::PasskeyChanged;
use contracts::{Kind, Traceparent};
use serde::Deserialize;

use super::app::App;
use super::format::DisplayTime;
use super::response::{Form, PageError, PageResult, redirect, render};
use super::session::Viewer;

/// Passkeys can be changed for this long after sign-in: 15 minutes.
const RECENT_SECONDS: f64 = 15.0 * 60.0;

struct Row {
    credential: String,
    name: String,
    added: DisplayTime,
    used: Option<DisplayTime>,
}

#[derive(Template)]
#[template(path = "passkeys.html")]
struct PasskeysPage {
    viewer: Viewer,
    rows: Vec<Row>,
    /// Whether the person signed in recently enough to change passkeys.
    is_recent: bool,
    /// Why this portal cannot have passkeys.
    problem: Option<String>,
}

fn refused(code: &str, message: String) -> PageError {
    PageError::Refused { code: code.to_owned(), message, back: "/passkeys".to_owned() }
}

/// Checks that this person signed in recently.
pub(crate) fn check_recent(viewer: &Viewer) -> Result<(), PageError> {
    if viewer.age_seconds < RECENT_SECONDS {
        return Ok(());
    }
    let message = "You can change passkeys and tokens for 15 minutes after sign-in. Sign out, sign in again, and repeat the change.";
    Err(refused("sign_in.stale", message.to_owned()))
}

pub(crate) async fn list(State(app): State<App>, viewer: Viewer) -> PageResult {
    let rows = app.store.passkeys(viewer.person.id.0).await?.into_iter().map(|passkey| Row {
        credential: passkey.credential,
        name: passkey.name,
        added: passkey.added_at.into(),
        used: passkey.last_used_at.map(DisplayTime::from),
    });
    let problem = app.passkeys.as_ref().err().map(ToString::to_string);
    render(&PasskeysPage { rows: rows.collect(), is_recent: check_recent(&viewer).is_ok(), problem, viewer })
}

#[derive(Deserialize)]
pub(crate) struct OptionsForm {
    form_token: String,
}

/// Options for the browser's `navigator.credentials.create`.
pub(crate) async fn options(State(app): State<App>, viewer: Viewer, Form(form): Form<OptionsForm>) -> PageResult {
    viewer.check(&form.form_token)?;
    check_recent(&viewer)?;
    let passkeys = app.passkeys.as_ref().map_err(|error| refused("passkeys.address", error.to_string()))?;
    let registered: Vec<_> =
        app.store.passkeys(viewer.person.id.0).await?.into_iter().map(|passkey| passkey.record).collect();
    let registration =
        passkeys.begin(&viewer.person, &registered).map_err(|error| PageError::Unavailable(error.to_string()))?;
    app.store.begin_passkey(viewer.person.id.0, &registration.state).await?;
    Ok(Json(registration.options).into_response())
}

#[derive(Deserialize)]
pub(crate) struct AddForm {
    form_token: String,
    name: String,
    /// The new credential of the authenticator, as JSON.
    answer: String,
}

pub(crate) async fn add(State(app): State<App>, viewer: Viewer, Form(form): Form<AddForm>) -> PageResult {
    viewer.check(&form.form_token)?;
    check_recent(&viewer)?;
    let passkeys = app.passkeys.as_ref().map_err(|error| refused("passkeys.address", error.to_string()))?;
    let name = domain::text::one_line(&form.name);
    if let Some(problem) = domain::text::problem(&name, 64, false) {
        return Err(PageError::Invalid(format!("The name of the passkey {problem}")));
    }
    let state = app.store.redeem_passkey_registration(viewer.person.id.0).await?;
    let state = state.ok_or_else(|| {
        PageError::Invalid("The registration of the passkey expired. Add the passkey again.".to_owned())
    })?;
    let passkey =
        passkeys.finish(&state, &form.answer).map_err(|error| refused("passkey.invalid", error.to_string()))?;
    let event = event(&app, &viewer, Kind::PasskeyAdded, &passkey.credential, &name).await?;
    let added = app.store.add_passkey(viewer.by(), &name, (&passkey.credential, &passkey.record), event).await?;
    let already_added = || refused("passkey.known", "You added this passkey already.".to_owned());
    app.relay.publish(added.ok_or_else(already_added)?, Vec::new(), app.store.clock().await?).await;
    redirect("/passkeys")
}

#[derive(Deserialize)]
pub(crate) struct RemoveForm {
    form_token: String,
    credential: String,
}

pub(crate) async fn remove(State(app): State<App>, viewer: Viewer, Form(form): Form<RemoveForm>) -> PageResult {
    viewer.check(&form.form_token)?;
    check_recent(&viewer)?;
    let event = event(&app, &viewer, Kind::PasskeyRemoved, &form.credential, "").await?;
    let removed = app.store.remove_passkey(viewer.by(), &form.credential, event).await?;
    app.relay.publish(removed.ok_or(PageError::NotFound)?, Vec::new(), app.store.clock().await?).await;
    redirect("/passkeys")
}

/// The event of an added or removed passkey.
async fn event(app: &App, viewer: &Viewer, kind: Kind, credential: &str, name: &str) -> Result<Message, PageError> {
    let tenant = match viewer.person.side {
        domain::Side::Vendor => None,
        domain::Side::Customer(id) => app.store.tenants().await?.into_iter().find(|tenant| tenant.id == id),
    };
    let data = PasskeyChanged { credential: credential.to_owned(), note: name.to_owned(), actor: viewer.by().actor() };
    let about =
        About { tenant: tenant.map(|tenant| tenant.name), trace: Some(Traceparent::start()), ..About::default() };
    Ok(message(kind, app.store.clock().await?, about, &data))
}
