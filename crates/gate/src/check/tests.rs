use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

const QUERY: &str = "proxy=nginx&tenant=contoso&service=sharepoint&site=https://contoso.example";

fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4000))
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

const GOOD: [(&str, &str); 4] = [
    ("x-original-uri", "/sites/finance/a?b"),
    ("x-original-method", "GET"),
    ("x-real-ip", "198.51.100.7"),
    ("authorization", "Basic cm9iaW46bGJnXzE="),
];

#[test]
fn a_check_from_nginx_is_read() {
    let check = Check::of_proxy(QUERY, &headers(&GOOD), peer());
    assert!(!check.is_odd);
    assert_eq!(
        (check.tenant.as_str(), check.service.as_str(), check.method.as_str()),
        ("contoso", "sharepoint", "GET")
    );
    assert_eq!(check.resource, "https://contoso.example/sites/finance/a?b");
    assert_eq!((check.credential.as_deref(), check.claimed.as_deref()), (Some("lbg_1"), Some("robin")));
    assert_eq!(check.source, "198.51.100.7");
}

#[test]
fn a_missing_or_repeated_part_or_another_proxys_header_is_odd() {
    let odd =
        |query: &str, pairs: &[(&'static str, &'static str)]| Check::of_proxy(query, &headers(pairs), peer()).is_odd;
    for missing in ["x-original-uri", "x-original-method"] {
        let mut some = GOOD.to_vec();
        some.retain(|(name, _)| *name != missing);
        assert!(odd(QUERY, &some), "without {missing}");
    }
    for doubled in GOOD {
        let mut more = GOOD.to_vec();
        more.push(doubled);
        assert!(odd(QUERY, &more), "two of {}", doubled.0);
    }
    for query in [
        "",
        "proxy=nginx&tenant=contoso&service=sharepoint",
        "proxy=apache&tenant=contoso&service=sharepoint&site=https://contoso.example",
        "proxy=nginx&tenant=contoso&tenant=adatum&service=sharepoint&site=https://contoso.example",
        "proxy=nginx&tenant=contoso&service=sharepoint&site=https://contoso.example&more=1",
        "proxy=traefik&tenant=contoso&service=sharepoint&site=https://contoso.example",
    ] {
        assert!(odd(query, &GOOD), "{query}");
    }
    for (name, value) in
        [("x-original-uri", "sites/finance"), ("x-original-uri", "http://contoso.example/sites/finance")]
    {
        let mut other = GOOD.to_vec();
        other.retain(|(known, _)| *known != name);
        other.push((name, value));
        assert!(odd(QUERY, &other), "{name}: {value}");
    }
}

#[test]
fn an_unreadable_credential_counts_as_none() {
    for shown in ["Digest x", "Negotiate YII=", "Basic !", "Basic cm9iaW4=", "lbg_1", ""] {
        let mut pairs = GOOD.to_vec();
        pairs.retain(|(name, _)| *name != "authorization");
        pairs.push(("authorization", shown));
        let check = Check::of_proxy(QUERY, &headers(&pairs), peer());
        assert_eq!((check.credential, check.is_odd), (None, false), "{shown}");
    }
}

#[test]
fn the_destination_of_a_move_must_be_on_the_same_site() {
    let moved = |to: Option<&'static str>| {
        let mut pairs = vec![GOOD[0], ("x-original-method", "MOVE"), ("host", "files.fabrikam.example")];
        pairs.extend(to.map(|to| ("destination", to)));
        let check = Check::of_proxy(QUERY, &headers(&pairs), peer());
        (!check.is_odd).then_some(check.destination).flatten()
    };
    let below = Some("https://contoso.example/sites/hr/x".to_owned());
    assert_eq!(moved(Some("/sites/hr/x")), below);
    assert_eq!(moved(Some("http://files.fabrikam.example/sites/hr/x")), below);
    assert_eq!(moved(Some("https://contoso.example/sites/hr/x")), below);
    // A client of a proxy that terminates TLS sends its own scheme and sometimes its own port.
    assert_eq!(moved(Some("https://files.fabrikam.example/sites/hr/x")), below);
    assert_eq!(moved(Some("https://Files.Fabrikam.example:443/sites/hr/x")), below);
    assert_eq!(moved(Some("https://files.fabrikam.example:8443/sites/hr/x")), None);
    assert_eq!(moved(Some("https://evil.example/sites/finance/x")), None);
    assert_eq!(moved(Some("sites/finance/x")), None);
    assert_eq!(moved(None), None);
}

#[test]
fn checks_from_traefik_caddy_and_envoy_are_read() {
    let query = QUERY.replace("nginx", "traefik");
    let pairs = [
        ("x-forwarded-uri", "/sites/finance/a"),
        ("x-forwarded-method", "PUT"),
        ("x-forwarded-for", "203.0.113.9, 198.51.100.7"),
        ("authorization", "Bearer lbg_1"),
        ("x-http-method-override", "DELETE"),
    ];
    let check = Check::of_proxy(&query, &headers(&pairs), peer());
    assert_eq!((check.is_odd, check.method.as_str(), check.is_overridden), (false, "PUT", true));
    assert_eq!(check.source, "198.51.100.7", "the address that the proxy itself added");
    let check = Check::of_proxy(&QUERY.replace("nginx", "caddy"), &headers(&pairs), peer());
    assert_eq!((check.is_odd, check.method.as_str()), (false, "PUT"));
    let path = "/v1/check/envoy/contoso/sharepoint/contoso.example/sites/finance/%2e%2e/x";
    let check = Check::of_envoy(path, "GET", &headers(&pairs[3..]), peer());
    assert_eq!(check.resource, "https://contoso.example/sites/finance/%2e%2e/x", "unchanged; the scope rules decide");
    for path in ["/v1/check/envoy/contoso/sharepoint/contoso.example", "/v1/check/envoy//a/b/c", "/v1/check/envoy/a"] {
        assert!(Check::of_envoy(path, "GET", &headers(&[]), peer()).is_odd, "{path}");
    }
}
