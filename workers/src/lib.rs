//! The roles that ops scale: each consumes one queue, and reads top to bottom as what it consumes, what it decides and
//! what it says next.
//!
//! Deliberately absent: SQL, AMQP and the rules of the lifecycle; acknowledging is the engine's.

pub mod access;
pub mod approval;
mod arrival;
pub mod audit;
mod batches;
mod context;
pub mod engine;
pub mod expiry;
pub mod health;
pub mod intake;
pub mod mail;
pub mod manager_review;
pub mod metric_list;
pub mod notification;
pub mod relay;
mod role;
pub mod sequencer;
pub mod settle;
mod signatures;
pub mod signer;
mod sub_batches;
pub mod supervisor;
pub mod webhooks;
pub mod witness;

pub use context::BatchContext;
pub use health::Health;
pub use relay::Relay;
pub use role::{REPLAY_HEADER, REPLAY_LOGIN_HEADER, Received, Role, RoleName, Source};
pub use signatures::Signatures;
