//! The addresses that a webhook can have: on the public internet, with TLS. Without this check, anyone who can set an address
//! could make Lockbox send requests to the internal network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Hosts in the internal network that webhooks can call, also without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside(Vec<String>);

impl Inside {
    /// Reads host names that are separated by commas.
    pub fn parse(text: &str) -> Self {
        Self(text.split(',').map(|host| host.trim().to_lowercase()).filter(|host| !host.is_empty()).collect())
    }

    fn has(&self, host: &str) -> bool {
        self.0.iter().any(|allowed| *allowed == host.to_lowercase())
    }
}

/// Checks the address of a webhook.
///
/// # Errors
/// The fault, for people.
pub fn check_url(text: &str, inside: &Inside) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|fault| format!("the address is not a URL: {fault}"))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address must not contain a user name or a password".to_owned());
    }
    if inside.has(&host) && matches!(url.scheme(), "http" | "https") {
        return Ok(url);
    }
    if url.scheme() != "https" {
        return Err("the address must start with https://".to_owned());
    }
    // Names are checked when they are resolved. IP addresses are checked here.
    let number = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) => None,
        None => return Err("the address has no host".to_owned()),
    };
    if number.is_some_and(|ip| !is_public(ip)) {
        return Err(format!("{host} is not an address on the public internet"));
    }
    Ok(url)
}

/// Whether an address is on the public internet (IANA special-purpose registries, RFC 6890).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        // Shared between carriers, protocol assignments, the old 6to4 relays, measurements.
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && (18..20).contains(&b))
        // Multicast, reserved, broadcast.
        || a >= 224;
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(ip) = ip.to_ipv4_mapped() {
        return is_public_v4(ip);
    }
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // Embedded IPv4 addresses: NAT64 and 6to4.
        (0x64, 0xff9b) => (c, d, e, f) == (0, 0, 0, 0) && inner(g, h),
        (0x2002, _) => inner(b, c),
        // Teredo and other protocol assignments, documentation.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff) => false,
        _ => (0x2000..0x4000).contains(&a),
    }
}

/// Resolves names and drops addresses that are not public. The connection uses exactly the address that was checked.
pub(super) struct PublicResolver(pub Arc<Inside>);

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let inside = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|at| inside.has(host) || is_public(at.ip())).collect();
            if allowed.is_empty() {
                return Err(format!("{host} is not on the public internet").into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_the_internal_network_is_refused() {
        let none = Inside::default();
        for wrong in [
            "http://hooks.contoso.example/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0/",
            "https://10.0.0.1/",
            "https://172.16.3.4/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://100.64.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::a00:1]/",
            "https://[2002:a00:1::]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://224.0.0.1/",
            "https://name:word@hooks.contoso.example/",
            "file:///etc/passwd",
            "hooks.contoso.example",
        ] {
            assert!(check_url(wrong, &none).is_err(), "{wrong}");
        }
        for right in ["https://hooks.contoso.example/x", "https://93.184.215.14:8443/", "https://[2606:4700::1111]/"] {
            assert!(check_url(right, &none).is_ok(), "{right}");
        }
        let inside = Inside::parse("127.0.0.1, Hooks");
        assert!(check_url("http://127.0.0.1:9/", &inside).is_ok() && check_url("http://hooks/", &inside).is_ok());
        assert!(check_url("https://127.0.0.2/", &inside).is_err());
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_an_internal_address_is_not_called() {
        use std::str::FromStr as _;
        let resolve = |inside: &str| {
            PublicResolver(Arc::new(Inside::parse(inside))).resolve(Name::from_str("localhost").expect("a name"))
        };
        assert!(resolve("").await.is_err());
        assert!(resolve("localhost").await.is_ok());
    }
}
