//! A private Caddy for tests of proxies: installed, or unpacked from a Debian package without root.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::Error;
use crate::process::{RunAs, Running, command};
use crate::programs::debian;
use crate::progress::Progress;
use crate::{ports, ready};

/// A running Caddy.
pub struct Caddy {
    /// The port on which it listens.
    pub port: u16,
    running: Running,
}

impl Caddy {
    /// Starts Caddy in `folder`. `configure` returns the Caddyfile for a free port.
    ///
    /// # Errors
    /// When Caddy is not installed and cannot be unpacked, or rejects the configuration.
    pub fn start(
        folder: &Path,
        cache: &Path,
        configure: impl FnOnce(u16) -> String,
        progress: &Progress,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::file("creating the folder", folder))?;
        let program = debian(&["caddy"], "caddy", cache, progress)?;
        let port = ports::choose(&folder.join("port")).map_err(Error::file("choosing a port in", folder))?;
        let whole = folder.join("Caddyfile");
        std::fs::write(&whole, configure(port)).map_err(Error::file("writing", &whole))?;
        let mut server = command(&program.path, RunAs { uid: None });
        server.envs(program.environment).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
        server.args(["run", "--adapter", "caddyfile", "--config"]).arg(&whole);
        let log = folder.join("caddy.log");
        let mut running = Running::start(server, "Caddy", &log)?;
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        ready::wait("Caddy", &mut running, Duration::from_secs(30), &log, progress, listens)?;
        Ok(Self { port, running })
    }

    /// Stops it.
    pub fn stop(mut self) {
        self.running.end(Signal::SIGTERM, Duration::from_secs(5));
    }
}
