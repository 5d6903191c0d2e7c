//! RabbitMQ: the only crate that uses lapin. It transports bytes and properties.
//!
//! Deliberately absent: the meaning of messages, and recovery. A failed link is dropped with everything on it, and its owner
//! opens a new one.

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
