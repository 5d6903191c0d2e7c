//! Checks from Traefik and Envoy, with the headers that they really send.

use reqwest::{Method, StatusCode};

use crate::gate::{Gate, access_token, granted, make_writable, site, uses};
use crate::harness::{Lockbox, ROLES, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn traefik_and_envoy_get_the_responses_that_they_expect() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let request = granted(&lockbox, &site("https://contoso.example/sites/a")).await;
    let token = access_token(&lockbox, request).await;
    let status = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let mut asking = gate.client.request(method, format!("http://{}{path}", gate.address)).bearer_auth(&token);
        for (name, value) in headers {
            asking = asking.header(*name, *value);
        }
        asking.send().await.unwrap().status()
    };
    let traefik = "/v1/check?proxy=traefik&tenant=contoso&service=sharepoint&site=https://contoso.example";
    // What Traefik 3.7 and Envoy 1.40 were seen to ask with the example's configuration.
    let forwarded = |uri| {
        [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "contoso.example"),
            ("x-forwarded-method", "GET"),
            ("x-forwarded-port", "443"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-uri", uri),
            ("accept-encoding", "gzip"),
        ]
    };
    assert_eq!(status(Method::GET, traefik, &forwarded("/sites/a/x")).await, StatusCode::NO_CONTENT);
    assert_eq!(status(Method::GET, traefik, &forwarded("/sites/b/x")).await, StatusCode::FORBIDDEN);
    let caddy = traefik.replace("traefik", "caddy");
    assert_eq!(status(Method::GET, &caddy, &forwarded("/sites/a/x")).await, StatusCode::NO_CONTENT);
    // A client that makes Traefik drop its own header cannot put nginx' in its place.
    let smuggled = [("x-original-uri", "/sites/a/x"), ("x-original-method", "GET")];
    assert_eq!(status(Method::GET, traefik, &smuggled).await, StatusCode::FORBIDDEN);
    let moving = |to| {
        let [source, host, ..] = forwarded("/sites/a/x");
        [source, host, ("x-forwarded-uri", "/sites/a/x"), ("x-forwarded-method", "MOVE"), ("destination", to)]
    };
    assert_eq!(status(Method::GET, traefik, &moving("https://contoso.example/sites/a/y")).await, StatusCode::FORBIDDEN);
    let envoy = "/v1/check/envoy/contoso/sharepoint/contoso.example";
    let seen = [
        ("x-forwarded-for", "203.0.113.9,192.0.2.7"),
        ("x-envoy-internal", "true"),
        ("x-envoy-expected-rq-timeout-ms", "1000"),
        ("content-length", "0"),
    ];
    assert_eq!(status(Method::GET, &format!("{envoy}/sites/a/x"), &seen).await, StatusCode::OK);
    assert_eq!(status(Method::GET, &format!("{envoy}/sites/a/x?y=1"), &[]).await, StatusCode::OK);
    assert_eq!(status(Method::PUT, &format!("{envoy}/sites/a/x"), &[]).await, StatusCode::FORBIDDEN);
    assert_eq!(status(Method::GET, &format!("{envoy}/sites/a/%2e%2e/b"), &[]).await, StatusCode::FORBIDDEN);
    assert_eq!(status(Method::GET, "/anything", &[]).await, StatusCode::FORBIDDEN);
    make_writable(&lockbox, request).await;
    let move_to = async |to| status(Method::GET, traefik, &moving(to)).await;
    assert_eq!(move_to("https://contoso.example/sites/a/y").await, StatusCode::NO_CONTENT);
    assert_eq!(move_to("https://contoso.example/sites/b/y").await, StatusCode::FORBIDDEN);
    let envoy_moves = Method::from_bytes(b"MOVE").unwrap();
    let to = |to| [("destination", to)];
    let uri = format!("{envoy}/sites/a/x");
    assert_eq!(status(envoy_moves.clone(), &uri, &to("https://contoso.example/sites/a/y")).await, StatusCode::OK);
    assert_eq!(status(envoy_moves, &uri, &to("https://contoso.example/sites/b/y")).await, StatusCode::FORBIDDEN);
    gate.close().await;
    eventually("the client's own address is in the audit log, not the one it claims", async || {
        let uses = uses(&lockbox).await;
        (uses.iter().all(|(.., data)| data["source"] != "203.0.113.9")
            && uses.iter().any(|(.., data)| data["source"] == "192.0.2.7"))
        .then_some(())
    })
    .await;
    lockbox.finish().await;
}
