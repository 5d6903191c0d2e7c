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
}

impl Decision {
    pub fn refused(code: Code) -> Self {
        Self { code, now: None, grant: None }
    }

    pub fn is_allowed(&self) -> bool {
        self.code == Code::Ok
    }
}

/// The access level of a grant as text.
pub(super) fn access_level(grant: &store::gate::Grant) -> &'static str {
    if grant.may_write { "read_write" } else { "read_only" }
}
