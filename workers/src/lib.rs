//! The roles that operators start and scale. Each role consumes one queue. Its file says what it consumes, what it decides
//! and which events it writes.
//!
//! Deliberately absent: SQL, AMQP and the rules of the lifecycle. The engine acknowledges messages, never a role.

pub mod access;
pub mod approval;
mod arrival;
pub mod audit;
mod batches;
mod context;
mod dead_letter;
mod decision;
pub mod engine;
mod error_chain;
pub mod expiry;
pub mod health;
pub mod intake;
mod item;
pub mod mail;
pub mod manager_review;
pub mod metric_list;
pub mod notification;
mod received;
pub mod relay;
mod role;
mod role_name;
pub mod sequencer;
mod session;
pub mod settle;
mod shared;
mod signatures;
pub mod signer;
mod sub_batches;
pub mod supervisor;
pub mod trust;
pub mod verified_grants;
pub mod webhooks;
pub mod witness;

pub use context::BatchContext;
pub use error_chain::error_chain;
pub use health::Health;
pub use received::{REPLAY_HEADER, REPLAY_LOGIN_HEADER, Received, Source};
pub use relay::Relay;
pub use role::Role;
pub use role_name::RoleName;
pub use shared::Shared;
pub use signatures::Signatures;
