//! Sessions: the cookie, the person behind it, sign-in and sign-out.

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

use super::app::App;
use super::oidc::providers::SignInOption;
use super::response::{Form, PageError, PageResult, Query, redirect, render};

/// Name of the cookie. `__Host-`: the browser sends it over TLS (or to the loopback address), to this host only
/// (<https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis>).
const COOKIE: &str = "__Host-lockbox";
/// Longest session: 12 hours.
const LIMIT_SECONDS: f64 = 12.0 * 3600.0;
/// A session ends when it is not used for this long: 30 minutes.
const IDLE_SECONDS: f64 = 30.0 * 60.0;

/// The person who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub person: Person,
    /// Part of every form, against cross-site request forgery.
    pub form_token: String,
    /// Seconds since the person signed in.
    pub age_seconds: f64,
    /// Whether people sign in by choosing a name.
    pub developer: bool,
    /// Sign-in method: `oidc` or `developer`.
    pub method: String,
    /// Whether the person belongs to a tenant without an authority of its own.
    pub is_unfounded: bool,
}

impl Viewer {
    /// Channel of the person's commands, for the `auth` of events.
    pub fn channel(&self) -> &'static str {
        match self.method.as_str() {
            "oidc" => "portal/oidc",
            "developer" => "portal/developer",
            _ => "portal",
        }
    }

    /// The person and the channel, for the audit log and for receipts.
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

    /// Whether the person may read the audit log: auditors, managers and approvers may.
    pub fn may_audit(&self) -> bool {
        self.is(Role::Auditor) || self.is(Role::Manager) || self.is(Role::Approver)
    }

    /// Whether the person sees the state of the installation: managers and auditors of the vendor.
    pub fn may_operate(&self) -> bool {
        self.is_vendor() && (self.is(Role::Auditor) || self.is(Role::Manager))
    }

    /// Checks that a form is from a page of this session.
    pub fn check(&self, form_token: &str) -> Result<(), PageError> {
        let same = form_token.as_bytes().ct_eq(self.form_token.as_bytes());
        if bool::from(same) { Ok(()) } else { Err(PageError::Forged) }
    }
}

pub(crate) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// A random token of 244 bits.
pub(super) fn token() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Set by the portal's script when it reloads a page after an update: the person did nothing.
const UPDATE_COOKIE: &str = "lockbox-update";

/// The person behind a page that receives updates. Updates do not extend the session: an open page keeps no one signed in.
pub(crate) struct Watcher {
    pub viewer: Viewer,
    token_hash: Vec<u8>,
}

impl Watcher {
    /// Whether the session is still valid. On an error the answer is yes, and the next check decides.
    pub async fn is_signed_in(&self, app: &App) -> bool {
        app.store.session_lives(&self.token_hash, IDLE_SECONDS).await.unwrap_or(true)
    }
}

impl FromRequestParts<App> for Watcher {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let token_hash = cookie(&parts.headers, COOKIE).map(hash).unwrap_or_default();
        Ok(Self { viewer: Viewer::of(parts, app, false).await?, token_hash })
    }
}

impl FromRequestParts<App> for Viewer {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let is_update = parts.method == Method::GET && cookie(&parts.headers, UPDATE_COOKIE).is_some();
        Self::of(parts, app, !is_update).await
    }
}

impl Viewer {
    async fn of(parts: &Parts, app: &App, touch: bool) -> Result<Self, PageError> {
        let session = match cookie(&parts.headers, COOKIE) {
            Some(token) => app.store.session(&hash(token), IDLE_SECONDS, touch).await?,
            None => None,
        };
        // After sign-in the person gets a page; a form is never submitted again.
        let next = if parts.method == Method::GET { parts.uri.to_string() } else { "/".to_owned() };
        let session = session.ok_or(PageError::SignIn(next))?;
        let is_unfounded = match session.person.side {
            Side::Customer(tenant) => !app.store.has_authority(tenant.0).await?,
            Side::Vendor => false,
        };
        Ok(Self {
            is_unfounded,
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
    options: Vec<SignInOption>,
    /// Whether there are identity providers that people find by the short name of their organization.
    has_unlisted: bool,
    /// The organization that was entered.
    organization: String,
    /// Whether no identity provider belongs to this organization.
    is_unknown: bool,
    people: Vec<Person>,
    next: String,
    start: String,
}

/// The page after sign-out from a session that an identity provider started. It continues to the provider's sign-out.
#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage {
    url: String,
}

/// Query of the sign-in page.
#[derive(Deserialize)]
pub(crate) struct SignInQuery {
    /// Path of the page after sign-in.
    #[serde(default)]
    pub next: String,
    /// Short name of the organization whose identity provider to show.
    #[serde(default)]
    pub organization: String,
}

/// A path of the portal, or the first page: never another site.
pub(crate) fn safe_path(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if is_path { next } else { "/" }
}

pub(crate) async fn sign_in_page(State(app): State<App>, Query(query): Query<SignInQuery>) -> PageResult {
    let people = if app.developer { app.store.enabled_people().await? } else { Vec::new() };
    let next = safe_path(&query.next).to_owned();
    let start = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
    let organization = query.organization.trim().to_owned();
    let (options, listed) = (app.oidc.options(&organization), app.oidc.options(""));
    render(&SignInPage {
        developer: app.developer,
        is_unknown: !organization.is_empty() && options.len() == listed.len(),
        has_unlisted: app.oidc.has_unlisted(),
        options,
        organization,
        people,
        next,
        start,
    })
}

#[derive(Deserialize)]
pub(crate) struct SignInForm {
    person: Uuid,
    #[serde(default)]
    next: String,
}

/// Sets a cookie that the browser sends to this host only and hides from scripts.
pub(crate) fn with_cookie(mut response: Response, name: &str, value: &str, seconds: i64) -> PageResult {
    let cookie = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    let cookie = HeaderValue::from_str(&cookie).map_err(|fault| PageError::Unavailable(fault.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// A person who signed in.
pub(crate) struct SignedIn<'a> {
    pub person: PersonId,
    /// `oidc` or `developer`.
    pub method: &'a str,
    /// Issuer and identity token of the identity provider.
    pub issuer: Option<&'a str>,
    pub id_token: Option<&'a str>,
}

/// Starts a session and redirects to the next page. An existing session ends: a session never changes its person.
pub(crate) async fn start_session(app: &App, headers: &HeaderMap, signed_in: SignedIn<'_>, next: &str) -> PageResult {
    if let Some(old) = cookie(headers, COOKIE) {
        app.store.end_session(&hash(old)).await?;
    }
    let (secret, form_token) = (token(), token());
    let new = NewSession {
        token_hash: &hash(&secret),
        person: signed_in.person.0,
        form_token: &form_token,
        method: signed_in.method,
        issuer: signed_in.issuer,
        id_token: signed_in.id_token,
        limit_seconds: LIMIT_SECONDS,
        idle_seconds: IDLE_SECONDS,
    };
    app.store.begin_session(new).await?;
    with_cookie(redirect(safe_path(next))?, COOKIE, &secret, 12 * 3600)
}

pub(crate) async fn sign_in(State(app): State<App>, headers: HeaderMap, Form(form): Form<SignInForm>) -> PageResult {
    if !app.developer {
        return Err(PageError::NotFound);
    }
    let person = app.store.person(form.person).await?.filter(|person| person.enabled).ok_or(PageError::NotFound)?;
    let signed_in = SignedIn { person: person.id, method: "developer", issuer: None, id_token: None };
    start_session(&app, &headers, signed_in, &form.next).await
}

#[derive(Deserialize)]
pub(crate) struct SignOutForm {
    form_token: String,
    #[serde(default)]
    /// Present: end every session of the person.
    everywhere: Option<String>,
}

pub(crate) async fn sign_out(
    State(app): State<App>,
    viewer: Viewer,
    headers: HeaderMap,
    Form(form): Form<SignOutForm>,
) -> PageResult {
    viewer.check(&form.form_token)?;
    let token_hash = hash(cookie(&headers, COOKIE).unwrap_or_default());
    let provider = app.store.session_issuer(&token_hash).await?;
    if form.everywhere.is_some() {
        app.store.end_sessions(viewer.person.id.0).await?;
    } else {
        app.store.end_session(&token_hash).await?;
    }
    // Otherwise the next sign-in would succeed without a question of the identity provider.
    let provider_sign_out = match &provider {
        Some((issuer, id_token)) => app.oidc.end_session(issuer, id_token).await,
        None => None,
    };
    let page = match provider_sign_out {
        // A page instead of a redirect: the content security policy lets no form redirect to another site.
        Some(url) => render(&SignedOutPage { url })?,
        None => redirect("/sign-in")?,
    };
    with_cookie(page, COOKIE, "", 0)
}

#[cfg(test)]
mod tests {
    use super::safe_path;

    #[test]
    fn sign_in_redirects_to_the_portal_only() {
        assert_eq!(safe_path("/requests/1?x=2"), "/requests/1?x=2");
        for elsewhere in ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "", "/\t/evil.example"] {
            assert_eq!(safe_path(elsewhere), "/");
        }
    }
}
