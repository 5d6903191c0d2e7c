//! Middleware of every page: refuses forms from other sites, and adds security headers to every response.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api;
use super::app::App;
use super::developer;
use super::response::{PageError, has_zero_character};

// Scripts, styles and images from the portal only; nothing inline (https://www.w3.org/TR/CSP3/).
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

/// Longest time for a write, from the first byte of the body to the response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    if has_zero_character(request.uri().to_string().as_bytes()) {
        let is_api = request.uri().path().starts_with("/api/");
        let fault = PageError::zero_character();
        return if is_api { api::Problem::from(fault).into_response() } else { fault.into_response() };
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    // The error page needs its style on every machine.
    let is_asset = request.uri().path().starts_with("/assets/");
    let not_local = Some(request.headers()).filter(|_| app.developer && !is_asset).and_then(developer::why_not_local);
    let mut response = if let Some(why) = not_local {
        PageError::NotLocal(why).into_response()
    } else if reads {
        next.run(request).await
    } else if is_same_origin(request.headers(), &app.origin) {
        // Includes the time to read the body, against clients that send it slowly.
        tokio::time::timeout(WRITE_TIMEOUT, next.run(request))
            .await
            .unwrap_or_else(|_| PageError::TimedOut.into_response())
    } else {
        PageError::Forged.into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if app.origin.starts_with("https://") {
        headers.insert("strict-transport-security", HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether the headers say that the form is from a page of the portal. Browsers always send them; other clients are stopped
/// by the form token. `Host` proves nothing: with DNS rebinding, origin and host of another site's page are the same.
/// A portal on a loopback address accepts every loopback name.
fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let site = text("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    let same = text("origin").is_none_or(|sent| {
        let host = text("host").unwrap_or_default();
        let is_alias = || developer::is_loopback_origin(origin) && developer::is_loopback(host);
        sent == origin || (is_alias() && sent.split_once("://").is_some_and(|(_, sent)| sent == host))
    });
    site && same
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(origin: &str, pairs: &[(&'static str, &'static str)]) -> bool {
        let headers =
            pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_same_origin(&headers.collect(), origin)
    }

    #[test]
    fn only_pages_of_the_portal_can_submit_forms() {
        let accepts = |pairs: &[(&'static str, &'static str)]| accepts("https://lockbox.fabrikam.example", pairs);
        assert!(accepts(&[("origin", "https://lockbox.fabrikam.example"), ("sec-fetch-site", "same-origin")]));
        assert!(!accepts(&[("origin", "https://evil.example"), ("host", "lockbox.fabrikam.example")]));
        assert!(!accepts(&[("origin", "null"), ("host", "lockbox.fabrikam.example")]));
        assert!(!accepts(&[("sec-fetch-site", "cross-site")]));
        assert!(!accepts(&[("sec-fetch-site", "same-site")]));
    }

    #[test]
    fn a_rebound_host_name_is_another_site() {
        let rebound = [("origin", "http://evil.example:8080"), ("host", "evil.example:8080")];
        assert!(!accepts("https://lockbox.fabrikam.example", &rebound));
        assert!(!accepts("http://localhost:8080", &rebound));
        let alias = [("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")];
        assert!(accepts("http://localhost:8080", &alias), "another loopback name");
        assert!(!accepts("https://lockbox.fabrikam.example", &alias));
    }
}
