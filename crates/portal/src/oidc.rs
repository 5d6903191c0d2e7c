//! Sign-in through an identity provider: OpenID Connect, authorization code with PKCE
//! (<https://openid.net/specs/openid-connect-core-1_0.html>). The provider says who; the directory says what they may.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use clap::Args;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreJwsSigningAlgorithm, CoreProviderMetadata};
use openidconnect::reqwest::redirect::Policy;
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl,
    Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
};
use serde::Deserialize;
use store::identities::SignIn;
use subtle::ConstantTimeEq;

use super::App;
use super::answer::{Answer, Fault, go};
use super::session::{self, Next};
use runtime::outcome::Failure;

/// Cookie that ties a sign-in under way to one browser.
const COOKIE: &str = "__Host-lockbox-sign-in";

/// The identity provider.
#[derive(Args, Clone, Debug, Default)]
pub struct Provider {
    /// Issuer of the identity provider, such as `https://login.fabrikam.example`.
    #[arg(long, env = "LOCKBOX_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    pub oidc_issuer: Option<String>,
    /// What the provider knows this portal as.
    #[arg(long, env = "LOCKBOX_OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// File with the client secret; none for a public client.
    #[arg(long, env = "LOCKBOX_OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub oidc_client_secret_file: Option<std::path::PathBuf>,
}

/// The provider with what is needed to talk to it.
pub(crate) struct Oidc {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    redirect: RedirectUrl,
    http: openidconnect::reqwest::Client,
}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

impl Oidc {
    /// Reads the settings; `None` when no provider is given.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn new(provider: &Provider, origin: &str) -> Result<Option<Self>, Failure> {
        // Empty is none: compose files cannot leave a variable out.
        let Some(issuer) = provider.oidc_issuer.as_ref().filter(|issuer| !issuer.is_empty()) else { return Ok(None) };
        let usage = |what: &str, fault: &dyn std::fmt::Display| Failure::Usage(format!("{what}: {fault}"));
        let secret = match provider.oidc_client_secret_file.as_ref().filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => Some(
                std::fs::read_to_string(path)
                    .map_err(|fault| usage(&format!("the client secret in {}", path.display()), &fault))?,
            ),
            None => None,
        };
        // No redirect is followed: an issuer must not send us into its inner network.
        let http = openidconnect::reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(std::time::Duration::from_secs(10))
            .build()
            .map_err(|fault| usage("the client for the identity provider", &fault))?;
        Ok(Some(Self {
            issuer: IssuerUrl::new(issuer.clone()).map_err(|fault| usage("the issuer", &fault))?,
            client_id: ClientId::new(provider.oidc_client_id.clone().unwrap_or_default()),
            client_secret: secret.map(|secret| ClientSecret::new(secret.trim().to_owned())),
            redirect: RedirectUrl::new(format!("{origin}/sign-in/callback"))
                .map_err(|fault| usage("the portal's address", &fault))?,
            http,
        }))
    }

    /// Discovered each time: keys that were changed are the new ones at once.
    async fn client(&self) -> Result<(Client, Vec<CoreJwsSigningAlgorithm>), Fault> {
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http).await;
        let metadata = metadata.map_err(|fault| away(&fault))?;
        // Only signatures with a key pair: a proof that the portal's own secret could make proves nothing.
        let pairs = metadata.id_token_signing_alg_values_supported().iter().filter(|kind| is_key_pair(kind));
        let kinds = pairs.cloned().collect();
        let client = CoreClient::from_provider_metadata(metadata, self.client_id.clone(), self.client_secret.clone());
        Ok((client.set_redirect_uri(self.redirect.clone()), kinds))
    }
}

fn is_key_pair(kind: &CoreJwsSigningAlgorithm) -> bool {
    use CoreJwsSigningAlgorithm as Kind;
    !matches!(kind, Kind::None | Kind::HmacSha256 | Kind::HmacSha384 | Kind::HmacSha512)
}

fn away(fault: &(dyn std::error::Error + 'static)) -> Fault {
    Fault::Away(format!("the identity provider: {}", workers::engine::chain(fault)))
}

fn not_signed_in(why: &str) -> Fault {
    Fault::Refused { code: "sign_in.refused".to_owned(), message: why.to_owned(), back: "/sign-in".to_owned() }
}

/// Sends the person to the provider.
pub(crate) async fn start(State(app): State<App>, Query(query): Query<Next>) -> Answer {
    let oidc = app.oidc.as_ref().ok_or(Fault::Missing)?;
    let (client, _) = oidc.client().await?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("email".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let sign_in = SignIn {
        nonce: nonce.secret().clone(),
        verifier: verifier.into_secret(),
        next: session::safe(&query.next).to_owned(),
    };
    app.store.begin_sign_in(&session::hash(state.secret()), &sign_in).await?;
    session::with_cookie(go(url.as_str())?, COOKIE, state.secret(), 600)
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct Back {
    code: String,
    state: String,
    error: String,
}

/// Takes the person back.
pub(crate) async fn callback(State(app): State<App>, headers: HeaderMap, Query(back): Query<Back>) -> Answer {
    let oidc = app.oidc.as_ref().ok_or(Fault::Missing)?;
    // The same browser that began: nobody is signed in as somebody else by a link.
    let held = session::cookie(&headers, COOKIE).unwrap_or_default();
    if back.state.is_empty() || !bool::from(held.as_bytes().ct_eq(back.state.as_bytes())) {
        return Err(not_signed_in("This sign-in was begun in another browser or too long ago. Begin again."));
    }
    let begun = app.store.take_sign_in(&session::hash(&back.state)).await?;
    let begun = begun.ok_or_else(|| not_signed_in("This sign-in was finished or given up before. Begin again."))?;
    if !back.error.is_empty() {
        return Err(not_signed_in("The identity provider did not let you in. Begin again, or ask who runs it."));
    }
    let (client, kinds) = oidc.client().await?;
    let code = client.exchange_code(AuthorizationCode::new(back.code)).map_err(|fault| away(&fault))?;
    let tokens = code.set_pkce_verifier(PkceCodeVerifier::new(begun.verifier)).request_async(&oidc.http).await;
    let tokens = tokens.map_err(|fault| {
        tracing::warn!(why = workers::engine::chain(&fault), "a code was not redeemed");
        not_signed_in("The identity provider did not confirm who you are. Begin again.")
    })?;
    let unproven = || not_signed_in("The identity provider's proof of who you are does not hold. Begin again.");
    let token = tokens.id_token().ok_or_else(unproven)?;
    let claims = token.claims(&client.id_token_verifier().set_allowed_algs(kinds), &Nonce::new(begun.nonce)).map_err(
        |fault| {
            tracing::warn!(%fault, "an identity token does not hold");
            unproven()
        },
    )?;
    let verified = claims.email().filter(|_| claims.email_verified() == Some(true)).map(|email| email.as_str());
    let person = app.store.identify(oidc.issuer.as_str(), claims.subject().as_str(), verified).await?;
    let person = match person {
        Some(id) => app.store.person(id).await?.filter(|person| person.enabled),
        None => None,
    };
    let person = person.ok_or_else(|| {
        tracing::warn!(subject = claims.subject().as_str(), "somebody the directory does not know wanted in");
        not_signed_in("The directory does not know you under this identity. Ask who maintains it.")
    })?;
    session::begin(&app, &headers, person.id, "oidc", &begun.next).await
}
