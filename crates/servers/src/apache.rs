//! A private Apache for tests of files over WebDAV: installed, or unpacked from Debian packages without root.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::Error;
use crate::process::{RunAs, Running, command};
use crate::programs::debian;
use crate::progress::Progress;
use crate::{ports, ready};

/// A running Apache.
pub struct Apache {
    /// The port on which it listens.
    pub port: u16,
    running: Running,
}

impl Apache {
    /// Starts Apache in `folder`. `configure` returns the whole configuration for a free port and the folder that contains
    /// `modules`. Changes the owner of the folder's contents to the user of the servers.
    ///
    /// # Errors
    /// When Apache is not installed and cannot be unpacked, or rejects the configuration.
    pub fn start(
        folder: &Path,
        cache: &Path,
        configure: impl FnOnce(u16, &Path) -> String,
        progress: &Progress,
    ) -> Result<Self, Error> {
        let run_as = RunAs::choose();
        std::fs::create_dir_all(folder).map_err(Error::file("creating the folder", folder))?;
        let program = debian(&["apache2-bin"], "apache2", cache, progress)?;
        let home = program.root().unwrap_or(Path::new("/")).join("usr/lib/apache2");
        let port = ports::choose(&folder.join("apache-port")).map_err(Error::file("choosing a port in", folder))?;
        let whole = folder.join("apache.conf");
        std::fs::write(&whole, configure(port, &home)).map_err(Error::file("writing", &whole))?;
        run_as.own_all(folder)?;
        let mut server = command(&program.path, run_as);
        server.envs(program.environment).current_dir(folder).arg("-f").arg(&whole).args(["-D", "FOREGROUND"]);
        let log = folder.join("apache.log");
        let mut running = Running::start(server, "Apache", &log)?;
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        ready::wait("Apache", &mut running, Duration::from_secs(30), &log, progress, listens)?;
        Ok(Self { port, running })
    }

    /// Stops it.
    pub fn stop(mut self) {
        self.running.end(Signal::SIGTERM, Duration::from_secs(5));
    }
}
