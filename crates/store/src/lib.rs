//! Postgres: the only crate that knows sqlx. Loads what a batch needs under its locks, reads the clock, and writes
//! what follows in one transaction.
//!
//! Deliberately absent: decisions (they are the domain's) and the broker.

pub mod approvers;
pub mod audit;
mod changes;
pub mod consents;
pub mod directory;
pub mod doors;
mod error;
pub mod evidence;
pub mod gate;
pub mod identities;
pub mod log;
pub mod multiply;
pub mod outbox;
pub mod parked;
pub mod passkeys;
mod pool;
mod receipts;
mod rows;
pub mod searches;
pub mod sessions;
pub mod settings;
mod snapshot;
pub mod texts;
pub mod timers;
pub mod tokens;
mod unit;
pub mod uses;
pub mod views;
pub mod webhooks;

pub use changes::{Changes, Moved, Parked};
pub(crate) use changes::{outbox as changes_outbox, parked as changes_parked, taken as changes_taken};
pub use error::Error;
pub use pool::{Store, StoreOptions};
pub use snapshot::Snapshot;
pub use timers::Hint;
pub use unit::{Lock, Unit, Wanted};
