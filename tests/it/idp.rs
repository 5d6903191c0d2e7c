//! A small identity provider that says what a test tells it to say, well signed or not.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode as Status};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKeyId, PrivateSigningKey};
use portal::{Entry, Provider};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::harness::Lockbox;
use crate::person::{Page, Person, Site};

/// What the provider says. Members of an object replace those it says by itself; null takes one away.
#[derive(Clone, Debug)]
pub struct Said {
    /// Of the identity token.
    pub claims: Value,
    /// Seconds by which the provider's clock is ahead.
    pub ahead: i64,
    /// Which key signs; 7 is the one that is published.
    pub key: u8,
    /// Of the discovery document.
    pub discovery: Value,
    /// Of the token endpoint's answer.
    pub answer: Value,
    /// What `UserInfo` answers.
    pub user_info: Value,
    /// Of the answer in the browser's address.
    pub iss: Option<String>,
    /// What the token endpoint got: the form, and the header `Authorization`.
    pub got: (Vec<(String, String)>, Option<String>),
}

/// The provider.
#[derive(Clone)]
pub struct Idp {
    pub issuer: String,
    pub said: Arc<Mutex<Said>>,
    nonce: Arc<Mutex<String>>,
}

/// A private key in PKCS#8 (RFC 8410), made from a number.
fn key(number: u8) -> CoreEdDsaPrivateSigningKey {
    let prefix = hex::decode("302e020100300506032b657004220420").unwrap();
    let der: Vec<u8> = prefix.into_iter().chain([number; 32]).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new("test".into()))).unwrap()
}

fn merged(mut whole: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            whole.as_object_mut().unwrap().remove(name);
        } else {
            whole[name] = value.clone();
        }
    }
    whole
}

fn signed(claims: &Value, by: u8) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encode(&json!({ "alg": "EdDSA", "kid": "test" })), encode(claims));
    let signature = key(by).sign(&CoreJwsSigningAlgorithm::EdDsa, text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn discovery(State(idp): State<Idp>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", idp.issuer);
    let own = json!({
        "issuer": idp.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"), "userinfo_endpoint": at("/me"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
    });
    Json(merged(own, &idp.said.lock().unwrap().discovery))
}

async fn keys() -> Json<Value> {
    // One of a kind that nobody knows yet stands beside.
    Json(json!({ "keys": [{ "kty": "FUTURE", "kid": "test" }, key(7).as_verification_key()] }))
}

async fn user_info(State(idp): State<Idp>, headers: HeaderMap) -> (Status, Json<Value>) {
    let is_good = headers.get("authorization").is_some_and(|said| said == "Bearer opaque");
    if is_good {
        (Status::OK, Json(idp.said.lock().unwrap().user_info.clone()))
    } else {
        (Status::UNAUTHORIZED, Json(json!({})))
    }
}

#[allow(clippy::disallowed_methods, reason = "an identity provider has a clock of its own")]
async fn token(
    State(idp): State<Idp>,
    headers: HeaderMap,
    Form(form): Form<Vec<(String, String)>>,
) -> (Status, Json<Value>) {
    let given = |name: &str| form.iter().any(|(key, value)| key == name && !value.is_empty());
    let is_good = given("code_verifier") && form.contains(&("code".into(), "good".into()));
    let mut said = idp.said.lock().unwrap();
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    said.got = (form, authorization);
    if !is_good {
        return (Status::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })));
    }
    let now = Utc::now().timestamp() + said.ahead;
    let own = json!({
        "iss": idp.issuer, "aud": "lockbox", "sub": "sub-1", "email": "alex@contoso.example", "email_verified": true,
        "iat": now, "exp": now + 60, "nonce": *idp.nonce.lock().unwrap(),
    });
    let id_token = signed(&merged(own, &said.claims), said.key);
    let own = json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": id_token });
    (Status::OK, Json(merged(own, &said.answer)))
}

impl Idp {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let idp = Self { issuer, said: Arc::new(Mutex::new(Self::honest())), nonce: Arc::default() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/me", get(user_info))
            .route("/token", post(token))
            .with_state(idp.clone());
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        idp
    }

    /// Alex, with everything in order.
    pub fn honest() -> Said {
        Said {
            claims: json!({}),
            ahead: 0,
            key: 7,
            discovery: json!({}),
            answer: json!({}),
            user_info: json!({ "sub": "sub-1" }),
            iss: None,
            got: (Vec::new(), None),
        }
    }

    /// As a setting.
    pub fn provider(&self) -> Provider {
        Provider {
            oidc_issuer: Some(self.issuer.clone()),
            oidc_client_id: Some("lockbox".into()),
            ..Provider::default()
        }
    }

    /// As one of the settings file, for one tenant.
    pub fn entry(&self, tenant: &str) -> Entry {
        Entry {
            issuer: self.issuer.clone(),
            client_id: "lockbox".into(),
            tenant: Some(tenant.into()),
            ..Entry::default()
        }
    }

    /// Somebody signs in; `said` is what the provider says.
    pub async fn sign_in(&self, site: &Site, said: Said) -> (Person, Page) {
        self.sign_in_at(site, "/sign-in/start?next=/requests", "good", said).await
    }

    /// The same from another start, with another code.
    pub async fn sign_in_at(&self, site: &Site, start: &str, code: &str, said: Said) -> (Person, Page) {
        let iss = said.iss.clone();
        *self.said.lock().unwrap() = said;
        let mut person = site.stranger();
        let sent = person.get(start).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let url: url::Url = sent.location.parse().unwrap();
        assert!(sent.location.starts_with(&self.issuer), "{}", sent.location);
        let query = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        assert_eq!(query("code_challenge_method").as_deref(), Some("S256"));
        *self.nonce.lock().unwrap() = query("nonce").unwrap();
        person.keep_cookie(&sent);
        let mut callback = format!("/sign-in/callback?code={code}&state={}", query("state").unwrap());
        if let Some(iss) = iss {
            callback =
                format!("{callback}&iss={}", url::form_urlencoded::byte_serialize(iss.as_bytes()).collect::<String>());
        }
        let back = person.get(&callback).await;
        if back.status == StatusCode::SEE_OTHER {
            person.keep_cookie(&back);
        }
        (person, back)
    }
}

/// A portal that people sign in to through this provider.
pub async fn site(lockbox: &Lockbox, provider: Provider) -> Site {
    Site::open_with(lockbox, false, provider).await
}

/// Forgets who anybody is at a provider.
pub async fn forget(lockbox: &Lockbox) {
    sqlx::query("delete from identities").execute(&lockbox.pool).await.unwrap();
}
