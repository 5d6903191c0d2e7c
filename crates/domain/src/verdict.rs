//! What a person decides.

use crate::content::words;

words!(
    /// Yes or no.
    Verdict {
        /// Yes.
        Approve = "approve",
        /// No.
        Deny = "deny",
    }
);
