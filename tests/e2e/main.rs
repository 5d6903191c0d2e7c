//! End to end: the real executable, one process per role, real servers of this run's own that are killed, stopped and
//! wiped while load runs.
#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "a test that finds something odd should stop there")]

mod accessibility;
mod audit_parts;
#[allow(dead_code, reason = "shared with the integration tests, which use the rest of it")]
mod browser;
mod courses;
mod demo;
mod dev;
mod faults;
mod harness;
mod load;
mod logs;
mod pages;
mod provisionings;
#[path = "../it/target_servers.rs"]
mod target_servers;
mod targets;
