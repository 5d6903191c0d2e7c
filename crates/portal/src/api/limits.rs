//! The rate limit of API tokens.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::{DefaultKeyedRateLimiter, Quota};
use uuid::Uuid;

/// Calls per second that a token may make, with bursts of twice as many.
pub(crate) const CALLS_PER_SECOND: u32 = 50;

/// Limits the calls of each token, by the token's id.
#[derive(Clone)]
pub(crate) struct Limits(Arc<DefaultKeyedRateLimiter<Uuid>>);

impl Default for Limits {
    fn default() -> Self {
        let per_second = NonZeroU32::new(CALLS_PER_SECOND).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(2 * CALLS_PER_SECOND).unwrap_or(NonZeroU32::MIN);
        Self(Arc::new(DefaultKeyedRateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst))))
    }
}

impl Limits {
    /// Counts a call, and returns whether the token may make it.
    pub fn allow(&self, token: &Uuid) -> bool {
        self.0.check_key(token).is_ok()
    }
}
