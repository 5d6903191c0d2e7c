//! How long a check may take.

use std::time::Duration;

/// An answer that takes longer is no.
pub(super) const LIMIT: Duration = Duration::from_millis(500);
/// The database gives up before, so that the no is ours and is recorded.
pub(super) const DATABASE_LIMIT: Duration = Duration::from_millis(450);
