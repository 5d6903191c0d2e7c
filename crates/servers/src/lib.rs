//! Finds or starts real RabbitMQ and Postgres, for `lockbox dev`, `lockbox demo` and the tests: servers that were
//! given, a Docker engine, installed binaries as private children, or Debian packages unpacked without root.
//!
//! Deliberately absent: any client of either server, and the standard ports: what is private stays out of the way.

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
