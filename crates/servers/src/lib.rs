//! Finds or starts RabbitMQ and Postgres for `lockbox dev`, `lockbox demo` and the tests: configured servers, a Docker
//! engine, installed programs as private child processes, or Debian packages unpacked without root.
//!
//! Deliberately absent: clients of these servers, and their standard ports, which private servers leave free.

pub mod apache;
pub mod browser;
pub mod caddy;
mod child;
mod debian;
mod docker;
pub mod dovecot;
mod error;
mod folders;
pub mod nginx;
pub mod pgbouncer;
mod ports;
pub mod postgres;
mod process;
pub mod programs;
mod progress;
pub mod rabbitmq;
mod ready;
mod registries;
mod start;
mod unpack;
mod versions;

pub use child::Worker;
pub use error::Error;
pub use progress::Progress;
pub use start::{Allow, Options, Servers, Source};
