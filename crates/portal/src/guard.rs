//! What stands before every page: a form from another site changes nothing, and every answer carries the headers that
//! keep a browser on our side.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::App;
use super::answer::{Fault, has_zero_character};
use super::api;
use super::developer;

// No inline script, no inline style, nobody else's anything (https://www.w3.org/TR/CSP3/).
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                                       connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// Time for everything that changes something, from the first byte of the body to the answer.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    if has_zero_character(request.uri().to_string().as_bytes()) {
        let is_api = request.uri().path().starts_with("/api/");
        let fault = Fault::zero_character();
        return if is_api { api::Problem::from(fault).into_response() } else { fault.into_response() };
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    // The style of the page that says so may be loaded from anywhere.
    let is_asset = request.uri().path().starts_with("/assets/");
    let foreign = Some(request.headers()).filter(|_| app.developer && !is_asset).and_then(developer::why_foreign);
    let mut response = if let Some(why) = foreign {
        Fault::Foreign(why).into_response()
    } else if reads {
        next.run(request).await
    } else if is_our_own(request.headers(), &app.origin) {
        // The body is read in this time too: who sends it drop by drop is not waited for.
        tokio::time::timeout(WRITE_LIMIT, next.run(request)).await.unwrap_or_else(|_| Fault::TooSlow.into_response())
    } else {
        Fault::Forged.into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if app.origin.starts_with("https://") {
        headers.insert("strict-transport-security", HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a browser says that the form is from our own page. Browsers always say; who says nothing is no browser and
/// is stopped by the form's token. `Host` proves nothing: under DNS rebinding a foreign page's origin and host agree.
/// A portal of this machine may be called by any of its names.
fn is_our_own(headers: &HeaderMap, origin: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let site = text("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    let same = text("origin").is_none_or(|said| {
        let host = text("host").unwrap_or_default();
        let is_alias = || developer::is_loopback_origin(origin) && developer::is_loopback(host);
        said == origin || (is_alias() && said.split_once("://").is_some_and(|(_, said)| said == host))
    });
    site && same
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(origin: &str, pairs: &[(&'static str, &'static str)]) -> bool {
        let headers =
            pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_our_own(&headers.collect(), origin)
    }

    #[test]
    fn only_our_own_pages_post() {
        let said = |pairs: &[(&'static str, &'static str)]| said("https://lockbox.fabrikam.example", pairs);
        assert!(said(&[("origin", "https://lockbox.fabrikam.example"), ("sec-fetch-site", "same-origin")]));
        assert!(!said(&[("origin", "https://evil.example"), ("host", "lockbox.fabrikam.example")]));
        assert!(!said(&[("origin", "null"), ("host", "lockbox.fabrikam.example")]));
        assert!(!said(&[("sec-fetch-site", "cross-site")]));
        assert!(!said(&[("sec-fetch-site", "same-site")]));
    }

    #[test]
    fn a_name_that_was_made_to_lead_here_is_not_ours() {
        let rebound = [("origin", "http://evil.example:8080"), ("host", "evil.example:8080")];
        assert!(!said("https://lockbox.fabrikam.example", &rebound));
        assert!(!said("http://localhost:8080", &rebound));
        let alias = [("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")];
        assert!(said("http://localhost:8080", &alias), "another name of this machine");
        assert!(!said("https://lockbox.fabrikam.example", &alias));
    }
}
