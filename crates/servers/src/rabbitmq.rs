//! A private RabbitMQ with its own folder and ports on the loopback interface. It needs neither epmd nor rabbitmqctl.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::debian::Set;
use crate::error::Error;
use crate::folders::reachable;
use crate::process::{RunAs, Running, command, find, kill_leftovers};
use crate::progress::Progress;
use crate::unpack::unpack;
use crate::{ports, ready};

/// A private RabbitMQ.
pub struct Private {
    server: PathBuf,
    erlang: Option<PathBuf>,
    libraries: Option<PathBuf>,
    folder: PathBuf,
    port: u16,
    distribution_port: u16,
    /// Configuration lines that create its users.
    users: String,
    run_as: RunAs,
    progress: Progress,
    running: Option<Running>,
}

const CONFIGURATION: &str = "listeners.tcp.1 = 127.0.0.1:PORT\n\
                             disk_free_limit.absolute = 50MB\n\
                             raft.wal_max_size_bytes = 64000000\n\
                             log.file.level = warning\n\
                             log.console = false\n";
/// Imports [`DEFINITIONS`].
const USERS: &str = "load_definitions = DEFINITIONS\n";

/// The users `guest`, as in every new broker, and `ticketing` (its password is its name), an external program. The broker
/// allows `ticketing` to publish everywhere, so that tests exercise the refusals of Lockbox and not those of the broker.
const DEFINITIONS: &str = r#"{
  "vhosts": [{"name": "/"}],
  "users": [
    {"name": "guest", "tags": "administrator", "hashing_algorithm": "rabbit_password_hashing_sha256",
     "password_hash": "hJg8YBx2QZlgys6vYsl0XHHc3KcW1vhEOg3P28l02UUSO1Uf"},
    {"name": "ticketing", "tags": "", "hashing_algorithm": "rabbit_password_hashing_sha256",
     "password_hash": "l7WTfkEQZK8SOAgwRqW+5Jd3y2/R0rnbzR6fs0r+E9qi63PD"}
  ],
  "permissions": [
    {"user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
    {"user": "ticketing", "vhost": "/", "configure": "^amq\\.gen", "write": ".*", "read": ".*"}
  ]
}
"#;

/// The installed server script. The wrapper in `/usr/sbin` is not suitable, because it requires the user `rabbitmq`.
pub(crate) fn installed(root: &Path) -> Option<PathBuf> {
    let folders = ["usr/lib/rabbitmq/bin", "opt/homebrew/sbin", "usr/local/sbin"].map(|folder| root.join(folder));
    folders.iter().map(|folder| folder.join("rabbitmq-server")).find(|program| program.is_file()).or_else(|| {
        find("rabbitmq-server", &[])
            .filter(|program| !program.starts_with("/usr/sbin") && !program.starts_with("/sbin"))
    })
}

impl Private {
    /// Starts a broker in `folder` with the users of these configuration lines: installed, or unpacked into `cache`.
    ///
    /// # Errors
    /// When RabbitMQ is not available or does not become ready.
    pub fn with_users(folder: &Path, cache: &Path, users: &str, progress: &Progress) -> Result<Self, Error> {
        let run_as = RunAs::choose();
        let folder = reachable(folder, run_as, progress).join("rabbitmq");
        let (server, unpacked) = match installed(Path::new("/")) {
            Some(server) => (Some(server), None),
            None => {
                let unpacked = unpack(Set::Servers, &reachable(cache, run_as, progress), progress)?;
                (installed(&unpacked.root), Some(unpacked))
            }
        };
        let server = server.ok_or_else(|| {
            let said = "the program is not in the packages".to_owned();
            Error::Program { program: "rabbitmq-server".to_owned(), said }
        })?;
        let (erlang, libraries) = unpacked.map(|unpacked| (unpacked.erlang(), unpacked.libraries())).unzip();
        let mut broker = Self::prepare(&folder, server, erlang, libraries, run_as, progress.clone())?;
        users.clone_into(&mut broker.users);
        broker.launch()?;
        Ok(broker)
    }

    /// Starts a broker in `folder`.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) fn start(
        folder: &Path,
        server: PathBuf,
        erlang: Option<PathBuf>,
        libraries: Option<PathBuf>,
        run_as: RunAs,
        progress: Progress,
    ) -> Result<Self, Error> {
        let mut broker = Self::prepare(folder, server, erlang, libraries, run_as, progress)?;
        broker.launch()?;
        Ok(broker)
    }

    fn prepare(
        folder: &Path,
        server: PathBuf,
        erlang: Option<PathBuf>,
        libraries: Option<PathBuf>,
        run_as: RunAs,
        progress: Progress,
    ) -> Result<Self, Error> {
        kill_leftovers(folder);
        run_as.own(folder)?;
        let choosing = |file| ports::choose(&folder.join(file)).map_err(Error::file("choosing a port in", folder));
        let (port, distribution_port) = (choosing("port")?, choosing("distribution-port")?);
        let (folder, users) = (folder.to_owned(), USERS.to_owned());
        let running = None;
        Ok(Self { server, erlang, libraries, folder, port, distribution_port, users, run_as, progress, running })
    }

    fn launch(&mut self) -> Result<(), Error> {
        for folder in ["", "home", "data", "log"] {
            self.run_as.own(&self.folder.join(folder))?;
        }
        let configuration = self.folder.join("rabbitmq.conf");
        let definitions = self.folder.join("definitions.json");
        std::fs::write(&definitions, DEFINITIONS).map_err(Error::file("writing", &definitions))?;
        let text = (CONFIGURATION.to_owned() + &self.users)
            .replace("PORT", &self.port.to_string())
            .replace("DEFINITIONS", &definitions.display().to_string());
        std::fs::write(&configuration, text).map_err(Error::file("writing", &configuration))?;
        let plugins = self.folder.join("enabled_plugins");
        std::fs::write(&plugins, "[].\n").map_err(Error::file("writing", &plugins))?;
        let mut server = command(&self.server, self.run_as);
        if let Some(libraries) = &self.libraries {
            server.env("LD_LIBRARY_PATH", libraries);
        }
        if let Some(erlang) = &self.erlang {
            #[allow(clippy::disallowed_methods, reason = "the unpacked Erlang precedes the installed one")]
            let path = std::env::var("PATH").unwrap_or_default();
            server.env("PATH", format!("{}:{path}", erlang.display()));
        }
        let arguments = format!(
            "-noinput -kernel inet_dist_use_interface {{127,0,0,1}} -start_epmd false -erl_epmd_port {} \
             +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
            self.distribution_port
        );
        server
            .current_dir(&self.folder)
            .env("HOME", self.folder.join("home"))
            // With this setting the script is replaced by the broker process, so that the child process is the broker.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env("RABBITMQ_NODENAME", format!("lockbox{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", self.folder.join("data"))
            .env("RABBITMQ_LOG_BASE", self.folder.join("log"))
            .env("RABBITMQ_PID_FILE", self.folder.join("pid"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", &plugins)
            .env("RABBITMQ_CONFIG_FILE", self.folder.join("rabbitmq"))
            .env("RABBITMQ_CONF_ENV_FILE", self.folder.join("rabbitmq-env.conf"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", arguments);
        let log = self.folder.join("rabbitmq.log");
        let mut running = Running::start(server, "RabbitMQ", &log)?;
        let port = self.port;
        ready::wait("RabbitMQ", &mut running, Duration::from_secs(90), &log, &self.progress, || ready::rabbitmq(port))?;
        self.running = Some(running);
        Ok(())
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// URL of the broker.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Process id of the broker.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().and_then(Running::pid)
    }

    /// Kills it without a shutdown, like a power failure.
    pub fn kill(&mut self) {
        self.end(Signal::SIGKILL);
        kill_leftovers(&self.folder);
    }

    /// Stops it in an orderly way.
    pub fn stop(&mut self) {
        self.end(Signal::SIGTERM);
        kill_leftovers(&self.folder);
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut running) = self.running.take() {
            running.end(signal, Duration::from_secs(20));
        }
    }

    /// Stops it and deletes all its data: every exchange, queue and message.
    ///
    /// # Errors
    /// When the data cannot be deleted.
    pub fn wipe(&mut self) -> Result<(), Error> {
        self.kill();
        let data = self.folder.join("data");
        std::fs::remove_dir_all(&data).map_err(Error::file("deleting", &data))
    }

    /// Restarts it with the same port and the existing data.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop();
        self.launch()
    }
}
