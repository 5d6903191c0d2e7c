//! The verdict of a decision.

use crate::content::named_values;

named_values!(
    /// Approve or deny.
    Verdict {
        /// The person approves.
        Approve = "approve",
        /// The person denies.
        Deny = "deny",
    }
);
