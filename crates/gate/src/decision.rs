//! The decision on a check.

use chrono::{DateTime, Utc};
use store::gate::Grant;

use super::code::Code;

/// The decision on a check, with the grant that it depends on.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub code: Code,
    /// The database's clock, when it was read.
    pub now: Option<DateTime<Utc>>,
    /// The grant of the client's token.
    pub grant: Option<Grant>,
    /// Whether the signed log proves the grant.
    pub is_verified: bool,
    /// What is missing, in words for people, when the code alone does not say it.
    pub detail: Option<String>,
}

impl Decision {
    pub fn refused(code: Code) -> Self {
        Self { code, now: None, grant: None, is_verified: false, detail: None }
    }

    /// The decision on a check that depends on this grant.
    pub fn on(code: Code, now: DateTime<Utc>, grant: Option<Grant>) -> Self {
        Self { now: Some(now), grant, ..Self::refused(code) }
    }

    pub fn is_allowed(&self) -> bool {
        self.code == Code::Ok
    }
}

/// The access level of a grant as text.
pub(super) fn access_level(grant: &store::gate::Grant) -> &'static str {
    if grant.may_write { "read_write" } else { "read_only" }
}
