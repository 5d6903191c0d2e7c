//! Whether the granted resource covers the requested one: the same mailbox, or the same page, folder or site and what is
//! below it.
//!
//! Deliberately absent: repairing addresses. An address that two servers could read differently is not covered.

use unicode_normalization::UnicodeNormalization as _;

/// Longest address that is read, in bytes.
const LENGTH_LIMIT_BYTES: usize = 4096;
/// Characters that some servers treat as a dot or a separator.
const LOOKALIKES: [char; 6] = ['\u{ff0e}', '\u{ff0f}', '\u{ff3c}', '\u{2044}', '\u{2215}', '\u{29f8}'];
/// Methods that change nothing. All others, including unknown methods, count as writing.
const READING: [&str; 8] = ["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH", "READ", "LOGIN"];

/// What an address refers to.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Scheme and host, and the decoded segments of the path.
    Url { origin: String, path: Vec<String> },
    /// A mailbox.
    Mailbox(String),
    /// Anything else, compared exactly.
    Name(String),
}

/// Whether `granted` covers `requested`.
pub fn covers(granted: &str, requested: &str) -> bool {
    // A query may select what a page shows, so a granted resource must not depend on one.
    if granted.contains('?') {
        return false;
    }
    match (Place::read(granted), Place::read(requested)) {
        (Some(Place::Url { origin, path }), Some(Place::Url { origin: other, path: below })) => {
            origin == other && below.starts_with(&path)
        }
        (Some(granted), Some(requested)) => granted == requested,
        _ => false,
    }
}

/// Whether `requested` is a folder that contains what was granted, such as the root of the site.
pub fn is_above(granted: &str, requested: &str) -> bool {
    match (Place::read(granted), Place::read(requested)) {
        (Some(Place::Url { origin, path }), Some(Place::Url { origin: other, path: above })) => {
            origin == other && path.len() > above.len() && path.starts_with(&above)
        }
        _ => false,
    }
}

/// Whether two resources are the same, or one contains the other.
pub fn overlap(one: &str, other: &str) -> bool {
    let whole = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
    covers(&whole(one), other) || covers(&whole(other), one)
}

/// Why access to this resource could never be used: the gate would find that it covers nothing.
pub fn resource_problem(service: &str, resource: &str) -> Option<String> {
    let is_address = matches!(Place::read(resource), Some(Place::Mailbox(_)));
    let is_url = resource.starts_with("https://") && covers(resource, resource);
    match service {
        "exchange_online" if !is_address => {
            Some("must be the address of a mailbox, such as finance@contoso.example".to_owned())
        }
        "sharepoint" | "onedrive" if !is_url => Some(
            "must be an https URL of a site, folder or file, without '..', '//', a query or a fragment, such as \
             https://contoso.example/sites/board"
                .to_owned(),
        ),
        // A service that the deployment added: a name, an address or a URL, in the form that its target uses.
        _ if resource.contains("://") && !is_url => {
            Some("must be an https URL without '..', '//', a query or a fragment".to_owned())
        }
        _ => None,
    }
}

/// Whether a method may change something.
pub fn writes(method: &str) -> bool {
    !READING.contains(&method)
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > LENGTH_LIMIT_BYTES || text.chars().any(char::is_control) {
            return None;
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return url(&scheme.to_ascii_lowercase(), rest);
        }
        if let Some((name, domain)) = text.split_once('@') {
            let is_odd = |part: &str| part.is_empty() || part.contains(['@', '/', '\\', ' ', '%']);
            return (!is_odd(name) && !is_odd(domain)).then(|| Self::Mailbox(text.to_ascii_lowercase()));
        }
        Some(Self::Name(text.to_owned()))
    }
}

fn url(scheme: &str, rest: &str) -> Option<Place> {
    let standard_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    if rest.contains(['#', '\\']) {
        return None;
    }
    let rest = rest.split_once('?').map_or(rest, |(path, _)| path);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(standard_port).unwrap_or(&host);
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]_".contains(c);
    if host.is_empty() || host.ends_with('.') || !host.chars().all(is_host) {
        return None;
    }
    // One slash at the end refers to the same folder.
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = if path.is_empty() { Vec::new() } else { path.split('/').map(step).collect::<Option<_>>()? };
    Some(Place::Url { origin: format!("{scheme}://{host}"), path })
}

/// One segment of a path, decoded once.
fn step(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' { hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)? } else { byte };
        if byte == b'/' || byte == b'\\' || byte.is_ascii_control() {
            return None;
        }
        bytes.push(byte);
    }
    // Finder writes `ü` as `u` with a combining mark (NFD), other programs as one character (NFC). People see the same name.
    let text: String = String::from_utf8(bytes).ok()?.nfc().collect();
    // Some servers remove parameters, and some remove dots and spaces at the end.
    let name = text.split(';').next().unwrap_or_default();
    let is_dots = name.chars().all(|c| c == '.' || c == ' ');
    let is_coded_twice = text
        .as_bytes()
        .windows(3)
        .any(|three| three[0] == b'%' && hex_digit(three[1]).is_some() && hex_digit(three[2]).is_some());
    (!is_dots && !is_coded_twice && !text.contains(LOOKALIKES)).then_some(text)
}

fn hex_digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "https://contoso.example/sites/finance";

    #[test]
    fn a_site_covers_itself_and_everything_below_it() {
        for requested in [
            "https://contoso.example/sites/finance",
            "https://contoso.example/sites/finance/",
            "https://contoso.example/sites/finance/2026/budget.xlsx",
            "https://contoso.example/sites/finance/a%20b?download=1",
            "HTTPS://Contoso.Example:443/sites/finance/x",
            "https://contoso.example/sites/f%69nance/100%25",
        ] {
            assert!(covers(SITE, requested), "{requested}");
            assert!(covers("https://contoso.example/sites/finance/", requested), "{requested}");
        }
        assert!(covers("https://contoso.example", "https://contoso.example/anything"));
        assert!(covers("https://contoso.example/Shared Documents", "https://contoso.example/Shared%20Documents/x"));
    }

    #[test]
    fn no_crafted_address_escapes_a_site() {
        for requested in [
            "https://contoso.example/sites/finance-secret",
            "https://contoso.example/sites/financex/y",
            "https://contoso.example/sites",
            "https://contoso.example/",
            "https://contoso.example/sites/Finance/x",
            "https://contoso.example/SITES/finance/x",
            "https://contoso.example/sites/finance/../hr",
            "https://contoso.example/sites/finance/./x",
            "https://contoso.example/sites/finance/%2e%2e/hr",
            "https://contoso.example/sites/finance/.%2E/hr",
            "https://contoso.example/sites/finance/%252e%252e/hr",
            "https://contoso.example/sites/finance/..;/hr",
            "https://contoso.example/sites/finance/..%20/hr",
            "https://contoso.example/sites/finance/.../hr",
            "https://contoso.example/sites/finance/%c0%ae%c0%ae/hr",
            "https://contoso.example/sites/finance/\u{ff0e}\u{ff0e}/hr",
            "https://contoso.example/sites/finance%2f..%2fhr",
            "https://contoso.example/sites/finance%2Fx",
            "https://contoso.example/sites/finance/..%2fhr",
            "https://contoso.example/sites/finance/%252fhr",
            "https://contoso.example/sites/finance/%5c..%5chr",
            "https://contoso.example/sites/finance\\..\\hr",
            "https://contoso.example/sites//finance/x",
            "https://contoso.example/sites/finance//x",
            "https://contoso.example//sites/finance/x",
            "https://contoso.example/sites/finance/x%00.txt",
            "https://contoso.example/sites/finance/x%0a",
            "https://contoso.example/sites/finance/%",
            "https://contoso.example/sites/finance/%zz",
            "https://contoso.example/sites/finance/x#y",
            "https://contoso.example/?/sites/finance",
            "https://contoso.example.evil.example/sites/finance",
            "https://evil.example/https://contoso.example/sites/finance",
            "https://contoso.example@evil.example/sites/finance",
            "https://evil.example@contoso.example/sites/finance",
            "https://contoso.example./sites/finance",
            "https://contoso.example:8443/sites/finance",
            "http://contoso.example/sites/finance",
            "ftp://contoso.example/sites/finance",
            "//contoso.example/sites/finance",
            "/sites/finance",
            "",
        ] {
            assert!(!covers(SITE, requested), "{requested}");
        }
        let long = format!("{SITE}/{}", "x".repeat(5000));
        assert!(!covers(SITE, &long));
    }

    #[test]
    fn names_are_compared_as_people_see_them() {
        let (composed, decomposed) = ("https://contoso.example/B\u{fc}ro", "https://contoso.example/Bu\u{308}ro");
        assert!(covers(composed, &format!("{decomposed}/x")) && covers(decomposed, &format!("{composed}/x")));
        assert!(covers(composed, "https://contoso.example/Bu%CC%88ro/x"));
        assert!(!covers(composed, "https://contoso.example/Buro/x"));
        // A Greek question mark is normalized to a semicolon, where some servers cut the address.
        assert!(!covers(SITE, "https://contoso.example/sites/finance/..\u{37e}/hr"));
    }

    #[test]
    fn a_resource_that_no_address_can_match_is_reported() {
        for good in ["https://contoso.example/sites/board", "https://contoso.example", "https://contoso.example/a b/"] {
            assert_eq!(resource_problem("sharepoint", good), None, "{good}");
            assert_eq!(resource_problem("files", good), None, "{good}");
        }
        for odd in [
            "contoso.example/sites/board",
            "http://contoso.example/sites/board",
            "https://contoso.example/sites/board?x=1",
            "https://contoso.example/sites/board#top",
            "https://contoso.example/sites/../etc",
            "https://contoso.example/sites//board",
            "https://",
            "the board site",
            "finance@contoso.example",
        ] {
            assert!(
                resource_problem("sharepoint", odd).is_some() && resource_problem("onedrive", odd).is_some(),
                "{odd}"
            );
            assert_eq!(resource_problem("files", odd).is_some(), odd.contains("://"), "{odd}");
        }
        assert_eq!(resource_problem("exchange_online", "finance@contoso.example"), None);
        for odd in
            ["finance", "Finance <finance@contoso.example>", "https://contoso.example/x", "a@b@c", "@contoso.example"]
        {
            assert!(resource_problem("exchange_online", odd).is_some(), "{odd}");
        }
    }

    #[test]
    fn a_folder_that_contains_the_granted_resource_is_not_covered() {
        for above in ["https://contoso.example", "https://contoso.example/", "https://contoso.example/sites/"] {
            assert!(is_above(SITE, above) && !covers(SITE, above), "{above}");
        }
        for other in [SITE, "https://contoso.example/site", "https://contoso.example/sites/finance/x", "https://x/", ""]
        {
            assert!(!is_above(SITE, other), "{other}");
        }
        assert!(overlap(SITE, "https://contoso.example/sites") && overlap(SITE, &format!("{SITE}/a")));
        assert!(!overlap(SITE, "https://contoso.example/sites/hr") && !overlap("a@b.example", "c@b.example"));
    }

    #[test]
    fn a_mailbox_covers_only_itself() {
        assert!(covers("finance@contoso.example", "Finance@Contoso.example"));
        for requested in [
            "hr@contoso.example",
            "finance@fabrikam.example",
            "finance@contoso.example/Archive",
            "finance@contoso.example@evil.example",
            " finance@contoso.example",
            "finance@contoso.example\0",
            "finance%40contoso.example",
            "contoso.example",
        ] {
            assert!(!covers("finance@contoso.example", requested), "{requested}");
        }
        assert!(covers("crm/sales", "crm/sales") && !covers("crm/sales", "crm/sales2") && !covers("crm", "crm/sales"));
    }

    #[test]
    fn a_malformed_granted_resource_covers_nothing() {
        for granted in ["https://contoso.example/a/../b", "https://contoso.example/a?b=c", "https://", "", "a@b@c"] {
            assert!(!covers(granted, granted), "{granted}");
        }
    }

    #[test]
    fn unknown_methods_count_as_writing() {
        assert!(!writes("GET") && !writes("PROPFIND"));
        for method in ["PUT", "DELETE", "MOVE", "COPY", "MKCOL", "PROPPATCH", "LOCK", "POST", "get", "BREW", ""] {
            assert!(writes(method), "{method}");
        }
    }
}
