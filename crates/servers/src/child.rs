//! Worker processes: each has its own log, and is killed when it is dropped.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::Error;
use crate::process::{RunAs, Running, command};

/// A child process that ends with this process.
pub struct Worker {
    running: Running,
}

impl Worker {
    /// Starts a program as the current user and writes its output to `log`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        log: &Path,
    ) -> Result<Self, Error> {
        let mut command = command(program, RunAs { uid: None });
        command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        Ok(Self { running: Running::start(command, "a worker", log)? })
    }

    /// Process id.
    pub fn pid(&self) -> Option<u32> {
        self.running.pid()
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.running.has_ended()
    }

    /// Sends SIGTERM and waits up to 35 s for the end.
    pub fn stop(&mut self) {
        self.running.end(Signal::SIGTERM, Duration::from_secs(35));
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) {
        self.running.end(Signal::SIGKILL, Duration::from_secs(5));
    }
}
