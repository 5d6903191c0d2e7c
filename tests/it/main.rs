//! Integration tests: roles in this process, real Postgres and RabbitMQ, a database and a name prefix per test.
#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "a test that finds something odd should stop there")]

mod api;
mod architecture;
mod audit;
mod authenticator;
mod bad_input;
mod containers;
mod contracts;
mod decisions;
mod directory;
mod doors;
mod doors_webhook;
mod emergencies;
mod erasure;
mod forward;
mod gate;
mod guard;
mod harness;
mod journeys;
mod log;
mod pages;
mod pages_rights;
mod passkeys;
mod person;
mod proof;
mod race;
mod redelivery;
mod remote;
mod scripted;
mod settings;
mod sign_in;
mod statements;
mod targets;
mod time;
mod webhooks;
mod witness;
