//! API tokens that act as a person, which this person creates, lists and revokes.

use askama::Template;
use axum::extract::State;
use operations::scopes::SCOPES;
use serde::Deserialize;
use store::tokens::NewToken;
use uuid::Uuid;

use super::app::App;
use super::format::DisplayTime;
use super::passkeys::check_recent;
use super::response::{Form, PageError, PageResult, redirect, render};
use super::session::{Viewer, hash, token};

/// Days for which a new token is valid.
const DAYS: i32 = 90;
/// Longest name of a token, in characters.
const NAME_LIMIT_CHARS: usize = 64;

struct Row {
    id: Uuid,
    name: String,
    scopes: String,
    expires: DisplayTime,
    used: Option<DisplayTime>,
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    viewer: Viewer,
    rows: Vec<Row>,
    /// Names and meanings of the scopes.
    scopes: Vec<(&'static str, &'static str)>,
    is_recent: bool,
    /// A new token, which is shown once.
    created: Option<String>,
}

async fn page(app: &App, viewer: Viewer, created: Option<String>) -> PageResult {
    let now = app.store.clock().await?;
    let own = |view: &store::tokens::TokenView| {
        view.person.as_deref() == Some(viewer.person.name.as_str())
            && view.revoked_at.is_none()
            && view.expires_at > now
    };
    let rows = app.store.tokens().await?.into_iter().filter(own).map(|view| Row {
        id: view.id,
        name: view.name,
        scopes: view.scopes.join(" "),
        expires: view.expires_at.into(),
        used: view.last_used_at.map(DisplayTime::from),
    });
    let rows = rows.collect();
    render(&TokensPage { rows, scopes: SCOPES.to_vec(), is_recent: check_recent(&viewer).is_ok(), created, viewer })
}

pub(crate) async fn list(State(app): State<App>, viewer: Viewer) -> PageResult {
    page(&app, viewer, None).await
}

pub(crate) async fn add(State(app): State<App>, viewer: Viewer, Form(sent): Form<Vec<(String, String)>>) -> PageResult {
    let all = |name: &str| {
        sent.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let one = |name: &str| all(name).into_iter().next().unwrap_or_default();
    viewer.check(&one("form_token"))?;
    check_recent(&viewer)?;
    let name = domain::text::one_line(&one("name"));
    if let Some(problem) = domain::text::problem(&name, NAME_LIMIT_CHARS, false) {
        return Err(PageError::Invalid(format!("The name of the token {problem}")));
    }
    let scopes = all("scope");
    if scopes.is_empty() || !scopes.iter().all(|scope| SCOPES.iter().any(|(known, _)| known == scope)) {
        return Err(PageError::Invalid("Select at least one scope.".to_owned()));
    }
    let secret = format!("lbx_{}", token());
    let new =
        NewToken { hash: &hash(&secret), person: Some(&viewer.person.name), name: &name, scopes: &scopes, days: DAYS };
    let note = format!("{name}, of {}, for {}, {DAYS} days", viewer.person.name, scopes.join(" "));
    let (_, messages) = app.store.add_token(new, &viewer.by().actor(), &note).await?;
    app.relay.publish(messages, Vec::new(), app.store.clock().await?).await;
    page(&app, viewer, Some(secret)).await
}

#[derive(Deserialize)]
pub(crate) struct RevocationForm {
    form_token: String,
    token: Uuid,
}

pub(crate) async fn revoke(State(app): State<App>, viewer: Viewer, Form(form): Form<RevocationForm>) -> PageResult {
    viewer.check(&form.form_token)?;
    let tokens = app.store.tokens().await?;
    let own = tokens.iter().find(|view| view.id == form.token && view.person.as_deref() == Some(&viewer.person.name));
    let id = own.ok_or(PageError::NotFound)?.id;
    let messages = app.store.revoke_token(id, &viewer.by().actor()).await?.ok_or(PageError::NotFound)?;
    app.relay.publish(messages, Vec::new(), app.store.clock().await?).await;
    redirect("/tokens")
}
