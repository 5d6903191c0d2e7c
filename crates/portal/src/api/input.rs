//! Query parameters and request bodies: parsed strictly, with an error message that names the parameter or the field.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use contracts::reading::{unmarked, zero_character};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::app::App;
use super::endpoints::{may_be_empty, operation};
use super::problem::Problem;

/// Query parameters of an endpoint, each at most once. An unknown name is refused: ignoring a misspelled filter would
/// return more than the caller wants.
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
        let operation = operation(parts.method.as_str(), path);
        let known: Vec<&str> =
            operation.iter().flat_map(|operation| operation.query).map(|parameter| parameter.name).collect();
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.contains(&&*name) {
                let known = known.join(", ");
                return Err(Problem::invalid(format!("query parameter {name:?} is unknown; use {known}")));
            }
            if seen.iter().any(|before| *before == name) {
                return Err(Problem::invalid(format!("query parameter {name:?} is repeated; send it once")));
            }
            // A text may be empty; an empty time, number or cursor is an error.
            if value.is_empty() && !may_be_empty(operation.as_ref(), &name) {
                return Err(Problem::invalid(format!(
                    "query parameter {name:?} is empty; send a value or leave the parameter out"
                )));
            }
            seen.push(name.into_owned());
        }
        match serde_urlencoded::from_str(query) {
            Ok(params) => Ok(Self(params)),
            Err(fault) => Err(Problem::invalid(format!("the query is not valid: {fault}"))),
        }
    }
}

/// A document inside a body, in a form that is described elsewhere, such as a signed decision.
pub(super) fn document<T: DeserializeOwned>(field: &str, value: Value) -> Result<T, Problem> {
    let refused = |fault| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", format!("{field}: {fault}"));
    serde_json::from_value(value).map_err(refused)
}

/// The bytes of a request body.
pub(super) struct Body(Bytes);

impl FromRequest<App> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let wrong = wrong_type(request.headers());
        let body = Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is larger than 64 KiB")
            }
            _ => Problem::invalid("the body is incomplete; send it again"),
        })?;
        match wrong {
            Some(detail) if !body.is_empty() => {
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
            }
            _ => Ok(Self(body)),
        }
    }
}

/// Why the headers do not describe a JSON body.
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
    /// Parses the body.
    ///
    /// # Errors
    /// When it is not JSON, or does not match the schema.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body = unmarked(&self.0).map_err(Problem::invalid)?;
        if let Some(place) = zero_character(body) {
            let detail = format!("the character U+0000 in {place:?} of the body is not allowed; remove it");
            return Err(Problem::invalid(detail));
        }
        let body = if body.is_empty() { b"{}".as_slice() } else { body };
        serde_json::from_slice(body).map_err(|fault| Problem::invalid(format!("the body is not valid: {fault}")))
    }
}
