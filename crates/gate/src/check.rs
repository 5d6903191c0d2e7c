//! An authorization check, read from the request of a proxy or a program. A missing, repeated or unreadable part makes the
//! check odd, and odd checks are refused.
//!
//! The URL that a proxy calls names its kind. The kind is never guessed, because a header that this proxy does not set itself
//! can come from its client.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

/// Headers with which a client can change the method of a request.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// An authorization check.
#[derive(Clone, Debug, Default)]
pub(super) struct Check {
    /// The access token that the client sent.
    pub credential: Option<String>,
    /// The user name that the client sent.
    pub claimed: Option<String>,
    /// Short name of the tenant.
    pub tenant: String,
    /// Service.
    pub service: String,
    /// The resource to be used.
    pub resource: String,
    /// The destination of a copy or move.
    pub destination: Option<String>,
    /// The HTTP method, or the operation that a program names.
    pub method: String,
    /// Whether a header can change the method.
    pub is_overridden: bool,
    /// The client's address.
    pub source: String,
    /// Whether a part is missing, repeated or unreadable.
    pub is_odd: bool,
    /// Whether a program sent the check; its checks must be complete.
    pub is_program: bool,
}

/// A header that is repeated or is not text.
struct Odd;

/// The query of the URL that a proxy calls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyQuery {
    proxy: Proxy,
    tenant: String,
    service: String,
    site: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Proxy {
    Nginx,
    Traefik,
    /// Sends the same headers as Traefik.
    Caddy,
}

/// The check of a program, as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramCheck {
    access_token: String,
    #[serde(default)]
    person: Option<String>,
    tenant: String,
    service: String,
    resource: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    destination: Option<String>,
    #[serde(default)]
    source: Option<String>,
}

fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Odd> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Odd),
        (Some(_), Some(_)) => Err(Odd),
    }
}

/// The access token from a bearer token or a password, with the user name. An unreadable header, such as another scheme,
/// counts as no token, so that the client can sign in. Two headers are odd.
fn credential(headers: &HeaderMap) -> Result<(Option<String>, Option<String>), Odd> {
    let value = one(headers, header::AUTHORIZATION.as_str())?;
    Ok(value.and_then(token).map_or((None, None), |(token, name)| (Some(token), name)))
}

fn token(value: &str) -> Option<(String, Option<String>)> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((rest.trim().to_owned(), None));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((password.to_owned(), Some(name.to_owned())))
}

/// The resource `https://host/path` of a path on a site.
fn below(site: &str, uri: &str) -> Result<String, Odd> {
    let site = site.trim_end_matches('/');
    if !uri.starts_with('/') || !site.contains("://") {
        return Err(Odd);
    }
    Ok(format!("{site}{uri}"))
}

/// The destination of a copy or move as a resource of the site. Servers use only the path, so the host must be that of the
/// request.
fn destination(headers: &HeaderMap, site: &str, host: Option<&str>, method: &str) -> Result<Option<String>, Odd> {
    let Some(said) = one(headers, "destination")? else {
        return if matches!(method, "COPY" | "MOVE") { Err(Odd) } else { Ok(None) };
    };
    if said.starts_with('/') {
        return below(site, said).map(Some);
    }
    let (_, rest) = said.split_once("://").ok_or(Odd)?;
    let (authority, _) = rest.split_once('/').ok_or(Odd)?;
    let own = site.split_once("://").map(|(_, own)| own.trim_end_matches('/'));
    let is = |place: Option<&str>| place.is_some_and(|place| plain(place) == plain(authority));
    if !is(own) && !is(host) {
        return Err(Odd);
    }
    below(site, &rest[authority.len()..]).map(Some)
}

/// A host in a normal form. Behind a proxy that terminates TLS, the client's default port differs from ours.
fn plain(authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    let host = authority.strip_suffix(":443").or_else(|| authority.strip_suffix(":80"));
    host.unwrap_or(&authority).to_owned()
}

fn address(said: Option<&str>, peer: SocketAddr) -> String {
    let said = said.and_then(|said| said.rsplit(',').next()).and_then(|last| last.trim().parse::<IpAddr>().ok());
    said.unwrap_or(peer.ip()).to_string()
}

impl Check {
    /// Fills the fields that can be read. A fault leaves the others empty and makes the check odd.
    fn read(mut self, fill: impl FnOnce(&mut Self) -> Result<(), Odd>) -> Self {
        self.is_odd = fill(&mut self).is_err();
        self
    }

    fn read_credential(&mut self, headers: &HeaderMap) -> Result<(), Odd> {
        (self.credential, self.claimed) = credential(headers)?;
        self.is_overridden = OVERRIDES.iter().any(|name| headers.contains_key(*name));
        Ok(())
    }

    /// A check from nginx' `auth_request`, Traefik's `ForwardAuth` or Caddy's `forward_auth`. The URL names the site, and headers
    /// describe the client's request.
    pub fn of_proxy(query: &str, headers: &HeaderMap, peer: SocketAddr) -> Self {
        Self { source: peer.ip().to_string(), ..Self::default() }.read(|check| {
            check.read_credential(headers)?;
            let proxy_query: ProxyQuery = serde_urlencoded::from_str(query).map_err(|_| Odd)?;
            let [uri, method, source, host] = match proxy_query.proxy {
                Proxy::Nginx => ["x-original-uri", "x-original-method", "x-real-ip", "host"],
                Proxy::Traefik | Proxy::Caddy => {
                    ["x-forwarded-uri", "x-forwarded-method", "x-forwarded-for", "x-forwarded-host"]
                }
            };
            (check.tenant, check.service) = (proxy_query.tenant, proxy_query.service);
            check.source = address(one(headers, source)?, peer);
            one(headers, method)?.ok_or(Odd)?.clone_into(&mut check.method);
            check.resource = below(&proxy_query.site, one(headers, uri)?.ok_or(Odd)?)?;
            check.destination = destination(headers, &proxy_query.site, one(headers, host)?, &check.method)?;
            Ok(())
        })
    }

    /// A check from Envoy's `ext_authz`. Tenant, service and host precede the client's path; the method is the client's.
    pub fn of_envoy(path: &str, method: &str, headers: &HeaderMap, peer: SocketAddr) -> Self {
        Self { source: peer.ip().to_string(), method: method.to_owned(), ..Self::default() }.read(|check| {
            check.read_credential(headers)?;
            let rest = path.strip_prefix("/v1/check/envoy/").ok_or(Odd)?;
            let mut parts = rest.splitn(3, '/');
            let mut next = || parts.next().filter(|part| !part.is_empty()).ok_or(Odd);
            next()?.clone_into(&mut check.tenant);
            next()?.clone_into(&mut check.service);
            let place = next()?;
            let host = place.split('/').next().unwrap_or_default();
            let site = format!("https://{host}");
            check.source = address(one(headers, "x-forwarded-for")?, peer);
            check.resource = below(&site, &place[host.len()..])?;
            check.destination = destination(headers, &site, one(headers, "host")?, &check.method)?;
            Ok(())
        })
    }

    /// A check from a program, as JSON.
    pub fn of_program(body: &[u8], peer: SocketAddr) -> Self {
        Self { source: peer.ip().to_string(), is_program: true, ..Self::default() }.read(|check| {
            let body: ProgramCheck = serde_json::from_slice(body).map_err(|_| Odd)?;
            check.method = body.method.unwrap_or_else(|| "READ".to_owned());
            (check.tenant, check.service, check.resource) = (body.tenant, body.service, body.resource);
            (check.credential, check.claimed, check.destination) =
                (Some(body.access_token), body.person, body.destination);
            check.source = address(body.source.as_deref(), peer);
            if check.destination.is_none() && matches!(check.method.as_str(), "COPY" | "MOVE") {
                return Err(Odd);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
