//! The program around the house: command line, configuration, admin endpoints, development servers and demo.

pub mod admin;
pub mod bench;
pub mod cli;
pub mod closing;
pub mod configuration;
pub mod demo;
pub mod dev;
pub mod forward;
pub mod gate;
pub mod logs;
pub mod mailbox;
pub mod outcome;
pub mod output;
pub mod portal;
pub mod serve;
