//! The person that a command acts for.

use runtime::outcome::Failure;

/// Name of the person, where no token states it.
pub(super) fn named(by: Option<String>) -> Result<String, Failure> {
    by.ok_or_else(|| {
        Failure::Usage("no person is given; use --as NAME, or sign in with a token (--token-file)".to_owned())
    })
}
