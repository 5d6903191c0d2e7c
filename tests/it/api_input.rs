//! Unusual input of callers of the HTTP API: it is read where possible, or refused with the reason.

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::api::{ALL, caller};
use crate::harness::{Lockbox, ROLES, submission};
use crate::person::Site;

/// Status, problem and the header `Allow` of a failed call.
async fn problem(request: RequestBuilder) -> (u16, Value, String) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let header =
        |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let (kind, allow) = (header("content-type"), header("allow"));
    assert_eq!(kind, "application/problem+json", "{status}");
    let said: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(said["status"], status);
    (status, said, allow)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_call_returns_a_problem_that_explains_what_to_do() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let token = caller(&lockbox, &site, None, &ALL).await.token;
    let client = Client::new();
    let call = |method: Method, path: &str| {
        client.request(method, format!("{}/api/v1{path}", site.origin)).bearer_auth(&token)
    };
    let post = |kind: &str, body: String| call(Method::POST, "/requests").header("content-type", kind).body(body);
    let good = submission().to_string();
    let cases = [
        (call(Method::DELETE, "/requests"), 405, "DELETE"),
        (call(Method::PUT, "/me"), 405, "PUT"),
        (call(Method::GET, "/nothing"), 404, "this resource does not exist"),
        (post("text/plain", good.clone()), 415, "application/json"),
        (post("application/x-www-form-urlencoded", good.clone()), 415, "application/json"),
        (post("application/json; charset=utf-16", good.clone()), 415, "utf-16"),
        (post("application/json", good.clone()).header("content-encoding", "gzip"), 415, "gzip"),
        (post("application/json", format!("{good}{}", " ".repeat(70_000))), 413, "64 KiB"),
        (post("application/json", "{".into()), 400, "the body is not valid"),
        (post("application/json", good.clone()).header("idempotency-key", "a b"), 400, "Idempotency-Key"),
        (call(Method::GET, "/requests?limit=many"), 400, "limit must be a whole number from 1 to 200"),
        (call(Method::GET, "/requests?open=yes"), 400, "open must be true or false"),
        (call(Method::GET, "/requests?state=lost"), 400, "state must be one of pending_vendor"),
        (call(Method::GET, "/requests?tenat=contoso"), 400, "\"tenat\" is unknown"),
        (call(Method::GET, "/requests?tenant=a&tenant=b"), 400, "repeated"),
        (call(Method::GET, "/requests?cursor=9999999999999999999.00000000000000000000000000000000"), 400, "cursor"),
    ];
    for (request, expected, words) in cases {
        let (status, said, allow) = problem(request).await;
        assert_eq!(status, expected, "{words}: {said}");
        assert!(said["detail"].as_str().unwrap().contains(words), "{words}: {said}");
        assert_eq!(allow.is_empty(), expected != 405, "{said}");
        assert!(
            !said["detail"].as_str().unwrap().contains("eserialize"),
            "the detail contains a message of a library: {said}"
        );
    }
    let lee = caller(&lockbox, &site, Some("lee"), &ALL).await;
    for (time, expected) in [
        ("2026-11-27T14:00:00", StatusCode::OK),
        ("2026-11-27T14:00:00Z", StatusCode::OK),
        ("2026-11-27T14:00:00.25+01:00", StatusCode::OK),
        ("2026-11-27T14:00:00%2B01:00", StatusCode::OK),
        ("2026-11-27", StatusCode::OK),
        ("yesterday", StatusCode::BAD_REQUEST),
    ] {
        let (status, said) = lee.get(&format!("/audit?since={time}")).await;
        assert_eq!(status, expected, "{time}: {said}");
        assert!(status.is_success() || said["detail"].as_str().unwrap().starts_with("since: "), "{said}");
    }
    assert_eq!(lockbox.store.dead_letter_count().await.unwrap(), 0);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheme_of_a_token_ignores_case_and_a_refusal_names_the_pending_side() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let robin = caller(&lockbox, &site, Some("robin"), &ALL).await;
    for scheme in ["bearer", "Bearer", "BEARER"] {
        let request = Client::new().get(format!("{}/api/v1/me", site.origin));
        let answer = request.header("authorization", format!("{scheme} {}", robin.token)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{scheme}");
    }
    let (status, said) =
        robin.post_raw("/requests", "application/vnd.contoso+json", submission().to_string().into()).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    let path = format!("/requests/{}/decision", said["id"].as_str().unwrap());
    let yes = json!({"verdict": "approve", "digest": said["digest"]});
    let morgan = caller(&lockbox, &site, Some("morgan"), &ALL).await;
    let alex = caller(&lockbox, &site, Some("alex"), &ALL).await;
    for (who, body, expected, code) in [
        (&robin, &yes, 403, "own_request"),
        (&alex, &yes, 409, "not_reviewed"),
        (&morgan, &json!({"verdict": "approve", "digest": "0".repeat(64)}), 409, "digest_mismatch"),
        (&morgan, &json!({"verdict": "approve", "digest": said["digest"], "comment": "a\u{202e}b"}), 422, "invalid"),
    ] {
        let (status, said) = who.post(&path, body).await;
        assert_eq!((status.as_u16(), &said["code"]), (expected, &json!(code)), "{said}");
    }
    let mut unknown = submission();
    unknown["tenant"] = "nobody".into();
    assert_eq!(robin.post("/requests", &unknown).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    site.close();
    lockbox.finish().await;
}
