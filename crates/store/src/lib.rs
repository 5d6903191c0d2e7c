//! Postgres: the only crate that knows sqlx. Loads what a batch needs under its locks, reads the clock, and writes
//! what follows in one transaction.
//!
//! Deliberately absent: decisions (they are the domain's) and the broker.

pub mod audit;
mod changes;
pub mod directory;
mod error;
pub mod identities;
mod multiply;
pub mod outbox;
pub mod parked;
mod pool;
mod rows;
pub mod sessions;
mod snapshot;
pub mod timers;
mod unit;
pub mod views;

pub use changes::{Changes, Moved, Parked};
pub(crate) use changes::{outbox as changes_outbox, parked as changes_parked, taken as changes_taken};
pub use error::Error;
pub use pool::{Store, StoreOptions};
pub use snapshot::Snapshot;
pub use timers::Hint;
pub use unit::{Lock, Unit, Wanted};
