//! Talking to one identity provider: what it offers, codes for tokens, and what `UserInfo` adds.

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

/// What a provider offers is asked again after this time.
const METADATA_LIFE: Duration = Duration::from_secs(60);
/// Longer identity tokens are not sent back to the provider at sign-out: addresses have limits.
const WAKE_UP_LIMIT_BYTES: usize = 4096;

/// What a provider offers (<https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata>). Only what is
/// needed here is read: providers write the rest in many ways.
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
    /// Algorithms it signs with. RS256 is what every provider must have.
    pub fn algorithms(&self) -> Vec<String> {
        let said = &self.id_token_signing_alg_values_supported;
        if said.is_empty() { vec!["RS256".to_owned()] } else { said.clone() }
    }

    /// Whether the client secret goes into the form: only where the provider does not take it in the header, which every
    /// provider takes unless it says otherwise.
    fn wants_secret_in_form(&self) -> bool {
        let said = self.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let has = |name: &str| said.iter().any(|method| method == name);
        !has("client_secret_basic") && has("client_secret_post")
    }
}

/// Why a provider is of no use now.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It does not answer, or says what cannot be read.
    Away(String),
    /// It calls itself something else than the setting does.
    Issuer(String),
    /// It did not take what was sent.
    Refused(String),
}

/// What came for a code.
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
    /// Reads the settings of one.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn new(entry: Entry) -> Result<Self, Failure> {
        // No redirect is followed: an issuer must not send us into its inner network.
        let http = reqwest::Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(10));
        let http = http.build().map_err(|fault| Failure::Usage(format!("the client for sign-in: {fault}")))?;
        let secret = secret(entry.client_secret_file.as_deref())?;
        Ok(Self { entry, secret, http, known: Mutex::new(None) })
    }

    async fn ask(&self, what: &str, request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), Trouble> {
        let away = |fault: &reqwest::Error| Trouble::Away(format!("{what}: {}", workers::error_chain(fault)));
        let answer = request.header("accept", "application/json").send().await.map_err(|fault| away(&fault))?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(|fault| away(&fault))?;
        Ok((status, body.to_vec()))
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, what: &str, url: Url) -> Result<T, Trouble> {
        let (status, body) = self.ask(what, self.http.get(url.clone())).await?;
        if status != 200 {
            return Err(Trouble::Away(format!("{what}: {url} answers {status}")));
        }
        serde_json::from_slice(&body).map_err(|fault| Trouble::Away(format!("{what}: {url}: {fault}")))
    }

    /// What the provider offers, at most a minute old.
    pub async fn metadata(&self) -> Result<Arc<Metadata>, Trouble> {
        let mut known = self.known.lock().await;
        if let Some((at, metadata)) = known.as_ref().filter(|(at, _)| at.elapsed() < METADATA_LIFE) {
            let _: &Instant = at;
            return Ok(metadata.clone());
        }
        let address = format!("{}/.well-known/openid-configuration", self.entry.issuer.trim_end_matches('/'));
        let url = Url::parse(&address).map_err(|fault| Trouble::Away(format!("{address}: {fault}")))?;
        let metadata: Metadata = self.get("discovery", url).await?;
        if metadata.issuer != self.entry.issuer {
            return Err(Trouble::Issuer(format!(
                "the identity provider calls itself {:?}, and the setting says {:?}. They must be the same, letter by \
                 letter; set the issuer to {}",
                metadata.issuer, self.entry.issuer, metadata.issuer
            )));
        }
        let metadata = Arc::new(metadata);
        *known = Some((Instant::now(), metadata.clone()));
        Ok(metadata)
    }

    /// The keys it signs with now: asked each time, so that a change counts at once. What is no key for us is left out.
    pub async fn keys(&self, metadata: &Metadata) -> Result<Vec<CoreJsonWebKey>, Trouble> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = self.get("its keys", metadata.jwks_uri.clone()).await?;
        Ok(set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect())
    }

    /// Redeems a code.
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
                // Both are encoded as in a form before they are put together (RFC 6749, 2.3.1).
                let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encode(&self.entry.client_id), encode(secret));
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                request = request.header("authorization", format!("Basic {pair}"));
            }
            Some(secret) => form.extend([("client_id", self.entry.client_id.as_str()), ("client_secret", secret)]),
            None => form.push(("client_id", &self.entry.client_id)),
        }
        let (status, body) = self.ask("the code", request.form(&form)).await?;
        if status >= 500 {
            return Err(Trouble::Away(format!("the code: the token endpoint answers {status}")));
        }
        let refused = |why: &str| Trouble::Refused(format!("a code was not redeemed: {why}"));
        if status != 200 {
            let said = Claims::read(&body).unwrap_or_default();
            let words = [said.text("error"), said.text("error_description")].into_iter().flatten();
            return Err(refused(&format!("{status} {}", words.collect::<Vec<_>>().join(": "))));
        }
        serde_json::from_slice(&body).map_err(|fault| refused(&fault.to_string()))
    }

    /// What `UserInfo` says about the subject; `None` when the provider has none, or speaks about somebody else.
    pub async fn user_info(&self, metadata: &Metadata, tokens: &Tokens, subject: &str) -> Option<Claims> {
        let url = metadata.userinfo_endpoint.clone().filter(|_| !tokens.access_token.is_empty())?;
        let answer = self.ask("UserInfo", self.http.get(url).bearer_auth(&tokens.access_token)).await;
        let claims = match answer {
            Ok((200, body)) => Claims::read(&body),
            Ok((status, _)) => {
                tracing::warn!(status, "UserInfo does not answer");
                None
            }
            Err(trouble) => {
                tracing::warn!(?trouble, "UserInfo does not answer");
                None
            }
        };
        claims.filter(|claims| claims.text("sub") == Some(subject))
    }

    /// Where the provider's own session is ended, if it offers that
    /// (<https://openid.net/specs/openid-connect-rpinitiated-1_0.html>).
    pub async fn end_session(&self, id_token: &str, back: &str) -> Option<String> {
        let mut url = self.metadata().await.ok()?.end_session_endpoint.clone()?;
        {
            let mut query = url.query_pairs_mut();
            if id_token.len() <= WAKE_UP_LIMIT_BYTES {
                query.append_pair("id_token_hint", id_token);
            }
            query.append_pair("client_id", &self.entry.client_id).append_pair("post_logout_redirect_uri", back);
        }
        Some(url.to_string())
    }
}
