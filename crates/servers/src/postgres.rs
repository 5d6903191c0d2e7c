//! A private Postgres with its own folder and port on the loopback interface, and with full durability.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::Error;
use crate::process::{RunAs, Running, command, find, kill_leftovers, run};
use crate::progress::Progress;
use crate::{ports, ready};

/// A private Postgres.
pub struct Private {
    binaries: PathBuf,
    libraries: Option<PathBuf>,
    folder: PathBuf,
    port: u16,
    run_as: RunAs,
    progress: Progress,
    running: Option<Running>,
}

/// The program folder of the newest installed Postgres.
pub(crate) fn installed(root: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(root.join("usr/lib/postgresql")).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("initdb").is_file() && folder.join("postgres").is_file())
        .collect();
    found.sort();
    let newest = found.pop().map(|(_, folder)| folder);
    newest.or_else(|| find("initdb", &[]).and_then(|program| program.canonicalize().ok()?.parent().map(Path::to_owned)))
}

impl Private {
    /// Starts a server in `folder` and creates its cluster on the first run.
    ///
    /// # Errors
    /// When a program fails or the server does not become ready.
    pub(crate) fn start(
        folder: &Path,
        binaries: PathBuf,
        libraries: Option<PathBuf>,
        run_as: RunAs,
        progress: Progress,
    ) -> Result<Self, Error> {
        kill_leftovers(folder);
        run_as.own(folder)?;
        let port = ports::choose(&folder.join("port")).map_err(Error::file("choosing a port in", folder))?;
        let mut server = Self { binaries, libraries, folder: folder.to_owned(), port, run_as, progress, running: None };
        if !server.cluster().join("PG_VERSION").is_file() {
            server.create_cluster()?;
        }
        server.launch()?;
        Ok(server)
    }

    fn cluster(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn program(&self, name: &str) -> std::process::Command {
        let mut command = command(&self.binaries.join(name), self.run_as);
        command.current_dir(&self.folder).env("LC_ALL", "C");
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    fn create_cluster(&self) -> Result<(), Error> {
        (self.progress)("creating a Postgres cluster");
        let mut initdb = self.program("initdb");
        initdb.args(["-U", "lockbox", "-A", "trust", "-E", "UTF8", "--locale=C", "-D"]).arg(self.cluster());
        if let Some(share) = self
            .binaries
            .parent()
            .map(|folder| folder.join("share"))
            .filter(|share| share.join("postgres.bki").is_file())
        {
            initdb.arg("-L").arg(share);
        }
        run(initdb, None)?;
        let mut single = self.program("postgres");
        single.arg("--single").arg("-D").arg(self.cluster()).arg("postgres");
        run(single, Some("create database lockbox owner lockbox\n"))?;
        Ok(())
    }

    fn launch(&mut self) -> Result<(), Error> {
        drop(std::fs::remove_file(self.cluster().join("postmaster.pid")));
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(self.cluster()).args(["-p", &self.port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
            "shared_buffers=128MB",
            "max_wal_size=2GB",
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            "jit=off",
            "logging_collector=off",
        ] {
            postgres.args(["-c", setting]);
        }
        let log = self.folder.join("postgres.log");
        let mut running = Running::start(postgres, "Postgres", &log)?;
        let port = self.port;
        ready::wait("Postgres", &mut running, Duration::from_secs(60), &log, &self.progress, || ready::postgres(port))?;
        self.running = Some(running);
        Ok(())
    }

    /// URL of the database `lockbox`.
    pub fn url(&self) -> String {
        format!("postgres://lockbox@127.0.0.1:{}/lockbox", self.port)
    }

    /// Process id of the server.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().and_then(Running::pid)
    }

    /// Kills it without a shutdown, like a power failure.
    pub fn kill(&mut self) {
        self.end(Signal::SIGKILL);
        kill_leftovers(&self.folder);
    }

    /// Stops it immediately: no checkpoint, and recovery at the next start.
    pub fn stop_immediate(&mut self) {
        self.end(Signal::SIGQUIT);
    }

    /// Stops it in an orderly way.
    pub fn stop(&mut self) {
        self.end(Signal::SIGINT);
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut running) = self.running.take() {
            running.end(signal, Duration::from_secs(20));
        }
    }

    /// Restarts it with the same port and data.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop();
        self.launch()
    }
}
