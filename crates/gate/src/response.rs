//! HTTP responses to checks: 204 allows; 401 challenges a client that needs another access token; 403 refuses a valid token
//! with a code and a sentence. A 401 does not distinguish a missing token from an unknown or an ended one.

use std::net::SocketAddr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;
use workers::verified_grants::Unverified;

use super::app::App;
use super::check::Check;
use super::code::Code;
use super::decide::{decide, row};
use super::decision::{Decision, access_level};
use super::limits::{DATABASE_LIMIT, LIMIT};

type Peer = ConnectInfo<SocketAddr>;

/// The response to unknown paths.
pub(super) async fn unknown_path() -> StatusCode {
    StatusCode::FORBIDDEN
}

/// A refusal in headers, for programs and for proxies that do not forward a body.
fn refused(code: Code, detail: Option<&str>) -> Response {
    let status = code.refusal();
    let mut response = status.into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Lockbox\""));
    } else {
        headers.insert("x-lockbox-code", HeaderValue::from_static(code.as_str()));
        // Names of people may have characters that a header cannot have.
        let words = HeaderValue::from_str(&reason(code, detail));
        headers.insert("x-lockbox-reason", words.unwrap_or_else(|_| HeaderValue::from_static(code.sentence())));
    }
    response
}

/// A sentence for people, with what is missing.
fn reason(code: Code, detail: Option<&str>) -> String {
    detail.map_or_else(|| code.sentence().to_owned(), |detail| format!("{} ({detail})", code.sentence()))
}

/// A refusal with text for people, for proxies that forward the body.
fn refused_with_text(code: Code, detail: Option<&str>) -> Response {
    let (parts, _) = refused(code, detail).into_parts();
    let mut response = Response::from_parts(parts, axum::body::Body::from(format!("{}\n", reason(code, detail))));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

/// Refuses a check that takes too long.
pub(super) async fn limit_time(request: Request, next: Next) -> Response {
    let response = tokio::time::timeout(LIMIT, next.run(request)).await;
    let mut response = response.unwrap_or_else(|_| refused(Code::Slow, None));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An allowed check names the person, the request, the end, and the tenant's service. A proxy that verifies the last cannot
/// accept another server's 204.
fn respond(decision: &Decision, allowed: StatusCode) -> Response {
    let (true, Some(grant)) = (decision.is_allowed(), &decision.grant) else {
        // An allowed check always has a grant; refuse if it has none.
        let detail = decision.detail.as_deref();
        return if decision.is_allowed() { refused(Code::Odd, None) } else { refused_with_text(decision.code, detail) };
    };
    let mut response = allowed.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-lockbox-allowed", format!("{}/{}", grant.tenant, grant.service)),
        ("x-lockbox-person", grant.name.clone()),
        ("x-lockbox-request", grant.request.to_string()),
        ("x-lockbox-until", grant.access_until.map(runtime::output::time).unwrap_or_default()),
        ("x-lockbox-access-level", access_level(grant).to_owned()),
        ("x-lockbox-consent", if decision.is_verified { "verified" } else { "not verified" }.to_owned()),
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
    let check = Check::of_proxy(query.as_deref().unwrap_or_default(), &headers, peer);
    respond(&decide(&app, &check).await, StatusCode::NO_CONTENT)
}

/// Envoy accepts only 200 as allowed.
pub(super) async fn to_envoy(State(app): State<App>, ConnectInfo(peer): Peer, request: Request) -> Response {
    let check = Check::of_envoy(request.uri().path(), request.method().as_str(), request.headers(), peer);
    respond(&decide(&app, &check).await, StatusCode::OK)
}

pub(super) async fn to_program(State(app): State<App>, ConnectInfo(peer): Peer, body: Bytes) -> Response {
    let check = Check::of_program(&body, peer);
    let decision = decide(&app, &check).await;
    // A program reads the headers.
    if decision.is_allowed() {
        respond(&decision, StatusCode::NO_CONTENT)
    } else {
        refused(decision.code, decision.detail.as_deref())
    }
}

/// Whether the access of a request is open, for connectors that read a target back.
pub(super) async fn is_open(State(app): State<App>, Path(request): Path<Uuid>) -> StatusCode {
    let asking = async {
        let Some((now, grant)) = app.store.open_grant(request).await.map_err(drop)? else { return Ok(false) };
        match app.verified.verify(row(&grant)).await {
            Ok(consent) => Ok(consent.is_active(now)),
            Err(Unverified::Database(_)) => Err(()),
            Err(_) => Ok(false),
        }
    };
    match tokio::time::timeout(DATABASE_LIMIT, asking).await {
        Ok(Ok(true)) => StatusCode::NO_CONTENT,
        Ok(Ok(false)) => StatusCode::FORBIDDEN,
        // Unknown is not closed: the caller must try again.
        Ok(Err(())) | Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A signed token with a lifetime of up to a minute, for proxies that cannot call the gate.
pub(super) async fn token(State(app): State<App>, ConnectInfo(peer): Peer, body: Bytes) -> Response {
    let check = Check::of_program(&body, peer);
    let decision = decide(&app, &check).await;
    let signed = app.signer.as_ref().and_then(|signer| signer.sign(&decision));
    match signed {
        Some((token, seconds)) => {
            Json(json!({"token": token, "token_type": "Bearer", "expires_in": seconds})).into_response()
        }
        // No key, or less than a second of access left: another access token does not help.
        None if decision.is_allowed() => StatusCode::FORBIDDEN.into_response(),
        None => refused(decision.code, decision.detail.as_deref()),
    }
}

/// The keys to verify tokens with (RFC 7517).
pub(super) async fn keys(State(app): State<App>) -> Response {
    Json(json!({"keys": app.signer.iter().map(super::token::Signer::public_key).collect::<Vec<_>>()})).into_response()
}
