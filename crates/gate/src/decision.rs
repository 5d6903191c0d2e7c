//! The answer to a check, with what it rests on.

use chrono::{DateTime, Utc};
use store::gate::Grant;

use super::code::Code;

/// An answer with what it rests on.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub code: Code,
    /// The database's clock, when it was read.
    pub now: Option<DateTime<Utc>>,
    /// The grant of the token that was shown.
    pub grant: Option<Grant>,
}

impl Decision {
    pub fn no(code: Code) -> Self {
        Self { code, now: None, grant: None }
    }

    pub fn is_yes(&self) -> bool {
        self.code == Code::Ok
    }
}

/// How the access level of a grant is written.
pub(super) fn access_level(grant: &store::gate::Grant) -> &'static str {
    if grant.may_write { "read_write" } else { "read_only" }
}
