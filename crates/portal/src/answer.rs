//! Answers: a rendered page, or a page that says what went wrong and what to do next.

use askama::Template;
use axum::extract::{FromRequest, FromRequestParts, RawForm, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use serde::de::DeserializeOwned;

use super::App;
use runtime::outcome::Failure;

/// Why there is no page.
pub(crate) enum Fault {
    /// Not signed in: the sign-in page comes first, then this path.
    SignIn(String),
    /// Nothing there, or nothing this person may see: both look the same.
    Missing,
    /// The form is not from a page of this session.
    Forged,
    /// What was sent cannot be read.
    Unreadable(String),
    /// More was sent than any form of ours holds.
    TooLong,
    /// It took too long to come in, or to be answered.
    TooSlow,
    /// The rules say no.
    Refused {
        /// Stable code.
        code: String,
        /// For people.
        message: String,
        /// Where to look now.
        back: String,
    },
    /// A developer sign-in was asked for from elsewhere; why that is so.
    Foreign(String),
    /// Nobody was signed in, and what was missing.
    NotSignedIn {
        /// Stable code.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// Something of ours does not answer.
    Away(String),
    /// The same after something was sent: it may be stored already.
    Unsure(String),
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage<'a> {
    title: &'a str,
    message: &'a str,
    code: &'a str,
    back: &'a str,
}

pub(crate) type Answer = Result<Response, Fault>;

/// A form that was filled in. One that cannot be read is answered with a page, like everything else.
pub(crate) struct Filled<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Filled<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        match RawForm::from_request(request, app).await {
            Ok(RawForm(form)) => read(&form).map(Self),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Fault::TooLong),
            Err(_) => Err(Fault::Unreadable("This is not a form. Open the page again and send its form.".to_owned())),
        }
    }
}

/// What stands behind the `?` of an address. One that cannot be read is answered with a page, too.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Fault> {
        read(parts.uri.query().unwrap_or_default().as_bytes()).map(Self)
    }
}

/// Reads pairs of names and values.
fn read<T: DeserializeOwned>(pairs: &[u8]) -> Result<T, Fault> {
    if has_zero_character(pairs) {
        return Err(Fault::zero_character());
    }
    serde_urlencoded::from_bytes(pairs).map_err(|fault| Fault::Unreadable(format!("This cannot be read: {fault}.")))
}

/// Whether there is a U+0000, as it is or percent-encoded: no text of ours holds one, and the database refuses it.
pub(super) fn has_zero_character(encoded: &[u8]) -> bool {
    encoded.contains(&0) || encoded.windows(3).any(|three| three == b"%00")
}

/// A rendered page.
pub(crate) fn page(template: &impl Template) -> Answer {
    let html = template.render().map_err(|fault| Fault::Away(fault.to_string()))?;
    Ok(Html(html).into_response())
}

/// Another page, with GET.
pub(crate) fn go(path: &str) -> Answer {
    Ok(Redirect::to(path).into_response())
}

pub(crate) async fn nothing_here() -> Fault {
    Fault::Missing
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound(_) => Self::Missing,
            error => Self::Away(workers::error_chain(&error)),
        }
    }
}

/// A refusal's words as a sentence: they come without a capital letter and a full stop.
pub(crate) fn sentence(words: &str) -> String {
    let mut letters = words.trim().chars();
    let mut text: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

impl Fault {
    /// What was sent holds a character that no text may hold.
    pub fn zero_character() -> Self {
        Self::Unreadable("The character U+0000 is not allowed in an address or a text; leave it out.".to_owned())
    }

    /// What became of a click that failed.
    pub fn of_click(failure: Failure, back: &str) -> Self {
        match failure {
            Failure::Refused { code, message } => Self::Refused { code, message, back: back.to_owned() },
            Failure::NotFound(_) => Self::Missing,
            Failure::Usage(message) => Self::Unreadable(message),
            Failure::Unreachable(why)
            | Failure::TimedOut(why)
            | Failure::Failed(why)
            | Failure::Untrue { words: why, .. } => Self::Unsure(why),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, title, message, code, back) = match self {
            Self::SignIn(next) => {
                let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
                return Redirect::to(&format!("/sign-in?{query}")).into_response();
            }
            Self::TooSlow => {
                let message = "This took too long. Look at the request before you repeat what you did.".to_owned();
                (StatusCode::REQUEST_TIMEOUT, "Too slow", message, String::new(), "/".to_owned())
            }
            Self::TooLong => {
                let message = "You sent more than this form accepts. Shorten the text and send it again.".to_owned();
                (StatusCode::PAYLOAD_TOO_LARGE, "Too long", message, String::new(), "/".to_owned())
            }
            Self::Missing => {
                let message = "This page does not exist, or you do not have permission to see it.".to_owned();
                (StatusCode::NOT_FOUND, "Not found", message, String::new(), "/".to_owned())
            }
            Self::Forged => {
                let message =
                    "This form does not come from a page of your session. Nothing was changed. Open the page \
                               again and repeat what you did."
                        .to_owned();
                (StatusCode::FORBIDDEN, "Nothing was changed", message, "form.forged".to_owned(), "/".to_owned())
            }
            Self::Foreign(why) => {
                let message = format!(
                    "This portal runs with developer sign-in, which lets anybody sign in as anybody. It accepts browsers \
                     on the same machine only. {why} Open it at its own address, such as http://localhost:8080. To let \
                     others in, start the portal with an identity provider instead."
                );
                (
                    StatusCode::FORBIDDEN,
                    "For this machine only",
                    message,
                    "developer.foreign".to_owned(),
                    "/".to_owned(),
                )
            }
            Self::NotSignedIn { code, message } => {
                (StatusCode::FORBIDDEN, "You are not signed in", message, code.to_owned(), "/sign-in".to_owned())
            }
            Self::Unreadable(message) => (
                StatusCode::BAD_REQUEST,
                "This form cannot be read",
                message,
                "form.unreadable".to_owned(),
                "/".to_owned(),
            ),
            Self::Refused { code, message, back } => (StatusCode::CONFLICT, "Not done", sentence(&message), code, back),
            Self::Away(why) => {
                tracing::error!(why, "a page could not be made");
                let message = "Lockbox cannot show this page now. Try again in a moment.".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, "Not available now", message, "away".to_owned(), "/".to_owned())
            }
            Self::Unsure(why) => {
                tracing::error!(why, "the outcome of a form is not known");
                let message = "Lockbox could not finish this now. What you sent may be stored and take effect later. \
                               Look at the request before you send it again."
                    .to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, "Not available now", message, "away".to_owned(), "/".to_owned())
            }
        };
        let page = FaultPage { title, message: &message, code: &code, back: &back };
        match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], message).into_response(),
        }
    }
}
