//! Scopes of API tokens.

/// Scopes with their descriptions.
pub const SCOPES: [(&str, &str); 5] = [
    ("requests:read", "read requests and their events"),
    ("requests:write", "submit, withdraw and comment on requests, revoke access, create access tokens"),
    ("decisions:write", "approve and deny requests, and respond to access reports, as the owner of the token"),
    ("audit:read", "search the audit log"),
    ("log:read", "read the tiles and entries of the audit log, for a monitor"),
];
