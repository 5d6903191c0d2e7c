//! The verifier for people: one page that works in a browser without a network. `tools/verify-page` has its sources, and
//! `tests/page.rs` assembles them.

/// The page, as HTML. Its content security policy allows exactly its own script and style.
pub const VERIFY_PAGE: &str = include_str!("bundle/verify.html");

/// Content security policy of the page, as its first `meta` element states it. Empty when the page has none.
#[must_use]
pub fn content_security_policy() -> &'static str {
    const START: &str = "http-equiv=\"Content-Security-Policy\" content=\"";
    let rest = VERIFY_PAGE.split_once(START).map_or("", |(_, rest)| rest);
    rest.split_once('"').map_or("", |(policy, _)| policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_nothing_but_the_script_and_the_style_of_the_page() {
        let parts: Vec<&str> = content_security_policy().split("; ").collect();
        assert_eq!(parts.len(), 5, "{parts:?}");
        assert_eq!((parts[0], parts[3], parts[4]), ("default-src 'none'", "base-uri 'none'", "form-action 'none'"));
        assert!(parts[1].starts_with("script-src 'sha256-") && parts[2].starts_with("style-src 'sha256-"), "{parts:?}");
    }
}
