//! Integration tests: roles in this process, real Postgres and RabbitMQ, a database and a name prefix per test.
#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "a test that finds something odd should stop there")]

mod architecture;
mod audit;
mod bad_input;
mod containers;
mod contracts;
mod decisions;
mod directory;
mod guard;
mod harness;
mod journeys;
mod pages;
mod pages_rights;
mod person;
mod race;
mod redelivery;
mod sign_in;
mod statements;
mod time;
