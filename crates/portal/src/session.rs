//! Who is looking: the cookie, the session behind it, and signing in and out.

use askama::Template;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use domain::{Person, PersonId, Role, Side};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use store::sessions::NewSession;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::App;
use super::answer::{Answer, Fault, Filled, Query, go, page as render};
use super::oidc::Way;

/// Name of the cookie. `__Host-`: sent over TLS (or to this very machine), for this host only
/// (<https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis>).
const COOKIE: &str = "__Host-lockbox";
/// A session ends after this long, whatever happens: 12 hours.
const LIMIT_SECONDS: f64 = 12.0 * 3600.0;
/// A session ends when nothing is asked for this long: 30 minutes.
const IDLE_SECONDS: f64 = 30.0 * 60.0;

/// The person behind a request to the portal.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub person: Person,
    /// Stands in every form.
    pub form_token: String,
    /// How long ago they signed in.
    pub age_seconds: f64,
    /// Whether people sign in by choosing a name.
    pub developer: bool,
    /// How they signed in: `oidc` or `developer`.
    pub method: String,
}

impl Viewer {
    /// How their commands reach the roles, as the event's `auth` will say it.
    pub fn channel(&self) -> &'static str {
        match self.method.as_str() {
            "oidc" => "portal/oidc",
            "developer" => "portal/developer",
            _ => "portal",
        }
    }

    /// Who changes something, and how they are known, for the audit log and for receipts.
    pub fn by(&self) -> store::settings::By<'_> {
        store::settings::By { person: &self.person, channel: self.channel() }
    }

    /// Whether this person holds a role for any service.
    pub fn is(&self, role: Role) -> bool {
        self.person.assignments.iter().any(|held| held.role == role)
    }

    pub fn is_engineer(&self) -> bool {
        self.is(Role::Engineer)
    }

    pub fn is_approver(&self) -> bool {
        self.is(Role::Approver)
    }

    pub fn is_manager(&self) -> bool {
        self.is(Role::Manager)
    }

    pub fn is_vendor(&self) -> bool {
        self.person.side == Side::Vendor
    }

    /// Whether the audit log is open to them: auditors, managers and approvers.
    pub fn may_audit(&self) -> bool {
        self.is(Role::Auditor) || self.is(Role::Manager) || self.is(Role::Approver)
    }

    /// Refuses a form that is not from a page of this session.
    pub fn check(&self, form_token: &str) -> Result<(), Fault> {
        let same = form_token.as_bytes().ct_eq(self.form_token.as_bytes());
        if bool::from(same) { Ok(()) } else { Err(Fault::Forged) }
    }
}

pub(crate) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// 244 bits from the operating system's random numbers, as text.
pub(super) fn token() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Set by the portal's script for a moment when it loads a page anew because of news: nobody clicked.
const UPDATE_COOKIE: &str = "lockbox-update";

/// A page that watches for news, and whose session is looked at without touching it: an open page does not keep anybody
/// signed in.
pub(crate) struct Watcher {
    pub viewer: Viewer,
    token_hash: Vec<u8>,
}

impl Watcher {
    /// Whether the session goes on. An error counts as yes: the next look will tell.
    pub async fn is_signed_in(&self, app: &App) -> bool {
        app.store.session_lives(&self.token_hash, IDLE_SECONDS).await.unwrap_or(true)
    }
}

impl FromRequestParts<App> for Watcher {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let token_hash = cookie(&parts.headers, COOKIE).map(hash).unwrap_or_default();
        Ok(Self { viewer: Viewer::of(parts, app, false).await?, token_hash })
    }
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        let is_update = parts.method == Method::GET && cookie(&parts.headers, UPDATE_COOKIE).is_some();
        Self::of(parts, app, !is_update).await
    }
}

impl Viewer {
    async fn of(parts: &Parts, app: &App, touch: bool) -> Result<Self, Fault> {
        let session = match cookie(&parts.headers, COOKIE) {
            Some(token) => app.store.session(&hash(token), IDLE_SECONDS, touch).await?,
            None => None,
        };
        // After signing in a page is shown, never an action repeated.
        let next = if parts.method == Method::GET { parts.uri.to_string() } else { "/".to_owned() };
        let session = session.ok_or(Fault::SignIn(next))?;
        Ok(Self {
            person: session.person,
            form_token: session.form_token,
            age_seconds: session.age_seconds,
            method: session.method,
            developer: app.developer,
        })
    }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    developer: bool,
    ways: Vec<Way>,
    /// Whether an organization may be named that is not among the ways.
    asks_organization: bool,
    /// The organization that was named.
    organization: String,
    /// Whether it was named in vain.
    is_unknown: bool,
    people: Vec<Person>,
    next: String,
    start: String,
}

/// The page after signing out of a session that an identity provider began: it leads on to the provider.
#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage {
    url: String,
}

/// The page that follows a sign-in.
#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    pub next: String,
    /// Short name of the organization whose provider is wanted.
    #[serde(default)]
    pub organization: String,
}

/// A path of ours, or the first page: never another site.
pub(crate) fn safe(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if is_path { next } else { "/" }
}

pub(crate) async fn page(State(app): State<App>, Query(query): Query<Next>) -> Answer {
    let people = if app.developer { app.store.enabled_people().await? } else { Vec::new() };
    let next = safe(&query.next).to_owned();
    let start = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
    let organization = query.organization.trim().to_owned();
    let (ways, plain) = (app.oidc.ways(&organization), app.oidc.ways(""));
    render(&SignInPage {
        developer: app.developer,
        is_unknown: !organization.is_empty() && ways.len() == plain.len(),
        asks_organization: app.oidc.has_unlisted(),
        ways,
        organization,
        people,
        next,
        start,
    })
}

#[derive(Deserialize)]
pub(crate) struct SignIn {
    person: Uuid,
    #[serde(default)]
    next: String,
}

/// Sets a cookie that only this host gets, and no script sees.
pub(crate) fn with_cookie(mut response: Response, name: &str, value: &str, seconds: i64) -> Answer {
    let cookie = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    let cookie = HeaderValue::from_str(&cookie).map_err(|fault| Fault::Away(fault.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Somebody who signed in.
pub(crate) struct Begun<'a> {
    pub person: PersonId,
    /// `oidc` or `developer`.
    pub method: &'a str,
    /// The identity provider, and its token.
    pub issuer: Option<&'a str>,
    pub id_token: Option<&'a str>,
}

/// Begins a session and shows the page that follows. What was signed in before ends: a session never changes its person.
pub(crate) async fn begin(app: &App, headers: &HeaderMap, begun: Begun<'_>, next: &str) -> Answer {
    if let Some(old) = cookie(headers, COOKIE) {
        app.store.end_session(&hash(old)).await?;
    }
    let (secret, form_token) = (token(), token());
    let new = NewSession {
        token_hash: &hash(&secret),
        person: begun.person.0,
        form_token: &form_token,
        method: begun.method,
        issuer: begun.issuer,
        id_token: begun.id_token,
        limit_seconds: LIMIT_SECONDS,
        idle_seconds: IDLE_SECONDS,
    };
    app.store.begin_session(new).await?;
    with_cookie(go(safe(next))?, COOKIE, &secret, 12 * 3600)
}

pub(crate) async fn sign_in(State(app): State<App>, headers: HeaderMap, Filled(form): Filled<SignIn>) -> Answer {
    if !app.developer {
        return Err(Fault::Missing);
    }
    let person = app.store.person(form.person).await?.filter(|person| person.enabled).ok_or(Fault::Missing)?;
    let begun = Begun { person: person.id, method: "developer", issuer: None, id_token: None };
    begin(&app, &headers, begun, &form.next).await
}

#[derive(Deserialize)]
pub(crate) struct SignOut {
    form_token: String,
    #[serde(default)]
    everywhere: Option<String>,
}

pub(crate) async fn sign_out(
    State(app): State<App>,
    viewer: Viewer,
    headers: HeaderMap,
    Filled(form): Filled<SignOut>,
) -> Answer {
    viewer.check(&form.form_token)?;
    let held = hash(cookie(&headers, COOKIE).unwrap_or_default());
    let provider = app.store.session_issuer(&held).await?;
    if form.everywhere.is_some() {
        app.store.end_sessions(viewer.person.id.0).await?;
    } else {
        app.store.end_session(&held).await?;
    }
    // Or the next click would sign in again without a question.
    let elsewhere = match &provider {
        Some((issuer, id_token)) => app.oidc.end_session(issuer, id_token).await,
        None => None,
    };
    let page = match elsewhere {
        // A page and no redirect: browsers let no form of ours lead to another site.
        Some(url) => render(&SignedOutPage { url })?,
        None => go("/sign-in")?,
    };
    with_cookie(page, COOKIE, "", 0)
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn after_signing_in_only_a_page_of_ours_follows() {
        assert_eq!(safe("/requests/1?x=2"), "/requests/1?x=2");
        for elsewhere in ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "", "/\t/evil.example"] {
            assert_eq!(safe(elsewhere), "/");
        }
    }
}
