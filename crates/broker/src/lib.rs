//! RabbitMQ: the only crate that knows lapin. Carries bytes and properties.
//!
//! Deliberately absent: what the messages mean, and recovery: a link that fails is dropped with everything on it and
//! opened afresh by whoever held it.

mod consume;
pub mod delay_levels;
mod error;
mod link;
mod names;
mod publish;
pub mod topology;

pub use consume::{Batch, Consumer, Delivery, FirstDeath, Verdict};
pub use error::Error;
pub use link::{Config, Link, backoff, login};
pub use names::{Exchange, Names};
pub use publish::{Outgoing, Published, Publisher};
