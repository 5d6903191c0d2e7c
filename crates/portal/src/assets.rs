//! Style sheet, scripts, icon and the verifier for people. They are part of the program, so that pages load nothing from other
//! sites.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::response::PageError;

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/portal.js");
const PASSKEYS: &str = include_str!("assets/passkeys.js");
const CONSENT: &str = include_str!("assets/consent.js");
const STATEMENT: &str = include_str!("assets/statement.js");
const FOUNDING: &str = include_str!("assets/founding.js");
const AUTHORITY: &str = include_str!("assets/authority.js");
const ICON: &str = include_str!("assets/icon.svg");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The page that verifies evidence bundles. Everybody may load it: it contains nothing about a tenant.
pub(crate) async fn verify_page() -> Response {
    let policy = format!("{}; frame-ancestors 'none'", evidence::page::content_security_policy());
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, "max-age=300".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, evidence::page::VERIFY_PAGE).into_response()
}

pub(crate) async fn file(Path(file): Path<String>) -> Result<Response, PageError> {
    let (kind, text) = match file.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "portal.js" => (JAVASCRIPT, SCRIPT),
        "passkeys.js" => (JAVASCRIPT, PASSKEYS),
        "consent.js" => (JAVASCRIPT, CONSENT),
        "statement.js" => (JAVASCRIPT, STATEMENT),
        "founding.js" => (JAVASCRIPT, FOUNDING),
        "authority.js" => (JAVASCRIPT, AUTHORITY),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(PageError::NotFound),
    };
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")], text).into_response())
}
