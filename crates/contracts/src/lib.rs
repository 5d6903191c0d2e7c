//! The Rust side of `schemas/`: the CloudEvents envelope, one struct per message, and the conversion to and from the domain.
//!
//! Deliberately absent: the database, the broker and any decision.

pub mod binding;
mod canonical;
pub mod commands;
pub mod directory;
pub mod entry;
pub mod envelope;
pub mod events;
mod fit;
pub mod kinds;
pub mod malformed;
pub mod notifications;
pub mod reading;
pub mod timestamp;
pub mod trace;
pub mod words;

pub use commands::Command;
pub use envelope::Envelope;
pub use kinds::Kind;
pub use malformed::Malformed;
pub use timestamp::Timestamp;
pub use trace::Traceparent;
