//! The caller of the API: the token, its owner and its scopes.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use domain::Content;
use store::tokens::Token;
use store::views::{RequestFilter, RequestView};
use uuid::Uuid;

use super::super::app::App;
use super::super::session::{Viewer, hash};
use super::super::visibility;
use super::limits::CALLS_PER_SECOND;
use super::problem::Problem;
use operations::scopes::SCOPES;

/// A caller with a valid token.
pub(crate) struct Caller {
    pub token: Token,
    /// Whether the token is a developer token, which is not stored.
    is_developer: bool,
}

/// Prefix of a developer token. The rest is the short name of a person, such as `developer:robin`.
const DEVELOPER_PREFIX: &str = "developer:";

/// The token of this person on a portal with developer sign-in; `None` on every other portal.
async fn developer_token(app: &App, token: &str) -> Result<Option<Token>, Problem> {
    let Some(name) = token.strip_prefix(DEVELOPER_PREFIX).filter(|_| app.developer) else { return Ok(None) };
    let people = app.store.enabled_people().await?;
    let person = people.into_iter().find(|person| person.enabled && person.name == name);
    let scopes = SCOPES.iter().map(|(scope, _)| (*scope).to_owned()).collect();
    Ok(person.map(|person| Token {
        id: person.id.0,
        name: "developer sign-in".to_owned(),
        scopes,
        person: Some(person),
    }))
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        // The name of the scheme is case-insensitive (RFC 9110, section 11.1).
        let credentials = header.and_then(|header| header.trim().split_once(' '));
        let (token, is_developer) = match credentials.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
            Some((_, token)) => match developer_token(app, token.trim()).await? {
                Some(token) => (Some(token), true),
                None => (app.store.token(&hash(token.trim())).await?, false),
            },
            None => (None, false),
        };
        let token = token.ok_or_else(|| {
            let detail = "no valid token; send one as `Authorization: Bearer …` (`lockbox token add` creates one)";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        })?;
        if !app.limits.allow(&token.id) {
            let detail = format!("more than {CALLS_PER_SECOND} calls per second; try again in a second");
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail));
        }
        Ok(Self { token, is_developer })
    }
}

impl Caller {
    /// Channel of the caller's commands, for the `auth` of events.
    pub fn channel(&self) -> &'static str {
        if self.is_developer { "api/developer" } else { "api/token" }
    }

    /// Checks that the token has a scope.
    pub fn may(&self, scope: &str) -> Result<(), Problem> {
        if self.token.scopes.iter().any(|held| held == scope) {
            return Ok(());
        }
        let detail = format!("the token does not have the scope {scope}; use a token that has it");
        Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail))
    }

    /// The token's owner; `None` for a program's token.
    pub fn viewer(&self) -> Option<Viewer> {
        let person = self.token.person.clone()?;
        let method = "token".to_owned();
        Some(Viewer {
            person,
            is_unfounded: false,
            form_token: String::new(),
            age_seconds: f64::INFINITY,
            developer: false,
            method,
        })
    }

    /// Short name of the person who acts.
    pub fn person(&self) -> Result<String, Problem> {
        let not_a_person = || {
            let detail = "the token belongs to a program, and only people may do this; use a person's token";
            Problem::new(StatusCode::FORBIDDEN, "not_a_person", detail)
        };
        self.token.person.as_ref().map(|person| person.name.clone()).ok_or_else(not_a_person)
    }

    /// The requests that the caller sees: a program sees all.
    pub async fn scope(&self, app: &App) -> Result<RequestFilter, Problem> {
        match self.viewer() {
            Some(viewer) => Ok(visibility::request_scope(app, &viewer).await?),
            None => Ok(RequestFilter::default()),
        }
    }

    /// A request that the caller may see.
    pub async fn load_request(&self, app: &App, id: &str) -> Result<(RequestView, Content), Problem> {
        let id: Uuid = id.parse().map_err(|_| Problem::not_found())?;
        let request = app.store.show_request(id).await?;
        let content = match self.viewer() {
            Some(viewer) => visibility::visible_content(&viewer, &request)?,
            None => request.content().ok_or_else(Problem::not_found)?,
        };
        Ok((request, content))
    }
}
