//! Worker processes: started with their own log, told to stop, killed when forgotten.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::Error;
use crate::process::{RunAs, Running, command};

/// A child process that does not outlive us.
pub struct Worker {
    running: Running,
}

impl Worker {
    /// Starts a program as ourselves; what it prints goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
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

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.running.has_ended()
    }

    /// Asks it to finish (SIGTERM) and waits.
    pub fn stop(&mut self) {
        self.running.end(Signal::SIGTERM, Duration::from_secs(35));
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        self.running.end(Signal::SIGKILL, Duration::from_secs(5));
    }
}
