//! Sign-in through identity providers: OpenID Connect, authorization code with PKCE
//! (<https://openid.net/specs/openid-connect-core-1_0.html>). The provider says who; the directory says what they may.
//! A tenant may have a provider of its own: then its people sign in there, and nobody else does.

use axum::extract::State;
use axum::http::HeaderMap;
use openidconnect::PkceCodeChallenge;
use serde::Deserialize;
use store::identities::{Known, SignIn};
use subtle::ConstantTimeEq;

use super::App;
use super::answer::{Answer, Fault, Query, go};
use super::session::{self, Begun};
use client::{Client, Tokens, Trouble};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use token::{Claims, Expected};

pub use settings::{Claim, Entry, Provider};

mod client;
mod settings;
mod token;
mod who;

/// Cookie that ties a sign-in under way to one browser.
const COOKIE: &str = "__Host-lockbox-sign-in";

/// Every identity provider of this portal.
pub(crate) struct Oidc {
    clients: Vec<Client>,
    redirect: String,
    signed_out: String,
}

/// A way in, as the sign-in page offers it.
pub(crate) struct Way {
    /// Its place among the providers.
    pub number: usize,
    /// What stands on the button.
    pub label: String,
}

impl Oidc {
    /// Reads the settings.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn new(provider: &Provider, origin: &str) -> Result<Self, Failure> {
        let clients = provider.entries()?.into_iter().map(Client::new).collect::<Result<_, _>>()?;
        let (redirect, signed_out) = (format!("{origin}/sign-in/callback"), format!("{origin}/sign-in"));
        Ok(Self { clients, redirect, signed_out })
    }

    /// Whether there is a provider.
    pub fn is_set(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Whether a tenant's provider is found by its name only.
    pub fn has_unlisted(&self) -> bool {
        self.clients.iter().any(|client| client.entry.tenant.is_some() && client.entry.label.is_none())
    }

    /// The ways in: those with a label, those for everybody, and that of the organization that was named.
    pub fn ways(&self, organization: &str) -> Vec<Way> {
        let way = |(number, client): (usize, &Client)| {
            let entry = &client.entry;
            let is_named = entry.tenant.as_deref().is_some_and(|tenant| tenant == organization);
            let label = match (&entry.label, &entry.tenant) {
                (Some(label), _) => label.clone(),
                (None, None) => "your organization".to_owned(),
                (None, Some(tenant)) if is_named => tenant.clone(),
                (None, Some(_)) => return None,
            };
            Some(Way { number, label })
        };
        self.clients.iter().enumerate().filter_map(way).collect()
    }

    /// Where somebody who signed in there ends the provider's session too.
    pub async fn end_session(&self, issuer: &str, id_token: &str) -> Option<String> {
        let client = self.clients.iter().find(|client| client.entry.issuer == issuer)?;
        client.end_session(id_token, &self.signed_out).await
    }

    /// Whether people of this tenant, or of the vendor, sign in through this provider.
    fn serves(&self, entry: &Entry, tenant: Option<&str>) -> bool {
        let owned = |name: &str| self.clients.iter().any(|client| client.entry.tenant.as_deref() == Some(name));
        match &entry.tenant {
            Some(own) => tenant == Some(own),
            None => tenant.is_none_or(|name| !owned(name)),
        }
    }
}

/// Looks at every provider before the portal serves. One that does not answer now may answer later.
///
/// # Errors
/// When a provider calls itself something else than the settings do.
pub async fn check(settings: &Settings, provider: &Provider) -> Result<(), Failure> {
    for client in Oidc::new(provider, &settings.mail.portal_url)?.clients {
        match client.metadata().await {
            Ok(_) => {}
            Err(Trouble::Issuer(why)) => return Err(Failure::Usage(why)),
            Err(Trouble::Away(why) | Trouble::Refused(why)) => {
                tracing::warn!(
                    issuer = client.entry.issuer,
                    why,
                    "identity provider not available; sign-in will try again"
                );
            }
        }
    }
    Ok(())
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Away(why) => {
                tracing::error!(why, "identity provider not available");
                not_signed_in(
                    "sign_in.provider_away",
                    "The identity provider does not answer now. Try again in a few minutes.",
                )
            }
            Trouble::Issuer(why) => {
                tracing::error!(why, "identity provider set up wrongly");
                not_signed_in(
                    "sign_in.provider_settings",
                    "Sign-in is set up wrongly: the identity provider's name does not match the portal's settings. Ask \
                     whoever runs this portal.",
                )
            }
            Trouble::Refused(why) => {
                tracing::warn!(why, "sign-in refused by the identity provider");
                not_signed_in(
                    "sign_in.code",
                    "The identity provider did not confirm the sign-in. Sign in again. If it happens again, ask whoever \
                     runs this portal.",
                )
            }
        }
    }
}

fn not_signed_in(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::NotSignedIn { code, message: message.into() }
}

/// Which provider, and the page that follows.
#[derive(Deserialize)]
pub(crate) struct Start {
    #[serde(default)]
    provider: usize,
    #[serde(default)]
    next: String,
}

/// Sends the person to the provider.
pub(crate) async fn start(State(app): State<App>, Query(query): Query<Start>) -> Answer {
    let client = app.oidc.clients.get(query.provider).ok_or(Fault::Missing)?;
    let metadata = client.metadata().await?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (state, nonce) = (session::token(), session::token());
    let scope = if client.entry.claim == Claim::Email { "openid email" } else { "openid email profile" };
    let mut url = metadata.authorization_endpoint.clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client.entry.client_id)
        .append_pair("redirect_uri", &app.oidc.redirect)
        .append_pair("scope", scope)
        .append_pair("state", &state)
        .append_pair("nonce", &nonce)
        .append_pair("code_challenge", challenge.as_str())
        .append_pair("code_challenge_method", "S256");
    let sign_in = SignIn {
        issuer: client.entry.issuer.clone(),
        nonce,
        verifier: verifier.into_secret(),
        next: session::safe(&query.next).to_owned(),
    };
    app.store.begin_sign_in(&session::hash(&state), &sign_in).await?;
    session::with_cookie(go(url.as_str())?, COOKIE, &state, 600)
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct Back {
    code: String,
    state: String,
    error: String,
    error_description: String,
    iss: Option<String>,
}

/// Takes the person back.
pub(crate) async fn callback(State(app): State<App>, headers: HeaderMap, Query(back): Query<Back>) -> Answer {
    if !app.oidc.is_set() {
        return Err(Fault::Missing);
    }
    let (client, begun) = begun(&app, &headers, &back).await?;
    let metadata = client.metadata().await?;
    let tokens = client.redeem(&metadata, (&back.code, &begun.verifier), &app.oidc.redirect).await?;
    let (keys, now) = (client.keys(&metadata).await?, app.store.clock().await?);
    let expected = Expected {
        issuer: &client.entry.issuer,
        client_id: &client.entry.client_id,
        audiences: &client.entry.audience,
        nonce: &begun.nonce,
        now: now.timestamp_micros() as f64 / 1e6,
    };
    let claims = token::verify(&tokens.id_token, &keys, &metadata.algorithms(), &expected).map_err(|why| {
        tracing::warn!(why, issuer = client.entry.issuer, "an identity token does not hold");
        not_signed_in(
            "sign_in.token",
            "The identity provider's token cannot be accepted. Sign in again. If it happens again, ask whoever runs this \
             portal; its log says what is wrong with the token.",
        )
    })?;
    let person = who::person(&app, client, &metadata, &tokens, &claims).await?;
    let begin = Begun { person, method: "oidc", issuer: Some(&client.entry.issuer), id_token: Some(&tokens.id_token) };
    session::begin(&app, &headers, begin, &begun.next).await
}

/// The sign-in that this browser began, and its provider.
async fn begun<'a>(app: &'a App, headers: &HeaderMap, back: &Back) -> Result<(&'a Client, SignIn), Fault> {
    // The same browser that began: nobody is signed in as somebody else by a link.
    let held = session::cookie(headers, COOKIE).unwrap_or_default();
    if back.state.is_empty() || !bool::from(held.as_bytes().ct_eq(back.state.as_bytes())) {
        let message = "This sign-in was started in another browser, or more than ten minutes ago. Sign in again.";
        return Err(not_signed_in("sign_in.state", message));
    }
    let begun = app.store.redeem_sign_in(&session::hash(&back.state)).await?;
    let begun = begun.ok_or_else(|| {
        not_signed_in("sign_in.state", "This sign-in was used already, or is more than ten minutes old. Sign in again.")
    })?;
    let client = app.oidc.clients.iter().find(|client| client.entry.issuer == begun.issuer).ok_or(Fault::Missing)?;
    // An answer of another provider (RFC 9207): its code must not go to this one.
    if back.iss.as_ref().is_some_and(|said| *said != begun.issuer) {
        let message = "The answer came from another identity provider than the one you chose. Sign in again.";
        return Err(not_signed_in("sign_in.issuer", message));
    }
    if !back.error.is_empty() {
        tracing::warn!(error = back.error, description = back.error_description, "the identity provider let nobody in");
        let code: String = back.error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect();
        let message =
            format!("The identity provider did not sign you in ({code}). Sign in again, or ask whoever runs it.");
        return Err(not_signed_in("sign_in.denied", message));
    }
    Ok((client, begun))
}
