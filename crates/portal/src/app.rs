//! The state that every page and every API call shares.

use std::sync::Arc;

use ::passkeys::Passkeys;
use runtime::target_login::TargetLogins;
use store::Store;
use tokio::sync::Semaphore;
use workers::Relay;
use workers::webhooks::Inside;

use crate::api::limits::Limits;
use crate::completeness::Counts;
use crate::mailbox::Mailbox;
use crate::oidc::providers::Oidc;

/// Evidence bundles that may be exported at the same time: each holds a database snapshot open.
pub(crate) const BUNDLES_AT_ONCE: usize = 2;

/// The shared state; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(pub Arc<Inner>);

pub(crate) struct Inner {
    pub store: Store,
    pub relay: Relay,
    /// Whether people sign in by choosing a name.
    pub developer: bool,
    pub oidc: Oidc,
    /// Mails to show in development.
    pub mailbox: Option<Mailbox>,
    pub limits: Limits,
    pub counts: Counts,
    /// Permits for exports of evidence bundles, [`BUNDLES_AT_ONCE`] of them.
    pub bundles: Semaphore,
    /// Logins at target systems that are databases.
    pub target_logins: TargetLogins,
    /// Internal hosts that webhooks may reach.
    pub webhook_inside: Inside,
    /// Passkeys for this portal's address, or why this address cannot have any.
    pub passkeys: Result<Passkeys, ::passkeys::Error>,
    /// Address of the portal in browsers, such as `https://lockbox.fabrikam.example`.
    pub origin: String,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Every service: the built-in ones first, then those that the deployment added.
    ///
    /// # Errors
    /// When the database is not available.
    pub async fn services(&self) -> Result<Vec<String>, store::Error> {
        let mut services: Vec<String> = domain::policy::SERVICES.map(str::to_owned).to_vec();
        let added = self.store.services().await?;
        services.extend(added.into_iter().filter(|name| !domain::policy::SERVICES.contains(&name.as_str())));
        Ok(services)
    }
}
