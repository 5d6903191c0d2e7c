//! What a monitor needs to begin.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use evidence::ConsentTrust;
use tlog::{Signer, Verifier};
use url::Url;

/// The clock of the host.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What a monitor needs.
pub struct Options {
    /// Address of the log, such as `https://lockbox.fabrikam.example/.well-known/lockbox/contoso`.
    pub log: Url,
    /// Token with the scope `log:read`.
    pub token: Option<String>,
    /// Trusted log keys. Without one, the monitor trusts the keys that it sees first.
    pub keys: Vec<Verifier>,
    /// The authority that the customer trusts, and that of the vendor.
    pub trust: ConsentTrust,
    /// Folder of the monitor.
    pub folder: PathBuf,
    /// Key that cosigns.
    pub witness: Option<Signer>,
    /// Longest time without a heartbeat and without access to the log.
    pub silence: TimeDelta,
    /// The clock.
    pub clock: Clock,
}
