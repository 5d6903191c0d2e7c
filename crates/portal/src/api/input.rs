//! What callers send: query parameters and bodies, read leniently in form and answered with clear words.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use contracts::reading::{unmarked, zero_character};
use serde::de::DeserializeOwned;

use super::super::App;
use super::problem::Problem;

/// Query parameters: those of the operation, each at most once. A name that is not known is refused, since leaving out a
/// filter that was mistyped would answer with more than was asked for.
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
        let operation = super::operation(parts.method.as_str(), path);
        let known: Vec<&str> =
            operation.iter().flat_map(|operation| operation.query).map(|parameter| parameter.name).collect();
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&&*name) {
                let known = known.join(", ");
                return Err(Problem::unreadable(format!("query parameter {name:?} is not known; there are {known}")));
            }
            if seen.iter().any(|before| *before == name) {
                return Err(Problem::unreadable(format!("query parameter {name:?} is there twice; send it once")));
            }
            // Empty text is text; an empty time, number or cursor is a mistake of the caller.
            if value.is_empty() && !super::may_be_empty(operation.as_ref(), &name) {
                return Err(Problem::unreadable(format!("query parameter {name:?} is empty; leave it out")));
            }
            seen.push(name.into_owned());
        }
        match serde_urlencoded::from_str(query) {
            Ok(params) => Ok(Self(params)),
            Err(fault) => Err(Problem::unreadable(format!("the query cannot be read: {fault}"))),
        }
    }
}

/// A body as it came, said to be JSON.
pub(super) struct Body(Bytes);

impl FromRequest<App> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let wrong = wrong_type(request.headers());
        let body = Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is larger than 64 KiB")
            }
            _ => Problem::unreadable("the body did not come whole; send it again"),
        })?;
        match wrong {
            Some(detail) if !body.is_empty() => {
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
            }
            _ => Ok(Self(body)),
        }
    }
}

/// What is wrong with the form that the headers say the body has.
fn wrong_type(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    if let Some(encoding) = text(header::CONTENT_ENCODING)
        && !matches!(encoding.as_str(), "" | "identity")
    {
        return Some(format!("Content-Encoding is {encoding}; send the body without compression"));
    }
    let kind = text(header::CONTENT_TYPE)?;
    let (media_type, rest) = kind.split_once(';').unwrap_or((&kind, ""));
    let media_type = media_type.trim();
    if media_type != "application/json" && !(media_type.starts_with("application/") && media_type.ends_with("+json")) {
        return Some(format!("Content-Type is {media_type}; send JSON with Content-Type: application/json"));
    }
    let charset = rest.split(';').find_map(|part| part.trim().strip_prefix("charset="))?.trim_matches('"');
    (!matches!(charset, "utf-8" | "utf8" | "us-ascii")).then(|| format!("the charset is {charset}; send UTF-8"))
}

impl Body {
    /// Reads it, or says what is wrong and where.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body = unmarked(&self.0).map_err(Problem::unreadable)?;
        if let Some(place) = zero_character(body) {
            let detail = format!("the character U+0000 is in {place:?} of the body; leave it out");
            return Err(Problem::unreadable(detail));
        }
        let body = if body.is_empty() { b"{}".as_slice() } else { body };
        serde_json::from_slice(body).map_err(|fault| Problem::unreadable(format!("the body does not fit: {fault}")))
    }
}
