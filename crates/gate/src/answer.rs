//! Answers in HTTP: 204; 401 with a challenge for whoever needs another access token; 403 with a code and a sentence for
//! whoever has a good one. A 401 does not tell a missing token from an unknown or an ended one.

use std::net::SocketAddr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::app::App;
use super::ask::Ask;
use super::code::Code;
use super::decide::decide;
use super::decision::{Decision, access_level};
use super::limits::{DATABASE_LIMIT, LIMIT};

type Peer = ConnectInfo<SocketAddr>;

/// Whatever is not known here.
pub(super) async fn no() -> StatusCode {
    StatusCode::FORBIDDEN
}

/// A no in headers: for programs, and for proxies that show a client no body.
fn refused(code: Code) -> Response {
    let status = code.refusal();
    let mut response = status.into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Lockbox\""));
    } else {
        headers.insert("x-lockbox-code", HeaderValue::from_static(code.as_str()));
        headers.insert("x-lockbox-reason", HeaderValue::from_static(code.sentence()));
    }
    response
}

/// The same for a client behind a proxy that hands bodies on: a person may read it.
fn refused_with_text(code: Code) -> Response {
    let (parts, _) = refused(code).into_parts();
    let mut response = Response::from_parts(parts, axum::body::Body::from(format!("{}\n", code.sentence())));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

/// A late yes is no.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(LIMIT, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| refused(Code::Slow));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The yes says who, under which request, until when, and for which tenant's service: a proxy that checks the last
/// cannot take somebody else's 204 for ours.
fn said(decision: &Decision, yes: StatusCode) -> Response {
    let (true, Some(grant)) = (decision.is_yes(), &decision.grant) else {
        // A yes without a grant cannot be; were it there, it would be no.
        return if decision.is_yes() { refused(Code::Odd) } else { refused_with_text(decision.code) };
    };
    let mut response = yes.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-lockbox-allowed", format!("{}/{}", grant.tenant, grant.service)),
        ("x-lockbox-person", grant.name.clone()),
        ("x-lockbox-request", grant.request.to_string()),
        ("x-lockbox-until", grant.access_until.map(runtime::output::time).unwrap_or_default()),
        ("x-lockbox-mode", access_level(grant).to_owned()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

pub(super) async fn to_proxy(
    State(app): State<App>,
    ConnectInfo(peer): Peer,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let ask = Ask::of_proxy(query.as_deref().unwrap_or_default(), &headers, peer);
    said(&decide(&app, &ask).await, StatusCode::NO_CONTENT)
}

/// Envoy takes 200 alone for a yes.
pub(super) async fn to_envoy(State(app): State<App>, ConnectInfo(peer): Peer, request: Request) -> Response {
    let ask = Ask::of_envoy(request.uri().path(), request.method().as_str(), request.headers(), peer);
    said(&decide(&app, &ask).await, StatusCode::OK)
}

pub(super) async fn to_program(State(app): State<App>, ConnectInfo(peer): Peer, body: Bytes) -> Response {
    let ask = Ask::of_program(&body, peer);
    let decision = decide(&app, &ask).await;
    // A program reads headers.
    if decision.is_yes() { said(&decision, StatusCode::NO_CONTENT) } else { refused(decision.code) }
}

/// For whoever closes provisionings and reads them back: whether a request's access is open.
pub(super) async fn is_open(State(app): State<App>, Path(request): Path<Uuid>) -> StatusCode {
    match tokio::time::timeout(DATABASE_LIMIT, app.store.is_open(request)).await {
        Ok(Ok(true)) => StatusCode::NO_CONTENT,
        Ok(Ok(false)) => StatusCode::FORBIDDEN,
        // Unknown is not closed, and whoever asks here wants to know.
        Ok(Err(_)) | Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A signed yes of at most a minute, for proxies that cannot ask.
pub(super) async fn token(State(app): State<App>, ConnectInfo(peer): Peer, body: Bytes) -> Response {
    let ask = Ask::of_program(&body, peer);
    let decision = decide(&app, &ask).await;
    let signed = app.signer.as_ref().and_then(|signer| signer.sign(&decision));
    match signed {
        Some((token, seconds)) => {
            Json(json!({"token": token, "token_type": "Bearer", "expires_in": seconds})).into_response()
        }
        // No key, or less than a second left: nothing that another token helps with.
        None if decision.is_yes() => StatusCode::FORBIDDEN.into_response(),
        None => refused(decision.code),
    }
}

/// The keys that tokens are verified with (RFC 7517).
pub(super) async fn keys(State(app): State<App>) -> Response {
    Json(json!({"keys": app.signer.iter().map(super::token::Signer::public_key).collect::<Vec<_>>()})).into_response()
}
