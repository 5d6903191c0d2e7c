//! The client of one identity provider: metadata, keys, tokens and `UserInfo`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use openidconnect::core::CoreJsonWebKey;
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::settings::{Entry, secret};
use super::token::Claims;
use runtime::outcome::Failure;

/// The metadata of a provider is cached for this long.
const METADATA_TTL: Duration = Duration::from_secs(60);
/// Longer identity tokens are not sent to the provider at sign-out, because URLs have limits.
const ID_TOKEN_HINT_LIMIT_BYTES: usize = 4096;

/// Metadata of a provider (<https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata>). Only the needed
/// fields are parsed, because providers write the others in many ways.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    pub issuer: String,
    pub authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    #[serde(default)]
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    end_session_endpoint: Option<Url>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Vec<String>,
}

impl Metadata {
    /// Signature algorithms. Every provider must support RS256.
    pub fn algorithms(&self) -> Vec<String> {
        let listed = &self.id_token_signing_alg_values_supported;
        if listed.is_empty() { vec!["RS256".to_owned()] } else { listed.clone() }
    }

    /// Whether to send the client secret in the form: only when the provider does not accept it in the header. Every
    /// provider accepts the header unless its metadata says otherwise.
    fn wants_secret_in_form(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let has = |name: &str| methods.iter().any(|method| method == name);
        !has("client_secret_basic") && has("client_secret_post")
    }
}

/// Why a provider cannot be used.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is not available, or its response is not valid.
    Unavailable(String),
    /// Its issuer differs from the settings.
    Issuer(String),
    /// It refused the code.
    Refused(String),
}

/// The tokens for a code.
#[derive(Debug, Deserialize)]
pub(super) struct Tokens {
    pub id_token: String,
    #[serde(default)]
    access_token: String,
}

/// One identity provider.
pub(crate) struct Client {
    pub entry: Entry,
    secret: Option<String>,
    http: reqwest::Client,
    known: Mutex<Option<(Instant, Arc<Metadata>)>>,
}

impl Client {
    /// Creates a client from settings.
    ///
    /// # Errors
    /// When a setting is not valid.
    pub fn new(entry: Entry) -> Result<Self, Failure> {
        // Redirects are not followed: an issuer must not redirect the portal to an internal network.
        let http = reqwest::Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(10));
        let http = http.build().map_err(|fault| Failure::Usage(format!("HTTP client for sign-in: {fault}")))?;
        let secret = secret(entry.client_secret_file.as_deref())?;
        Ok(Self { entry, secret, http, known: Mutex::new(None) })
    }

    async fn send(&self, what: &str, request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), Trouble> {
        let unavailable =
            |fault: &reqwest::Error| Trouble::Unavailable(format!("{what}: {}", workers::error_chain(fault)));
        let response =
            request.header("accept", "application/json").send().await.map_err(|fault| unavailable(&fault))?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(|fault| unavailable(&fault))?;
        Ok((status, body.to_vec()))
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, what: &str, url: Url) -> Result<T, Trouble> {
        let (status, body) = self.send(what, self.http.get(url.clone())).await?;
        if status != 200 {
            return Err(Trouble::Unavailable(format!("{what}: {url} responds with status {status}")));
        }
        serde_json::from_slice(&body).map_err(|fault| Trouble::Unavailable(format!("{what}: {url}: {fault}")))
    }

    /// Metadata of the provider, at most a minute old.
    pub async fn metadata(&self) -> Result<Arc<Metadata>, Trouble> {
        let mut known = self.known.lock().await;
        if let Some((at, metadata)) = known.as_ref().filter(|(at, _)| at.elapsed() < METADATA_TTL) {
            let _: &Instant = at;
            return Ok(metadata.clone());
        }
        let address = format!("{}/.well-known/openid-configuration", self.entry.issuer.trim_end_matches('/'));
        let url = Url::parse(&address).map_err(|fault| Trouble::Unavailable(format!("{address}: {fault}")))?;
        let metadata: Metadata = self.get("discovery", url).await?;
        if metadata.issuer != self.entry.issuer {
            return Err(Trouble::Issuer(format!(
                "the issuer of the identity provider is {:?}, but the setting is {:?}. They must be identical; set the \
                 issuer to {}",
                metadata.issuer, self.entry.issuer, metadata.issuer
            )));
        }
        let metadata = Arc::new(metadata);
        *known = Some((Instant::now(), metadata.clone()));
        Ok(metadata)
    }

    /// The current keys, requested each time, so that a rotation takes effect at once. Unknown kinds of keys are left out.
    pub async fn keys(&self, metadata: &Metadata) -> Result<Vec<CoreJsonWebKey>, Trouble> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = self.get("keys", metadata.jwks_uri.clone()).await?;
        Ok(set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect())
    }

    /// Exchanges a code for tokens.
    pub async fn redeem(
        &self,
        metadata: &Metadata,
        (code, verifier): (&str, &str),
        redirect: &str,
    ) -> Result<Tokens, Trouble> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let mut request = self.http.post(metadata.token_endpoint.clone());
        match &self.secret {
            Some(secret) if !metadata.wants_secret_in_form() => {
                // Both are form-encoded before they are joined (RFC 6749, section 2.3.1).
                let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encode(&self.entry.client_id), encode(secret));
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                request = request.header("authorization", format!("Basic {pair}"));
            }
            Some(secret) => form.extend([("client_id", self.entry.client_id.as_str()), ("client_secret", secret)]),
            None => form.push(("client_id", &self.entry.client_id)),
        }
        let (status, body) = self.send("token endpoint", request.form(&form)).await?;
        if status >= 500 {
            return Err(Trouble::Unavailable(format!("token endpoint responds with status {status}")));
        }
        let refused = |why: &str| Trouble::Refused(format!("token endpoint refused the code: {why}"));
        if status != 200 {
            let details = Claims::read(&body).unwrap_or_default();
            let words = [details.text("error"), details.text("error_description")].into_iter().flatten();
            return Err(refused(&format!("{status} {}", words.collect::<Vec<_>>().join(": "))));
        }
        serde_json::from_slice(&body).map_err(|fault| refused(&fault.to_string()))
    }

    /// `UserInfo` claims of the subject; `None` when the provider has no `UserInfo`, or its claims are of another subject.
    pub async fn user_info(&self, metadata: &Metadata, tokens: &Tokens, subject: &str) -> Option<Claims> {
        let url = metadata.userinfo_endpoint.clone().filter(|_| !tokens.access_token.is_empty())?;
        let response = self.send("UserInfo", self.http.get(url).bearer_auth(&tokens.access_token)).await;
        let claims = match response {
            Ok((200, body)) => Claims::read(&body),
            Ok((status, _)) => {
                tracing::warn!(status, "UserInfo endpoint not available");
                None
            }
            Err(trouble) => {
                tracing::warn!(?trouble, "UserInfo endpoint not available");
                None
            }
        };
        claims.filter(|claims| claims.text("sub") == Some(subject))
    }

    /// URL that ends the provider's own session, if it supports that
    /// (<https://openid.net/specs/openid-connect-rpinitiated-1_0.html>).
    pub async fn end_session(&self, id_token: &str, back: &str) -> Option<String> {
        let mut url = self.metadata().await.ok()?.end_session_endpoint.clone()?;
        {
            let mut query = url.query_pairs_mut();
            if id_token.len() <= ID_TOKEN_HINT_LIMIT_BYTES {
                query.append_pair("id_token_hint", id_token);
            }
            query.append_pair("client_id", &self.entry.client_id).append_pair("post_logout_redirect_uri", back);
        }
        Some(url.to_string())
    }
}
