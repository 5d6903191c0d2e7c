//! Postgres: the only crate that uses sqlx. It loads what a batch needs under its locks, reads the clock, and writes
//! the results in one transaction.
//!
//! Deliberately absent: decisions (the domain makes them) and the broker.

pub mod approvers;
pub mod audit;
pub mod authority;
pub mod break_glass;
pub mod dead_letter;
pub mod directory;
mod error;
pub mod evidence;
mod founded;
pub mod gate;
mod grant_evidence;
pub mod identities;
pub mod log;
mod operations;
pub mod outbox;
pub mod passkeys;
mod pool;
pub mod provisionings;
mod receipts;
mod rows;
pub mod searches;
pub mod seed;
mod sentences;
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
mod write_set;

pub use error::Error;
pub use pool::{Store, StoreOptions};
pub use snapshot::Snapshot;
pub use timers::TimerWakeUp;
pub use unit::{Lock, ReadSet, UnitOfWork};
pub(crate) use write_set::tables::{delete_outbox, insert_dead_letters, insert_outbox};
pub use write_set::{DeadLetter, Transitioned, WriteSet};
