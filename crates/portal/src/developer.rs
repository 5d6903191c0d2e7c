//! Developer sign-in lets people sign in as any person. It works for browsers on this machine only. A portal that other
//! machines can reach does not start with it, and requests from other machines are refused.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

use super::Provider;
use runtime::outcome::Failure;

/// Headers that a proxy adds. With one of them the client may be on another machine.
const FORWARDING: [&str; 2] = ["forwarded", "x-real-ip"];

/// Whether a host, with or without a port, is a loopback address.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Whether an origin, such as `http://localhost:8080`, is a loopback address.
pub(super) fn is_loopback_origin(origin: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, host)| is_loopback(host.split('/').next().unwrap_or_default()))
}

/// Checks that only this machine can reach the portal.
///
/// # Errors
/// With what to change.
pub(super) fn may_start(listen: SocketAddr, portal_url: &str, provider: &Provider) -> Result<(), Failure> {
    let refused = |why: String| {
        Err(Failure::Usage(format!(
            "--developer-sign-in lets people sign in as any person, so the portal refuses it {why}"
        )))
    };
    if !listen.ip().is_loopback() {
        return refused(format!("on {listen}; listen on 127.0.0.1, or remove the flag"));
    }
    if !is_loopback_origin(portal_url) {
        return refused(format!(
            "because other machines reach the portal at its URL {portal_url}. Remove the flag, or set LOCKBOX_PORTAL_URL \
             to a loopback address such as http://localhost:8080"
        ));
    }
    if provider.is_set() {
        return refused("because an identity provider is set; remove the flag or the provider".to_owned());
    }
    Ok(())
}

/// Why a request is not from a browser on this machine; `None` when it is.
pub(super) fn why_not_local(headers: &HeaderMap) -> Option<String> {
    let mut names = headers.keys().map(header::HeaderName::as_str);
    if let Some(name) = names.find(|name| FORWARDING.contains(name) || name.starts_with("x-forwarded")) {
        return Some(format!("The request came through a proxy: it has the header {name}."));
    }
    let host = headers.get(header::HOST).map_or("", |host| host.to_str().unwrap_or_default());
    (!is_loopback(host)).then(|| "The request has a host name that is not a loopback address.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_loopback() {
        for own in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.8.9.1", "[::1]:8080", "portal.localhost"] {
            assert!(is_loopback(own), "{own}");
        }
        for foreign in ["", "lockbox.fabrikam.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"]
        {
            assert!(!is_loopback(foreign), "{foreign}");
        }
        assert!(is_loopback_origin("http://localhost:8080"));
        assert!(!is_loopback_origin("https://lockbox.fabrikam.example"));
        assert!(!is_loopback_origin("null"));
    }
}
