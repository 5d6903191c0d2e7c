//! What went wrong, for programs: problem details (RFC 9457).

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::answer::Fault;
use runtime::outcome::Failure;

/// A problem.
#[derive(Debug)]
pub(crate) struct Problem {
    pub status: StatusCode,
    /// Stable code.
    pub code: String,
    /// For people.
    pub detail: String,
}

pub(crate) type Answer = Result<Response, Problem>;

impl Problem {
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), detail: detail.into() }
    }

    /// Missing and forbidden are one answer.
    pub fn missing() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here, or nothing that you may see")
    }

    pub fn unreadable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unreadable", detail)
    }

    /// A write whose outcome is not known: the command may be stored already.
    pub fn unsure(failure: Failure) -> Self {
        let mut problem = Self::from(failure);
        if problem.status == StatusCode::SERVICE_UNAVAILABLE {
            "Lockbox cannot answer now; the command may be stored and take effect later. Look at the request, or send \
             the same again with the same Idempotency-Key"
                .clone_into(&mut problem.detail);
        }
        problem
    }
}

/// The status that says whose turn it is: to send something else (422), to be somebody else (403), or to look again (409).
fn status(code: &str) -> StatusCode {
    match code {
        "invalid" | "unknown_tenant" | "unknown_person" | "comment_required" | "passkey_required"
        | "passkey_invalid" | "duration_longer" => StatusCode::UNPROCESSABLE_ENTITY,
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

pub(super) async fn nothing_here() -> Problem {
    Problem::missing()
}

pub(super) async fn other_method(method: Method) -> Problem {
    let detail = format!("this path is not called with {method}; the header Allow names the methods");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// JSON.
pub(super) fn answer(status: StatusCode, body: Value) -> Answer {
    Ok((status, Json(body)).into_response())
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreadable(detail) => Self::unreadable(detail),
            Fault::Away(why) | Fault::Unsure(why) => {
                tracing::error!(why, "a call could not be answered");
                let detail = "Lockbox cannot answer now; try again in a moment";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "away", detail)
            }
            Fault::Refused { code, message, .. } => Self::new(status(&code), &code, message),
            Fault::TooSlow => Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "this took too long"),
            Fault::TooLong => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is larger than 64 KiB"),
            Fault::SignIn(_) | Fault::Missing | Fault::Forged | Fault::Foreign(_) | Fault::NotSignedIn { .. } => {
                Self::missing()
            }
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { code, message } => Self::new(status(&code), &code, message),
            Failure::NotFound(_) => Self::missing(),
            Failure::Usage(detail) => Self::unreadable(detail),
            Failure::Unreachable(why)
            | Failure::TimedOut(why)
            | Failure::Failed(why)
            | Failure::Untrue { words: why, .. } => Fault::Away(why).into(),
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
            let how = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}
