//! Who calls: the token, whose it is, and what it may be used for.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use domain::Content;
use store::tokens::Token;
use store::views::{RequestFilter, RequestView};
use uuid::Uuid;

use super::super::App;
use super::super::session::{Viewer, hash};
use super::super::{pages, sight};
use super::SCOPES;
use super::problem::Problem;

/// Somebody with a good token.
pub(crate) struct Caller {
    pub token: Token,
    /// The token is only the name of a person: a development server accepts it.
    is_developer: bool,
}

/// What a token begins with that is only the name of a person, such as `developer:robin`.
const DEVELOPER: &str = "developer:";

/// The person that a development server lets anybody on this machine be; nothing on every other server.
async fn developer_token(app: &App, token: &str) -> Result<Option<Token>, Problem> {
    let Some(name) = token.strip_prefix(DEVELOPER).filter(|_| app.developer) else { return Ok(None) };
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
        let said = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        // The scheme's name has no case (RFC 9110, section 11.1).
        let said = said.and_then(|said| said.trim().split_once(' '));
        let (token, is_developer) = match said.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
            Some((_, token)) => match developer_token(app, token.trim()).await? {
                Some(token) => (Some(token), true),
                None => (app.store.token(&hash(token.trim())).await?, false),
            },
            None => (None, false),
        };
        let token = token.ok_or_else(|| {
            let detail = "send a token that is good as `Authorization: Bearer …`; `lockbox token add` makes one";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        })?;
        if app.limits.0.check_key(&token.id).is_err() {
            let detail = format!("more than {} calls a second; wait a moment", super::CALLS_PER_SECOND);
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail));
        }
        Ok(Self { token, is_developer })
    }
}

impl Caller {
    /// Channel of the caller's commands, as the event's `auth` states it.
    pub fn channel(&self) -> &'static str {
        if self.is_developer { "api/developer" } else { "api/token" }
    }

    /// Whether calls are remembered under an idempotency key: only for tokens that are stored.
    pub fn has_keys(&self) -> bool {
        !self.is_developer
    }

    /// Refuses a token that was not made for this.
    pub fn may(&self, scope: &str) -> Result<(), Problem> {
        if self.token.scopes.iter().any(|held| held == scope) {
            return Ok(());
        }
        let detail = format!("this token does not allow {scope}");
        Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail))
    }

    /// The token's owner as pages see people; none behind a program's token.
    pub fn viewer(&self) -> Option<Viewer> {
        let person = self.token.person.clone()?;
        let method = "token".to_owned();
        Some(Viewer { person, form_token: String::new(), age_seconds: f64::INFINITY, developer: false, method })
    }

    /// Short name of the person who acts.
    pub fn person(&self) -> Result<String, Problem> {
        let nobody = || {
            let detail = "this is a program's token, and only people do this; use a person's token";
            Problem::new(StatusCode::FORBIDDEN, "not_a_person", detail)
        };
        self.token.person.as_ref().map(|person| person.name.clone()).ok_or_else(nobody)
    }

    /// The part of all requests that the caller sees: a program sees all.
    pub async fn scope(&self, app: &App) -> Result<RequestFilter, Problem> {
        match self.viewer() {
            Some(viewer) => Ok(pages::scope(app, &viewer).await?),
            None => Ok(RequestFilter::default()),
        }
    }

    /// A request that the caller may see.
    pub async fn find(&self, app: &App, id: &str) -> Result<(RequestView, Content), Problem> {
        let id: Uuid = id.parse().map_err(|_| Problem::missing())?;
        let request = app.store.show_request(id).await?;
        let content = match self.viewer() {
            Some(viewer) => sight::see(&viewer, &request)?,
            None => request.content().ok_or_else(Problem::missing)?,
        };
        Ok((request, content))
    }
}
