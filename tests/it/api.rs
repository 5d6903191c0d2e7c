//! The HTTP API: the response to each caller, and that the OpenAPI description is correct.

use std::path::Path;

use contracts::Kind;
use domain::Verdict::Approve;
use portal::api::{OPERATIONS, Operation, document};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use store::tokens::NewToken;

use crate::harness::{Lockbox, ROLES, submission};
use crate::person::Site;

/// A caller of the API.
pub(crate) struct Caller<'a> {
    client: Client,
    site: &'a Site,
    pub(crate) token: String,
}

pub(crate) const ALL: [&str; 4] = ["requests:read", "requests:write", "decisions:write", "audit:read"];

/// A caller with an API token of a person or of a program.
pub(crate) async fn caller<'a>(lockbox: &Lockbox, site: &'a Site, person: Option<&str>, scopes: &[&str]) -> Caller<'a> {
    let token = format!("lbx_{}", uuid::Uuid::new_v4().simple());
    let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
    let hash = Sha256::digest(&token);
    let new = NewToken { hash: &hash, person, name: "test", scopes: &scopes, days: 1 };
    lockbox.store.add_token(new, &contracts::events::Actor::lockbox(), "test").await.unwrap();
    Caller { client: Client::new(), site, token }
}

impl Caller<'_> {
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}/api/v1{path}", self.site.origin));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(kind.contains("problem"), status.is_client_error() || status.is_server_error(), "{kind} {status}");
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    /// Posts unchanged bytes.
    pub(crate) async fn post_raw(&self, path: &str, content_type: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let request = self.client.post(format!("{}/api/v1{path}", self.site.origin)).bearer_auth(&self.token);
        let answer = request.header("content-type", content_type).body(body).send().await.unwrap();
        (answer.status(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, None, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, Some(body), None).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_submitted_approved_and_revoked_over_http() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let ticketing = caller(&lockbox, &site, None, &["requests:read", "requests:write"]).await;
    let (status, request) = ticketing.post("/requests", &submission()).await;
    assert_eq!(status, StatusCode::CREATED, "{request}");
    let path = format!("/requests/{}", request["id"].as_str().unwrap());
    let digest = request["digest"].clone();
    let yes = json!({"verdict": "approve", "digest": digest});
    let (status, refused) = ticketing.post(&format!("{path}/decision"), &yes).await;
    assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &json!("scope_missing")));
    let morgan = caller(&lockbox, &site, Some("morgan"), &ALL).await;
    let alex = caller(&lockbox, &site, Some("alex"), &ALL).await;
    let (status, early) = alex.post(&format!("{path}/decision"), &yes).await;
    assert_eq!((status, &early["code"]), (StatusCode::CONFLICT, &json!("not_reviewed")));
    assert_eq!(morgan.post(&format!("{path}/decision"), &yes).await.1["state"], "pending_customer");
    alex.post(&format!("{path}/comments"), &json!({"comment": "why?"})).await;
    let (status, granted) = alex.post(&format!("{path}/decision"), &yes).await;
    assert_eq!((status, &granted["state"]), (StatusCode::OK, &json!("active")));
    assert_eq!(
        alex.post(&format!("{path}/revocation"), &json!({"comment": "enough"})).await.1["cause"],
        "revoked_by_customer"
    );
    let events = ticketing.get(&format!("{path}/events")).await.1;
    let types: Vec<_> =
        events["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert!(types.contains(&"lockbox.request.submitted.v1"), "{types:?}");
    let auth =
        &lockbox.event(request["id"].as_str().unwrap().parse().unwrap(), "request.submitted").await["actor"]["auth"];
    assert_eq!((auth["method"].as_str(), auth["signed_in"].as_str()), (Some("api"), Some("token")));
    let found = alex.get("/audit?text=enough").await.1;
    assert_eq!(found["events"].as_array().unwrap().len(), 1);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_call_returns_the_same_request_and_another_call_with_its_key_is_refused() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let ticketing = caller(&lockbox, &site, None, &ALL).await;
    let send = async |body: &Value, key| ticketing.call(Method::POST, "/requests", Some(body), Some(key)).await;
    let body = submission();
    let (first, again) = tokio::join!(send(&body, "a"), send(&body, "a"));
    assert_eq!((first.0, again.0), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.1["id"], again.1["id"]);
    assert_eq!(send(&submission(), "a").await.1["id"], first.1["id"]);
    assert_ne!(send(&submission(), "b").await.1["id"], first.1["id"]);
    let mut other = submission();
    other["duration_seconds"] = 61.into();
    let (status, refused) = send(&other, "a").await;
    assert_eq!((status, &refused["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("idempotency_key_reused")));
    // A refusal is repeated too.
    other["duration_seconds"] = 0.into();
    for _ in 0..2 {
        let (status, invalid) = send(&other, "c").await;
        assert_eq!((status, &invalid["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid")));
        assert!(invalid["detail"].as_str().unwrap().contains("duration_seconds: must be between 1 and"));
    }
    let count: i64 = sqlx::query_scalar("select count(*) from requests").fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(count, 2);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_consecutive_and_complete() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let ticketing = caller(&lockbox, &site, None, &ALL).await;
    let mut sent = std::collections::BTreeSet::new();
    for _ in 0..7 {
        sent.insert(lockbox.submit(&submission()).await.to_string());
    }
    let (mut seen, mut path) = (Vec::new(), "/requests?limit=3".to_owned());
    loop {
        let page = ticketing.get(&path).await.1;
        seen.extend(page["requests"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/requests?limit=3&cursor={next}");
    }
    assert_eq!(seen.len(), 7);
    assert_eq!(seen.into_iter().collect::<std::collections::BTreeSet<_>>(), sent);
    // The audit log too: each event once, although many have the same time.
    lockbox.until_idle().await;
    let lee = caller(&lockbox, &site, Some("lee"), &ALL).await;
    for wrong in
        ["/requests?limit=0", "/requests?limit=x", "/requests?cursor=1", "/audit?since=soon", "/audit?cursor=1"]
    {
        assert_eq!(lee.get(wrong).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let (mut seen, mut path) = (Vec::new(), "/audit?limit=4".to_owned());
    loop {
        let page = lee.get(&path).await.1;
        seen.extend(page["events"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/audit?limit=4&cursor={next}");
    }
    let count = usize::try_from(lockbox.store.audit_count().await.unwrap()).unwrap();
    assert!(seen.len() == count && count > 8, "{} of {count}", seen.len());
    assert_eq!(seen.iter().collect::<std::collections::BTreeSet<_>>().len(), count);
    let dana = caller(&lockbox, &site, Some("dana"), &ALL).await;
    for none in ["/requests", "/requests?tenant=contoso"] {
        assert_eq!(dana.get(none).await.1["requests"], json!([]), "another tenant's");
    }
    site.close();
    lockbox.finish().await;
}

/// The callers: without a token, the ticketing system, the requester, another engineer, the manager, the tenant's
/// approver, another tenant's approver. Each token has every scope.
const WHO: [Option<&str>; 7] = [None, Some(""), Some("robin"), Some("sam"), Some("morgan"), Some("alex"), Some("dana")];

/// Status for each caller and a request that is pending customer approval, in the order of [`WHO`] and of [`OPERATIONS`]. 404 means
/// both missing and forbidden; 403 and 409 are refusals by the rules.
const EXPECTED: [[u16; 7]; 19] = [
    [200, 200, 200, 200, 200, 200, 200], // openapi.json
    [401, 200, 200, 200, 200, 200, 200], // me
    [401, 201, 201, 403, 403, 403, 403], // submit, for robin
    [401, 200, 200, 200, 200, 200, 200],
    [401, 200, 200, 404, 200, 200, 404],
    [401, 200, 200, 404, 200, 200, 404],
    [401, 403, 403, 404, 409, 200, 404], // decision
    [401, 403, 409, 404, 409, 409, 404], // revocation: no access is active
    [401, 403, 200, 404, 403, 403, 404], // withdrawal
    [401, 403, 200, 404, 200, 200, 404], // comments
    [401, 200, 200, 200, 200, 200, 200], // grants: each caller their own
    [401, 404, 404, 404, 404, 404, 404], // report: no access has ended
    [401, 403, 403, 404, 403, 409, 404], // response to the report
    [401, 404, 404, 404, 200, 200, 200], // audit
    [401, 403, 404, 404, 404, 404, 404], // access token: no access is active
    [401, 403, 200, 404, 200, 200, 404], // signing: a nonce for each person who sees the request
    [401, 404, 404, 404, 200, 200, 200], // authority
    [401, 403, 400, 400, 400, 400, 400], // a change without a statement
    [401, 403, 400, 400, 400, 400, 400], // a signature without an assertion
];

/// Checks that a response matches the description.
fn fits(operation: &Operation, status: StatusCode, said: &Value) {
    let document = document();
    let described =
        &document["paths"][format!("/api/v1{}", operation.path)][operation.method.to_lowercase()]["responses"];
    let mut described = &described[status.as_str()];
    if let Some(name) = described["$ref"].as_str() {
        described = &document["components"]["responses"][name.rsplit('/').next().unwrap()];
    }
    let content = described["content"].as_object().unwrap_or_else(|| panic!("{status} of {}", operation.path));
    let mut schema = content.values().next().unwrap()["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<_> = validator.iter_errors(said).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{} {}: {faults:?} in {said}", operation.method, operation.path);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_returns_the_listed_status_to_each_caller() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    for (operation, expected) in OPERATIONS.iter().zip(EXPECTED) {
        for (who, expected) in WHO.iter().zip(expected) {
            let caller = match who {
                None => Caller { client: Client::new(), site: &site, token: String::new() },
                Some("") => caller(&lockbox, &site, None, &ALL).await,
                Some(name) => caller(&lockbox, &site, Some(name), &ALL).await,
            };
            let id = lockbox.submit(&submission()).await;
            lockbox.decide(Kind::VendorDecide, id, "morgan", Approve).await;
            let path = operation.path.replace("{id}", &id.to_string());
            let body = match operation.path.rsplit('/').next().unwrap() {
                "requests" => submission(),
                "decision" => json!({"verdict": "approve", "digest": lockbox.view(id).await.digest().to_string()}),
                "comments" => json!({"comment": "why?"}),
                "report" => json!({"acknowledges": true}),
                _ => json!({}),
            };
            let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
            let body = (method == Method::POST).then_some(&body);
            let (status, said) = caller.call(method, &path, body, None).await;
            assert_eq!(status.as_u16(), expected, "{} {path} by {who:?}: {said}", operation.method);
            fits(operation, status, &said);
        }
        // A token with another scope.
        if let Some(scope) = operation.scope {
            let others: Vec<&str> = ALL.into_iter().filter(|held| *held != scope).collect();
            let narrow = caller(&lockbox, &site, Some("morgan"), &others).await;
            let path = operation.path.replace("{id}", &uuid::Uuid::nil().to_string());
            let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
            let (status, said) = narrow.call(method, &path, Some(&json!({})), None).await;
            assert_eq!((status, &said["code"]), (StatusCode::FORBIDDEN, &json!("scope_missing")), "{path}");
        }
    }
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_requester_creates_an_access_token_and_each_replaces_the_previous_one() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let id = crate::gate::granted(&lockbox, &submission()).await;
    let path = format!("/requests/{id}/access-token");
    for other in ["sam", "morgan", "alex", "dana"] {
        let other = caller(&lockbox, &site, Some(other), &ALL).await;
        assert_eq!(other.post(&path, &json!({})).await.0, StatusCode::NOT_FOUND);
    }
    let robin = caller(&lockbox, &site, Some("robin"), &ALL).await;
    let (first, second) = (robin.post(&path, &json!({})).await, robin.post(&path, &json!({})).await);
    assert_eq!((first.0, second.0), (StatusCode::OK, StatusCode::OK));
    let gate = crate::gate::Gate::open(&lockbox).await;
    let shows = async |token: &Value| {
        let question = json!({"access_token": token, "tenant": "contoso", "service": "exchange_online",
                              "resource": "finance@contoso.example"});
        gate.allows(&question).await
    };
    assert!(!shows(&first.1["access_token"]).await && shows(&second.1["access_token"]).await);
    gate.close().await;
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_query_is_refused_even_if_it_names_another_tenant() {
    let lockbox = Lockbox::with_roles(&[]).await;
    let site = Site::open(&lockbox).await;
    let alex = caller(&lockbox, &site, Some("alex"), &ALL).await;
    assert_eq!(alex.get("/requests?tenant=fabrikam").await.0, StatusCode::OK);
    for wrong in ["cursor=Z", "open=perhaps", "state=lost"] {
        assert_eq!(alex.get(&format!("/requests?tenant=fabrikam&{wrong}")).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_can_see_a_request_learns_that_it_has_no_report_yet() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let path = format!("/requests/{}/report", lockbox.submit(&submission()).await);
    let program = caller(&lockbox, &site, None, &ALL).await;
    let (status, said) = program.get(&path).await;
    assert_eq!((status, &said["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    assert_eq!(said["detail"], "there is no access report yet, because access has not ended");
    let missing = program.get(&format!("/requests/{}/report", uuid::Uuid::nil())).await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
    assert_ne!(missing.1["detail"], said["detail"]);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_or_revoked_token_or_one_of_a_disabled_person_is_refused() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    for spoil in [
        "update api_tokens set expires_at = clock_timestamp()",
        "update api_tokens set revoked_at = clock_timestamp()",
        "update people set enabled = false where name = 'alex'",
    ] {
        let alex = caller(&lockbox, &site, Some("alex"), &ALL).await;
        assert_eq!(alex.get("/requests").await.0, StatusCode::OK);
        sqlx::query(spoil).execute(&lockbox.pool).await.unwrap();
        assert_eq!(alex.get("/requests").await.0, StatusCode::UNAUTHORIZED, "{spoil}");
    }
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beyond_the_rate_limit_are_refused() {
    let lockbox = Lockbox::with_roles(&[]).await;
    let site = Site::open(&lockbox).await;
    let ticketing = caller(&lockbox, &site, None, &ALL).await;
    let calls = (0..400).map(|_| ticketing.get("/requests"));
    let answers = futures_util::future::join_all(calls).await;
    let waits = answers.iter().filter(|(status, _)| *status == StatusCode::TOO_MANY_REQUESTS).count();
    assert!(waits > 0 && waits < 301, "{waits} of 400 were refused");
    site.close();
    lockbox.finish().await;
}

#[test]
fn the_description_is_current_and_contains_every_operation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/openapi.json");
    let printed = format!("{:#}\n", document());
    #[allow(clippy::disallowed_methods, reason = "the description is printed again on demand")]
    if std::env::var("LOCKBOX_BLESS").is_ok() {
        std::fs::write(&path, &printed).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), printed, "print it again with LOCKBOX_BLESS=1");
    let document = document();
    for operation in OPERATIONS {
        let described = &document["paths"][format!("/api/v1{}", operation.path)][operation.method.to_lowercase()];
        assert_eq!(described["summary"], operation.summary);
        let body = &described["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body.is_object(), operation.body.is_some(), "{}", operation.path);
        if body.is_object() {
            assert!(jsonschema::meta::is_valid(body), "{}", operation.path);
        }
    }
}
