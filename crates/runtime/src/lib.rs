//! What every process of Lockbox needs: settings, logs, exit codes, printing, the admin port, connections, and starting
//! worker roles. Deliberately absent: any page, command or check.

pub mod admin;
pub mod answer;
pub mod configuration;
pub mod connect;
pub mod listen;
pub mod logs;
pub mod outcome;
pub mod output;
pub mod serve;
pub mod sign_in;
pub mod target_login;
