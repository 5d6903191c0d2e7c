//! Integration tests: roles in this process, real Postgres and RabbitMQ, a database and a name prefix per test.
#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "a test that finds something odd should stop there")]

mod api;
mod architecture;
mod audit;
mod authenticator;
mod bad_input;
mod beside;
mod bounces;
#[path = "../e2e/browser.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
mod browser;
mod containers;
mod contracts;
mod decisions;
mod directory;
mod doors;
mod doors_faults;
mod doors_webhook;
mod emergencies;
mod erasure;
mod exports;
mod forms;
mod forward;
mod gate;
mod gate_proxies;
mod gate_tokens;
mod graphs;
mod guard;
mod hardening;
mod harness;
mod histories;
mod journeys;
mod log;
mod mail_links;
mod pages;
mod pages_rights;
mod passkeys;
mod person;
mod proof;
mod race;
mod redelivery;
mod remote;
mod retention;
mod scripted;
mod settings;
mod sign_in;
mod statements;
mod target_files;
mod target_links;
mod target_mailbox;
mod target_postgres;
mod target_servers;
mod target_webdav;
mod time;
mod webhooks;
mod witness;
