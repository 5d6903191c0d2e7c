//! Scopes of API tokens.

/// What a token may be used for.
pub const SCOPES: [(&str, &str); 4] = [
    ("requests:read", "look at requests and their events"),
    ("requests:write", "submit, withdraw, comment, end access, fetch handles"),
    ("decisions:write", "review and decide, as the token's owner"),
    ("audit:read", "search the audit log"),
];
