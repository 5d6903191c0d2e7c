//! What every role of a process shares.

use broker::Names;
use store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::health::Health;
use crate::relay::Relay;

/// What every role of a process shares.
#[derive(Clone)]
pub struct Shared {
    /// The broker.
    pub broker: broker::Config,
    /// Our own login at the broker.
    pub login: String,
    /// Names of exchanges and queues.
    pub names: Names,
    /// The database.
    pub store: Store,
    /// The relay of this process.
    pub relay: Relay,
    /// Readiness of this process.
    pub health: Health,
    /// Cancelled when the process must stop.
    pub stop: CancellationToken,
    /// Tasks that draining waits for.
    pub tasks: TaskTracker,
}
