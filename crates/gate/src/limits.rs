//! Time limits of a check.

use std::time::Duration;

/// A check that takes longer is refused.
pub(super) const LIMIT: Duration = Duration::from_millis(500);
/// Time limit of the database. It is shorter, so that the gate itself refuses and records the check.
pub(super) const DATABASE_LIMIT: Duration = Duration::from_millis(450);
