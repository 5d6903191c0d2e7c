//! The state that all checks share.

use std::sync::Arc;

use store::Store;
use workers::verified_grants::VerifiedGrants;

use super::activity::Activity;
use super::lookups::Lookups;
use super::token::Signer;

/// The state that all checks share.
#[derive(Clone)]
pub(super) struct App(pub Arc<Inner>);

pub(super) struct Inner {
    /// The database, with read-only statements and a short time limit.
    pub store: Store,
    pub lookups: Lookups,
    pub verified: VerifiedGrants,
    pub activity: Activity,
    pub signer: Option<Signer>,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
