//! What is asked, read from what proxies and programs say. Whatever is missing, doubled or unreadable makes it odd, and
//! an odd question is answered with no.
//!
//! A proxy's dialect is named in the address it asks, never guessed: a header that this proxy does not set itself may
//! come from its client.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

/// Headers by which a client asks a server to take a request for another method.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// A question.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    /// What was shown: a handle.
    pub credential: Option<String>,
    /// Whom the client says to be.
    pub claimed: Option<String>,
    /// Short name of the tenant.
    pub tenant: String,
    /// Service.
    pub service: String,
    /// What is to be used.
    pub resource: String,
    /// Where it is to be copied or moved to.
    pub destination: Option<String>,
    /// HTTP method, or what a program names.
    pub method: String,
    /// Whether the server may take it for another method.
    pub is_overridden: bool,
    /// The client's address.
    pub source: String,
    /// Whether something about the question is wrong.
    pub is_odd: bool,
    /// Whether a program asks, whose question must be whole.
    pub is_program: bool,
}

/// A header that is there more than once, or is no text.
struct Odd;

/// What stands in the address that a proxy asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyStatus {
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
    /// Says the same as Traefik.
    Caddy,
}

/// What a program says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    handle: String,
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

/// The access token, as bearer token or as password, with the name before the password. What cannot be read, such as
/// another scheme, is no token: the client is asked for one. Two headers are odd.
fn credential(headers: &HeaderMap) -> Result<(Option<String>, Option<String>), Odd> {
    let shown = one(headers, header::AUTHORIZATION.as_str())?;
    Ok(shown.and_then(token).map_or((None, None), |(token, name)| (Some(token), name)))
}

fn token(shown: &str) -> Option<(String, Option<String>)> {
    let (scheme, rest) = shown.split_once(' ')?;
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

/// `https://host/path` of what a site serves below a path.
fn below(site: &str, uri: &str) -> Result<String, Odd> {
    let site = site.trim_end_matches('/');
    if !uri.starts_with('/') || !site.contains("://") {
        return Err(Odd);
    }
    Ok(format!("{site}{uri}"))
}

/// Where something is copied or moved to, as the site's own address. Servers look at the path alone, so the host must
/// be the one that is asked.
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

/// A host in one spelling. Behind a proxy that ends TLS, the port that a client leaves out is another than ours.
fn plain(authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    let host = authority.strip_suffix(":443").or_else(|| authority.strip_suffix(":80"));
    host.unwrap_or(&authority).to_owned()
}

fn address(said: Option<&str>, peer: SocketAddr) -> String {
    let said = said.and_then(|said| said.rsplit(',').next()).and_then(|last| last.trim().parse::<IpAddr>().ok());
    said.unwrap_or(peer.ip()).to_string()
}

impl Ask {
    /// Fills in what can be read; what cannot is left as it is and makes the question odd.
    fn read(mut self, fill: impl FnOnce(&mut Self) -> Result<(), Odd>) -> Self {
        self.is_odd = fill(&mut self).is_err();
        self
    }

    fn shown(&mut self, headers: &HeaderMap) -> Result<(), Odd> {
        (self.credential, self.claimed) = credential(headers)?;
        self.is_overridden = OVERRIDES.iter().any(|name| headers.contains_key(*name));
        Ok(())
    }

    /// nginx' `auth_request`, Traefik's `ForwardAuth` or Caddy's `forward_auth`: the address says what the site is, headers say what its client wants.
    pub fn of_proxy(query: &str, headers: &HeaderMap, peer: SocketAddr) -> Self {
        Self { source: peer.ip().to_string(), ..Self::default() }.read(|ask| {
            ask.shown(headers)?;
            let policy_status: PolicyStatus = serde_urlencoded::from_str(query).map_err(|_| Odd)?;
            let [uri, method, source, host] = match policy_status.proxy {
                Proxy::Nginx => ["x-original-uri", "x-original-method", "x-real-ip", "host"],
                Proxy::Traefik | Proxy::Caddy => {
                    ["x-forwarded-uri", "x-forwarded-method", "x-forwarded-for", "x-forwarded-host"]
                }
            };
            (ask.tenant, ask.service) = (policy_status.tenant, policy_status.service);
            ask.source = address(one(headers, source)?, peer);
            one(headers, method)?.ok_or(Odd)?.clone_into(&mut ask.method);
            ask.resource = below(&policy_status.site, one(headers, uri)?.ok_or(Odd)?)?;
            ask.destination = destination(headers, &policy_status.site, one(headers, host)?, &ask.method)?;
            Ok(())
        })
    }

    /// Envoy's `ext_authz`: tenant, service and host stand before the path that its client wants; the method is the client's.
    pub fn of_envoy(path: &str, method: &str, headers: &HeaderMap, peer: SocketAddr) -> Self {
        Self { source: peer.ip().to_string(), method: method.to_owned(), ..Self::default() }.read(|ask| {
            ask.shown(headers)?;
            let rest = path.strip_prefix("/v1/check/envoy/").ok_or(Odd)?;
            let mut parts = rest.splitn(3, '/');
            let mut next = || parts.next().filter(|part| !part.is_empty()).ok_or(Odd);
            next()?.clone_into(&mut ask.tenant);
            next()?.clone_into(&mut ask.service);
            let place = next()?;
            let host = place.split('/').next().unwrap_or_default();
            let site = format!("https://{host}");
            ask.source = address(one(headers, "x-forwarded-for")?, peer);
            ask.resource = below(&site, &place[host.len()..])?;
            ask.destination = destination(headers, &site, one(headers, "host")?, &ask.method)?;
            Ok(())
        })
    }

    /// A program's question, as JSON.
    pub fn of_program(body: &[u8], peer: SocketAddr) -> Self {
        Self { source: peer.ip().to_string(), is_program: true, ..Self::default() }.read(|ask| {
            let said: Said = serde_json::from_slice(body).map_err(|_| Odd)?;
            ask.method = said.method.unwrap_or_else(|| "READ".to_owned());
            (ask.tenant, ask.service, ask.resource) = (said.tenant, said.service, said.resource);
            (ask.credential, ask.claimed, ask.destination) = (Some(said.handle), said.person, said.destination);
            ask.source = address(said.source.as_deref(), peer);
            if ask.destination.is_none() && matches!(ask.method.as_str(), "COPY" | "MOVE") {
                return Err(Odd);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
