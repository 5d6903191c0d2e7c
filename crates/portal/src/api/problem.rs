//! What went wrong, for programs: problem details (RFC 9457).

use axum::Json;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::App;
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
}

/// Query parameters.
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, app).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(Problem::unreadable(rejection.body_text())),
        }
    }
}

pub(super) async fn nothing_here() -> Problem {
    Problem::missing()
}

/// JSON.
pub(super) fn answer(status: StatusCode, body: Value) -> Answer {
    Ok((status, Json(body)).into_response())
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unreadable(detail) => Self::unreadable(detail),
            Fault::Away(why) => {
                tracing::error!(why, "a call could not be answered");
                let detail = "not now; what you sent may be kept and take effect as soon as everything runs again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "away", detail)
            }
            Fault::Refused { code, message, .. } => Self::new(StatusCode::CONFLICT, &code, message),
            Fault::TooSlow => Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "this took too long"),
            Fault::TooLong => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is too long"),
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
            Failure::Refused { code, message } if code == "invalid" => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, &code, message)
            }
            Failure::Refused { code, message } => Self::new(StatusCode::CONFLICT, &code, message),
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
