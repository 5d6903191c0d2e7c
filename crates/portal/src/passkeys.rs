//! A person's passkeys: the list, adding one, removing one. Only soon after signing in, so that a session somebody
//! left open cannot give itself a key.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use contracts::envelope::{About, Message, message};
use contracts::events::PasskeyChanged;
use contracts::{Kind, Traceparent};
use serde::Deserialize;

use super::App;
use super::answer::{Answer, Fault, Filled, go, page};
use super::look::Moment;
use super::session::Viewer;

/// Passkeys are added and removed within this time of signing in: 15 minutes.
const FRESH_SECONDS: f64 = 15.0 * 60.0;

struct Row {
    credential: String,
    name: String,
    added: Moment,
    used: Option<Moment>,
}

#[derive(Template)]
#[template(path = "passkeys.html")]
struct PasskeysPage {
    viewer: Viewer,
    rows: Vec<Row>,
    is_fresh: bool,
    /// Why there can be none here.
    problem: Option<String>,
}

fn refused(code: &str, message: String) -> Fault {
    Fault::Refused { code: code.to_owned(), message, back: "/passkeys".to_owned() }
}

/// Whether this person signed in a moment ago.
fn fresh(viewer: &Viewer) -> Result<(), Fault> {
    if viewer.age_seconds < FRESH_SECONDS {
        return Ok(());
    }
    let message = "You signed in a while ago. Sign out and in again: passkeys are changed only right after signing in.";
    Err(refused("sign_in.stale", message.to_owned()))
}

pub(crate) async fn list(State(app): State<App>, viewer: Viewer) -> Answer {
    let rows = app.store.passkeys(viewer.person.id.0).await?.into_iter().map(|passkey| Row {
        credential: passkey.credential,
        name: passkey.name,
        added: passkey.added_at.into(),
        used: passkey.last_used_at.map(Moment::from),
    });
    let problem = app.passkeys.as_ref().err().map(ToString::to_string);
    page(&PasskeysPage { rows: rows.collect(), is_fresh: fresh(&viewer).is_ok(), problem, viewer })
}

#[derive(Deserialize)]
pub(crate) struct Begin {
    form_token: String,
}

/// What the browser hands to the authenticator.
pub(crate) async fn options(State(app): State<App>, viewer: Viewer, Filled(form): Filled<Begin>) -> Answer {
    viewer.check(&form.form_token)?;
    fresh(&viewer)?;
    let passkeys = app.passkeys.as_ref().map_err(|fault| refused("passkeys.address", fault.to_string()))?;
    let held: Vec<_> =
        app.store.passkeys(viewer.person.id.0).await?.into_iter().map(|passkey| passkey.record).collect();
    let begun = passkeys.begin(&viewer.person, &held).map_err(|fault| Fault::Away(fault.to_string()))?;
    app.store.begin_passkey(viewer.person.id.0, &begun.state).await?;
    Ok(Json(begun.options).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Finish {
    form_token: String,
    name: String,
    /// What the authenticator answered, as JSON.
    answer: String,
}

pub(crate) async fn add(State(app): State<App>, viewer: Viewer, Filled(form): Filled<Finish>) -> Answer {
    viewer.check(&form.form_token)?;
    fresh(&viewer)?;
    let passkeys = app.passkeys.as_ref().map_err(|fault| refused("passkeys.address", fault.to_string()))?;
    let name = domain::text::one_line(&form.name);
    if let Some(problem) = domain::text::problem(&name, 64, false) {
        return Err(Fault::Unreadable(format!("the name of the passkey {problem}")));
    }
    let state = app.store.redeem_passkey_registration(viewer.person.id.0).await?;
    let state = state.ok_or_else(|| Fault::Unreadable("begin again: this was begun too long ago".to_owned()))?;
    let kept = passkeys.finish(&state, &form.answer).map_err(|fault| refused("passkey.invalid", fault.to_string()))?;
    let event = event(&app, &viewer, Kind::PasskeyAdded, &kept.credential, &name).await?;
    let added = app.store.add_passkey(viewer.by(), &name, (&kept.credential, &kept.record), event).await?;
    let known = || refused("passkey.known", "This passkey is registered already.".to_owned());
    app.relay.publish(added.ok_or_else(known)?, Vec::new(), app.store.clock().await?).await;
    go("/passkeys")
}

#[derive(Deserialize)]
pub(crate) struct Remove {
    form_token: String,
    credential: String,
}

pub(crate) async fn remove(State(app): State<App>, viewer: Viewer, Filled(form): Filled<Remove>) -> Answer {
    viewer.check(&form.form_token)?;
    fresh(&viewer)?;
    let event = event(&app, &viewer, Kind::PasskeyRemoved, &form.credential, "").await?;
    let removed = app.store.remove_passkey(viewer.by(), &form.credential, event).await?;
    app.relay.publish(removed.ok_or(Fault::Missing)?, Vec::new(), app.store.clock().await?).await;
    go("/passkeys")
}

/// The event that says who added or removed what.
async fn event(app: &App, viewer: &Viewer, kind: Kind, credential: &str, name: &str) -> Result<Message, Fault> {
    let tenant = match viewer.person.side {
        domain::Side::Vendor => None,
        domain::Side::Customer(id) => app.store.tenants().await?.into_iter().find(|tenant| tenant.id == id),
    };
    let data = PasskeyChanged { credential: credential.to_owned(), note: name.to_owned(), actor: viewer.by().actor() };
    let about =
        About { tenant: tenant.map(|tenant| tenant.name), trace: Some(Traceparent::start()), ..About::default() };
    Ok(message(kind, app.store.clock().await?, about, &data))
}
