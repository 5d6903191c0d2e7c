//! Error responses of the API: problem details (RFC 9457).

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use runtime::outcome::Failure;
use serde_json::{Value, json};

use super::super::response::PageError;

/// An error response.
#[derive(Debug)]
pub(crate) struct Problem {
    pub status: StatusCode,
    /// Stable code.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// What a handler of the API returns.
pub(crate) type ApiResult = Result<Response, Problem>;

impl Problem {
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), detail: detail.into() }
    }

    /// The response for missing and for forbidden resources.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "this resource does not exist, or you do not have permission to see it",
        )
    }

    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unreadable", detail)
    }

    /// The response to a write whose outcome is unknown: the command may be stored already.
    pub fn unknown_outcome(failure: Failure) -> Self {
        let mut problem = Self::from(failure);
        if problem.status == StatusCode::SERVICE_UNAVAILABLE {
            "Lockbox could not confirm the result; the command may be stored and take effect later. Check the request, or \
             repeat the call with the same Idempotency-Key"
                .clone_into(&mut problem.detail);
        }
        problem
    }
}

/// The status of a refusal: send another body (422), call as another person (403), or check the state (409).
fn status(code: &str) -> StatusCode {
    match code {
        "invalid" | "unknown_tenant" | "unknown_person" | "comment_required" | "passkey_required"
        | "signature_required" | "signature_invalid" | "nonce_invalid" | "duration_longer" => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        "not_engineer" | "not_manager" | "not_approver" | "wrong_tenant" | "own_request" | "both_sides"
        | "not_requester" | "may_not_revoke" | "may_not_comment" | "person_disabled" | "wrong_producer" => {
            StatusCode::FORBIDDEN
        }
        "not_found" => StatusCode::NOT_FOUND,
        code if code.starts_with("schema.") => StatusCode::BAD_REQUEST,
        code if code.starts_with("store.") || code.starts_with("handler.") => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::not_found()
}

pub(super) async fn method_not_allowed(method: Method) -> Problem {
    let detail = format!("this path does not support {method}; the header Allow names the methods");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// A JSON response.
pub(super) fn json_response(status: StatusCode, body: Value) -> ApiResult {
    Ok((status, Json(body)).into_response())
}

impl From<PageError> for Problem {
    fn from(fault: PageError) -> Self {
        match fault {
            PageError::Invalid(detail) => Self::invalid(detail),
            PageError::Unavailable(why) | PageError::UnknownOutcome(why) => {
                tracing::error!(why, "API call failed because a part of Lockbox is not available");
                let detail = "Lockbox is not available; try again in a minute";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "away", detail)
            }
            PageError::Refused { code, message, .. } => Self::new(status(&code), &code, message),
            PageError::TimedOut => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "the call took too long; check the request before you repeat the call",
            ),
            PageError::TooLong => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is larger than 64 KiB")
            }
            PageError::SignIn(_)
            | PageError::NotFound
            | PageError::Forged
            | PageError::NotLocal(_)
            | PageError::NotSignedIn { .. } => Self::not_found(),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        PageError::from(error).into()
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { code, message } => Self::new(status(&code), &code, message),
            Failure::NotFound(_) => Self::not_found(),
            Failure::Usage(detail) => Self::invalid(detail),
            Failure::Unreachable(why)
            | Failure::TimedOut(why)
            | Failure::Failed(why)
            | Failure::Untrue { words: why, .. } => PageError::Unavailable(why).into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank", "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(), "code": self.code, "detail": self.detail,
        });
        let mut response = (self.status, Json(body)).into_response();
        let kind = header::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}
