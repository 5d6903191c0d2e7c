//! Responses: a rendered page, or an error page that says what happened, why, and what to do next.

use askama::Template;
use axum::extract::{FromRequest, FromRequestParts, RawForm, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use runtime::outcome::Failure;
use serde::de::DeserializeOwned;

/// Why the portal responds with an error page.
pub(crate) enum PageError {
    /// Not signed in: the sign-in page is next, then this path.
    SignIn(String),
    /// The page does not exist, or this person may not see it. Both look the same.
    NotFound,
    /// The form is not from a page of this session.
    Forged,
    /// The form or the query is not valid; why.
    Invalid(String),
    /// The form is longer than the limit.
    TooLong,
    /// The form took too long to arrive or to process.
    TimedOut,
    /// A rule does not allow the action.
    Refused {
        /// Stable code.
        code: String,
        /// For people.
        message: String,
        /// Path of the link on the page.
        back: String,
    },
    /// The portal runs with developer sign-in and the browser is on another machine; why the portal thinks so.
    NotLocal(String),
    /// Sign-in failed.
    NotSignedIn {
        /// Stable code.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// A part of Lockbox is not available; which, for the log.
    Unavailable(String),
    /// A part of Lockbox became unavailable after a form was sent. The command may be stored already.
    UnknownOutcome(String),
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    title: &'a str,
    message: &'a str,
    code: &'a str,
    back: &'a str,
}

/// What a page handler returns.
pub(crate) type PageResult = Result<Response, PageError>;

/// What a handler returns that a script of the portal calls: errors are JSON documents with a message for people.
pub(crate) type ScriptResult = Result<Response, ScriptError>;

/// An error for a script.
pub(crate) struct ScriptError(PageError);

impl<E: Into<PageError>> From<E> for ScriptError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ScriptError {
    fn into_response(self) -> Response {
        let (status, _, message, code, _) = self.0.parts();
        let (status, message) = match status {
            StatusCode::SEE_OTHER => (StatusCode::UNAUTHORIZED, "Your session ended. Sign in again.".to_owned()),
            status => (status, message),
        };
        (status, axum::Json(serde_json::json!({ "code": code, "message": message }))).into_response()
    }
}

/// A submitted form. The response to a form that is not valid is an error page.
pub(crate) struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        match RawForm::from_request(request, state).await {
            Ok(RawForm(form)) => decode(&form).map(Self),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(PageError::TooLong),
            Err(_) => {
                let message = "The browser did not send a form. Open the page again and submit its form.";
                Err(PageError::Invalid(message.to_owned()))
            }
        }
    }
}

/// The query of an address. The response to a query that is not valid is an error page.
pub(crate) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PageError> {
        decode(parts.uri.query().unwrap_or_default().as_bytes()).map(Self)
    }
}

/// Decodes `application/x-www-form-urlencoded` pairs.
fn decode<T: DeserializeOwned>(pairs: &[u8]) -> Result<T, PageError> {
    if has_zero_character(pairs) {
        return Err(PageError::zero_character());
    }
    serde_urlencoded::from_bytes(pairs).map_err(|error| PageError::Invalid(format!("A field is not valid: {error}.")))
}

/// Whether there is a U+0000, raw or percent-encoded. No text of Lockbox has one, and the database refuses it.
pub(super) fn has_zero_character(encoded: &[u8]) -> bool {
    encoded.contains(&0) || encoded.windows(3).any(|three| three == b"%00")
}

/// Renders a page.
pub(crate) fn render(template: &impl Template) -> PageResult {
    let html = template.render().map_err(|error| PageError::Unavailable(error.to_string()))?;
    Ok(Html(html).into_response())
}

/// Redirects to another page with GET.
pub(crate) fn redirect(path: &str) -> PageResult {
    Ok(Redirect::to(path).into_response())
}

pub(crate) async fn not_found() -> PageError {
    PageError::NotFound
}

impl From<store::Error> for PageError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound(_) => Self::NotFound,
            store::Error::Authority(fault) => Self::refused("authority.refused", fault.to_string()),
            store::Error::TenantIsFounded(_) => Self::refused("tenant_is_founded", error.to_string()),
            error => Self::Unavailable(workers::error_chain(&error)),
        }
    }
}

/// Makes a sentence of an error message: with a capital letter and a full stop.
pub(crate) fn sentence(message: &str) -> String {
    let mut letters = message.trim().chars();
    let mut text: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

impl PageError {
    fn refused(code: &str, message: String) -> Self {
        Self::Refused { code: code.to_owned(), message, back: "/authority".to_owned() }
    }

    /// The address or the form has the character U+0000.
    pub fn zero_character() -> Self {
        Self::Invalid("The character U+0000 is not allowed in an address or a text. Remove it.".to_owned())
    }

    /// The error page of a command that failed, with a link to this path.
    pub fn of_failure(failure: Failure, back: &str) -> Self {
        match failure {
            Failure::Refused { code, message } => Self::Refused { code, message, back: back.to_owned() },
            Failure::NotFound(_) => Self::NotFound,
            Failure::Usage(message) => Self::Invalid(message),
            Failure::Unreachable(why)
            | Failure::TimedOut(why)
            | Failure::Failed(why)
            | Failure::Untrue { words: why, .. } => Self::UnknownOutcome(why),
        }
    }

    /// Status, title, message, code and path of the link.
    fn parts(self) -> (StatusCode, &'static str, String, String, String) {
        let home = || "/".to_owned();
        match self {
            Self::SignIn(next) => {
                let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
                (StatusCode::SEE_OTHER, "Sign in", String::new(), String::new(), format!("/sign-in?{query}"))
            }
            Self::TimedOut => {
                let message = "The portal did not receive or process the form in time. Check the request before you \
                               submit the form again.";
                (StatusCode::REQUEST_TIMEOUT, "Timed out", message.to_owned(), String::new(), home())
            }
            Self::TooLong => {
                let message = "The form is larger than 64 KiB. Shorten the text and submit the form again.";
                (StatusCode::PAYLOAD_TOO_LARGE, "Form too long", message.to_owned(), String::new(), home())
            }
            Self::NotFound => {
                let message = "This page does not exist, or you do not have permission to see it.";
                (StatusCode::NOT_FOUND, "Page not found", message.to_owned(), String::new(), home())
            }
            Self::Forged => {
                let message = "This form is not from a page of your session, so nothing was changed. Open the page again \
                               and repeat the action.";
                (StatusCode::FORBIDDEN, "Nothing was changed", message.to_owned(), "form.forged".to_owned(), home())
            }
            Self::NotLocal(why) => {
                let message = format!(
                    "This portal runs with developer sign-in, which lets you sign in as any person. It accepts browsers \
                     on the same machine only. {why} Open the portal at its own address, such as http://localhost:8080. \
                     To let other people in, start the portal with an identity provider."
                );
                (StatusCode::FORBIDDEN, "This machine only", message, "developer.foreign".to_owned(), home())
            }
            Self::NotSignedIn { code, message } => {
                (StatusCode::FORBIDDEN, "Sign-in failed", message, code.to_owned(), "/sign-in".to_owned())
            }
            Self::Invalid(message) => {
                (StatusCode::BAD_REQUEST, "Form not valid", sentence(&message), "form.unreadable".to_owned(), home())
            }
            Self::Refused { code, message, back } => {
                (StatusCode::CONFLICT, "Nothing was changed", sentence(&message), code, back)
            }
            Self::Unavailable(why) => {
                tracing::error!(why, "page not available");
                let message = "Lockbox cannot show this page at the moment. Try again in a minute.";
                (StatusCode::SERVICE_UNAVAILABLE, "Not available", message.to_owned(), "away".to_owned(), home())
            }
            Self::UnknownOutcome(why) => {
                tracing::error!(why, "outcome of a form is unknown");
                let message = "Lockbox could not confirm the result. Your action may be stored and take effect later. \
                               Check the request before you submit the form again.";
                (StatusCode::SERVICE_UNAVAILABLE, "Not available", message.to_owned(), "away".to_owned(), home())
            }
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, title, message, code, back) = self.parts();
        if status == StatusCode::SEE_OTHER {
            return Redirect::to(&back).into_response();
        }
        let page = ErrorPage { title, message: &message, code: &code, back: &back };
        match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], message).into_response(),
        }
    }
}
