//! The two steps of a sign-in: to the identity provider, and back with a code.

use axum::extract::State;
use axum::http::HeaderMap;
use openidconnect::PkceCodeChallenge;
use serde::Deserialize;
use store::identities::SignIn;
use subtle::ConstantTimeEq;

use super::client::Client;
use super::errors::not_signed_in;
use super::person::person_of;
use super::settings::Claim;
use super::token::{self, Expected};
use crate::app::App;
use crate::response::{PageError, PageResult, Query, redirect};
use crate::session::{self, SignedIn};

/// Cookie that ties a sign-in to the browser that started it.
const COOKIE: &str = "__Host-lockbox-sign-in";
/// Longest time between the two steps, in seconds.
const SIGN_IN_SECONDS: i64 = 600;

/// Query of the first step.
#[derive(Deserialize)]
pub(crate) struct StartQuery {
    /// Index of the provider.
    #[serde(default)]
    provider: usize,
    /// Path of the page after sign-in.
    #[serde(default)]
    next: String,
}

/// Redirects the browser to the provider.
pub(crate) async fn start(State(app): State<App>, Query(query): Query<StartQuery>) -> PageResult {
    let client = app.oidc.clients.get(query.provider).ok_or(PageError::NotFound)?;
    let metadata = client.metadata().await?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (state, nonce) = (session::token(), session::token());
    let scope = if client.entry.claim == Claim::Email { "openid email" } else { "openid email profile" };
    let mut url = metadata.authorization_endpoint.clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client.entry.client_id)
        .append_pair("redirect_uri", &app.oidc.redirect_url)
        .append_pair("scope", scope)
        .append_pair("state", &state)
        .append_pair("nonce", &nonce)
        .append_pair("code_challenge", challenge.as_str())
        .append_pair("code_challenge_method", "S256");
    let sign_in = SignIn {
        issuer: client.entry.issuer.clone(),
        nonce,
        verifier: verifier.into_secret(),
        next: session::safe_path(&query.next).to_owned(),
    };
    app.store.begin_sign_in(&session::hash(&state), &sign_in).await?;
    session::with_cookie(redirect(url.as_str())?, COOKIE, &state, SIGN_IN_SECONDS)
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct CallbackQuery {
    code: String,
    state: String,
    error: String,
    error_description: String,
    iss: Option<String>,
}

/// Handles the redirect from the provider, and starts a session.
pub(crate) async fn callback(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<CallbackQuery>,
) -> PageResult {
    if !app.oidc.is_set() {
        return Err(PageError::NotFound);
    }
    let (client, started) = started_sign_in(&app, &headers, &query).await?;
    let metadata = client.metadata().await?;
    let tokens = client.redeem(&metadata, (&query.code, &started.verifier), &app.oidc.redirect_url).await?;
    let (keys, now) = (client.keys(&metadata).await?, app.store.clock().await?);
    let expected = Expected {
        issuer: &client.entry.issuer,
        client_id: &client.entry.client_id,
        audiences: &client.entry.audience,
        nonce: &started.nonce,
        now: now.timestamp_micros() as f64 / 1e6,
    };
    let claims = token::verify(&tokens.id_token, &keys, &metadata.algorithms(), &expected).map_err(|why| {
        tracing::warn!(why, issuer = client.entry.issuer, "identity token not valid");
        not_signed_in(
            "sign_in.token",
            "The token of the identity provider is not valid. Sign in again. If this happens again, ask the operator of the \
             portal: the log of the portal says why.",
        )
    })?;
    let person = person_of(&app, client, &metadata, &tokens, &claims).await?;
    let signed_in =
        SignedIn { person, method: "oidc", issuer: Some(&client.entry.issuer), id_token: Some(&tokens.id_token) };
    session::start_session(&app, &headers, signed_in, &started.next).await
}

/// The sign-in that this browser started, and its provider.
async fn started_sign_in<'a>(
    app: &'a App,
    headers: &HeaderMap,
    query: &CallbackQuery,
) -> Result<(&'a Client, SignIn), PageError> {
    // Only the browser that started the sign-in can finish it: otherwise a link could sign people in as another person.
    let cookie = session::cookie(headers, COOKIE).unwrap_or_default();
    if query.state.is_empty() || !bool::from(cookie.as_bytes().ct_eq(query.state.as_bytes())) {
        let message = "This sign-in started in another browser, or more than ten minutes ago. Sign in again.";
        return Err(not_signed_in("sign_in.state", message));
    }
    let started = app.store.redeem_sign_in(&session::hash(&query.state)).await?;
    let started = started.ok_or_else(|| {
        not_signed_in(
            "sign_in.state",
            "This sign-in was used already, or started more than ten minutes ago. Sign in again.",
        )
    })?;
    let client =
        app.oidc.clients.iter().find(|client| client.entry.issuer == started.issuer).ok_or(PageError::NotFound)?;
    // A response of another provider (RFC 9207): its code must not be sent to this provider.
    if query.iss.as_ref().is_some_and(|issuer| *issuer != started.issuer) {
        let message = "The response is from another identity provider than the one that you selected. Sign in again.";
        return Err(not_signed_in("sign_in.issuer", message));
    }
    if !query.error.is_empty() {
        tracing::warn!(
            error = query.error,
            description = query.error_description,
            "identity provider refused the sign-in"
        );
        let code: String = query.error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect();
        let message = format!(
            "The identity provider refused the sign-in ({code}). Sign in again, or ask the administrator of the provider."
        );
        return Err(not_signed_in("sign_in.denied", message));
    }
    Ok((client, started))
}
