//! Answers in HTTP: 204 or 403, with nothing in a no that tells one no from another.

use std::net::SocketAddr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::ask::Ask;
use super::decide::{Decision, decide};
use super::{App, DATABASE_LIMIT, LIMIT};

type Peer = ConnectInfo<SocketAddr>;

/// Whatever is not known here.
pub(super) async fn no() -> StatusCode {
    StatusCode::FORBIDDEN
}

/// A late yes is no.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(LIMIT, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| StatusCode::FORBIDDEN.into_response());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The yes says who, under which request, until when, and for which tenant's service: a proxy that checks the last
/// cannot take somebody else's 204 for ours.
fn said(ask: &Ask, decision: &Decision, yes: StatusCode) -> Response {
    let (true, Some(holder), Some(grant)) = (decision.is_yes(), &decision.holder, decision.grants.first()) else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let until = decision.until().map(runtime::output::time).unwrap_or_default();
    let mode = if decision.may_write() { "read_write" } else { "read_only" };
    let mut response = yes.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-lockbox-allowed", format!("{}/{}", ask.tenant, ask.service)),
        ("x-lockbox-person", holder.name.clone()),
        ("x-lockbox-request", grant.grant_id.to_string()),
        ("x-lockbox-grants", decision.grants.len().to_string()),
        ("x-lockbox-until", until),
        ("x-lockbox-mode", mode.to_owned()),
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
    said(&ask, &decide(&app, &ask).await, StatusCode::NO_CONTENT)
}

/// Envoy takes 200 alone for a yes.
pub(super) async fn to_envoy(State(app): State<App>, ConnectInfo(peer): Peer, request: Request) -> Response {
    let ask = Ask::of_envoy(request.uri().path(), request.method().as_str(), request.headers(), peer);
    said(&ask, &decide(&app, &ask).await, StatusCode::OK)
}

pub(super) async fn to_program(State(app): State<App>, ConnectInfo(peer): Peer, body: Bytes) -> Response {
    let ask = Ask::of_program(&body, peer);
    said(&ask, &decide(&app, &ask).await, StatusCode::NO_CONTENT)
}

/// For whoever closes doors and reads them back: whether a request's access is open.
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
    let signed = app.signer.as_ref().and_then(|signer| signer.sign(&ask, &decision));
    match signed {
        Some((token, seconds)) => {
            Json(json!({"token": token, "token_type": "Bearer", "expires_in": seconds})).into_response()
        }
        None => StatusCode::FORBIDDEN.into_response(),
    }
}

/// The keys that tokens are verified with (RFC 7517).
pub(super) async fn keys(State(app): State<App>) -> Response {
    Json(json!({"keys": app.signer.iter().map(super::Signer::public_key).collect::<Vec<_>>()})).into_response()
}
