//! Sign-in through an identity provider: a small one of the test's own that signs what it is told to.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use chrono::{Duration, Utc};
use openidconnect::core::{CoreEdDsaPrivateSigningKey, CoreIdToken, CoreIdTokenClaims, CoreJwsSigningAlgorithm};
use openidconnect::{
    Audience, EmptyAdditionalClaims, EndUserEmail, IssuerUrl, JsonWebKeyId, Nonce, PrivateSigningKey, StandardClaims,
    SubjectIdentifier,
};
use portal::Provider;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use crate::harness::Lockbox;
use crate::person::{Page, Person, Site};

/// What the next identity token says.
#[derive(Clone, Debug)]
struct Said {
    subject: String,
    email: String,
    verified: bool,
    nonce: String,
    audience: String,
    lasts: Duration,
    key: u8,
}

/// The provider.
#[derive(Clone)]
struct Idp {
    issuer: String,
    said: Arc<Mutex<Said>>,
}

/// A private key in PKCS#8 (RFC 8410), made from a number.
fn key(number: u8) -> CoreEdDsaPrivateSigningKey {
    let prefix = hex::decode("302e020100300506032b657004220420").unwrap();
    let der: Vec<u8> = prefix.into_iter().chain([number; 32]).collect();
    let text = openidconnect_base64(&der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new("test".into()))).unwrap()
}

fn openidconnect_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .map(|three| {
            let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            let digit = |place: usize| char::from(DIGITS[(bits >> (18 - 6 * place)) as usize & 63]);
            let digits = (0..4).map(|place| if place <= three.len() { digit(place) } else { '=' });
            digits.collect::<String>()
        })
        .collect()
}

async fn discovery(State(idp): State<Idp>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", idp.issuer);
    Json(json!({
        "issuer": idp.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
    }))
}

async fn keys() -> Json<Value> {
    Json(json!({ "keys": [key(7).as_verification_key()] }))
}

#[allow(clippy::disallowed_methods, reason = "an identity provider has a clock of its own")]
async fn token(State(idp): State<Idp>, Form(form): Form<Vec<(String, String)>>) -> (StatusCode, Json<Value>) {
    let given = |name: &str| form.iter().any(|(key, value)| key == name && !value.is_empty());
    if !(given("code_verifier") && form.contains(&("code".into(), "good".into()))) {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })));
    }
    let said = idp.said.lock().unwrap().clone();
    let standard = StandardClaims::new(SubjectIdentifier::new(said.subject))
        .set_email(Some(EndUserEmail::new(said.email)))
        .set_email_verified(Some(said.verified));
    let claims = CoreIdTokenClaims::new(
        IssuerUrl::new(idp.issuer.clone()).unwrap(),
        vec![Audience::new(said.audience)],
        Utc::now() + said.lasts,
        Utc::now(),
        standard,
        EmptyAdditionalClaims {},
    )
    .set_nonce(Some(Nonce::new(said.nonce)));
    let signed = CoreIdToken::new(claims, &key(said.key), CoreJwsSigningAlgorithm::EdDsa, None, None).unwrap();
    (StatusCode::OK, Json(json!({ "access_token": "x", "token_type": "bearer", "id_token": signed })))
}

impl Idp {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let said = Said {
            subject: "sub-1".into(),
            email: "alex@contoso.example".into(),
            verified: true,
            nonce: String::new(),
            audience: "lockbox".into(),
            lasts: Duration::minutes(5),
            key: 7,
        };
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let idp = Self { issuer, said: Arc::new(Mutex::new(said)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(idp.clone());
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        idp
    }

    /// Somebody signs in; `change` is what the provider says otherwise.
    async fn sign_in(&self, site: &Site, code: &str, change: impl FnOnce(&mut Said)) -> (Person, Page) {
        let mut person = site.stranger();
        let sent = person.get("/sign-in/start?next=/requests").await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let url: url::Url = sent.location.parse().unwrap();
        let query = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        assert_eq!(query("code_challenge_method").as_deref(), Some("S256"));
        {
            let mut said = self.said.lock().unwrap();
            said.nonce = query("nonce").unwrap();
            change(&mut said);
        }
        person.keep_cookie(&sent);
        let back = person.get(&format!("/sign-in/callback?code={code}&state={}", query("state").unwrap())).await;
        if back.status == StatusCode::SEE_OTHER {
            person.keep_cookie(&back);
        }
        (person, back)
    }
}

async fn site(lockbox: &Lockbox, idp: &Idp) -> Site {
    let provider = Provider {
        oidc_issuer: Some(idp.issuer.clone()),
        oidc_client_id: Some("lockbox".into()),
        oidc_client_secret_file: None,
    };
    Site::open_with(lockbox, false, provider).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_through_the_identity_provider_and_is_who_the_directory_says() {
    let lockbox = Lockbox::without_roles().await;
    let idp = Idp::start().await;
    let site = site(&lockbox, &idp).await;
    let (alex, back) = idp.sign_in(&site, "good", |_| {}).await;
    assert_eq!((back.status, back.location.as_str()), (StatusCode::SEE_OTHER, "/requests"), "{}", back.text);
    assert!(alex.get("/requests").await.text.contains("Alex Novak"));
    // From now on only the subject counts, whatever address the provider tells.
    let (again, _) = idp.sign_in(&site, "good", |said| said.email = "dana@adatum.example".into()).await;
    assert!(again.get("/").await.text.contains("Alex Novak"));
    // Nobody chooses a name where an identity provider is the way in.
    let person = lockbox.store.everybody().await.unwrap().pop().unwrap();
    let chosen = site.stranger().post("/sign-in", &[("person", &person.id.0.to_string())]).await;
    assert_eq!(chosen.status, StatusCode::NOT_FOUND);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_does_not_hold_lets_nobody_in() {
    let lockbox = Lockbox::without_roles().await;
    let idp = Idp::start().await;
    let site = site(&lockbox, &idp).await;
    type Change = fn(&mut Said);
    let lies: [(&str, Change); 7] = [
        ("another key", |said| said.key = 8),
        ("another audience", |said| said.audience = "elsewhere".into()),
        ("another nonce", |said| said.nonce = "replayed".into()),
        ("a proof that is over", |said| said.lasts = Duration::minutes(-5)),
        ("a new subject with an address nobody verified", |said| {
            (said.subject, said.email, said.verified) = ("sub-3".into(), "kim@contoso.example".into(), false);
        }),
        ("a new subject the directory does not know", |said| {
            (said.subject, said.email) = ("sub-4".into(), "eve@evil.example".into());
        }),
        ("a second identity for a person who has one", |said| said.subject = "sub-2".into()),
    ];
    let honest = idp.said.lock().unwrap().clone();
    // The honest proof lets in, so that each lie is all that is wrong.
    let (_, first) = idp.sign_in(&site, "good", |_| {}).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER);
    for (what, lie) in lies {
        let nonce = |said: &mut Said| {
            let nonce = said.nonce.clone();
            *said = Said { nonce, ..honest.clone() };
            lie(said);
        };
        let (person, back) = idp.sign_in(&site, "good", nonce).await;
        assert_eq!(back.status, StatusCode::CONFLICT, "{what}: {}", back.text);
        assert!(person.get("/").await.location.starts_with("/sign-in"), "{what}");
    }
    let (_, back) = idp.sign_in(&site, "stolen", |_| {}).await;
    assert_eq!(back.status, StatusCode::CONFLICT, "a code that is not redeemed");
    // The state of one browser is worth nothing in another, and works once.
    let begun = site.stranger().get("/sign-in/start").await;
    let state = begun.location.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let callback = format!("/sign-in/callback?code=good&state={state}");
    assert_eq!(site.stranger().get(&callback).await.status, StatusCode::CONFLICT);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_can_be_anybody_only_on_this_machine() {
    let lockbox = Lockbox::without_roles().await;
    let listener = runtime::listen::bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
    let options = portal::Options { developer_sign_in: true, provider: Provider::default(), mailbox: None };
    let (stop, tasks) = (tokio_util::sync::CancellationToken::new(), TaskTracker::new());
    let refused = portal::start(&lockbox.settings, listener, options, stop, &tasks).unwrap_err();
    assert!(refused.to_string().contains("refused on 0.0.0.0"), "{refused}");
    lockbox.finish().await;
}
