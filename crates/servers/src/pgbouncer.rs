//! A private PgBouncer for tests of connection poolers: installed, or unpacked from Debian packages without root.

use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::folders::reachable;
use crate::process::{RunAs, Running, command};
use crate::programs::debian;
use crate::progress::Progress;
use crate::{ports, ready};

/// A running PgBouncer.
pub struct PgBouncer {
    url: String,
    _running: Running,
}

impl PgBouncer {
    /// Starts PgBouncer in `folder` for the server at this URL, whose login needs no password. `mode` is `session` or
    /// `transaction`.
    ///
    /// # Errors
    /// When PgBouncer is not available or does not start.
    pub fn start(
        folder: &Path,
        cache: &Path,
        database_url: &str,
        mode: &str,
        progress: &Progress,
    ) -> Result<Self, Error> {
        let run_as = RunAs::choose();
        let folder = reachable(folder, run_as, progress);
        let program = debian(&["pgbouncer"], "pgbouncer", &reachable(cache, run_as, progress), progress)?;
        run_as.own(&folder)?;
        let port = ports::choose(&folder.join("port")).map_err(Error::file("choosing a port in", &folder))?;
        let unreadable = |said: &str| Error::Program { program: "pgbouncer".to_owned(), said: said.to_owned() };
        let mut url = url::Url::parse(database_url).map_err(|fault| unreadable(&fault.to_string()))?;
        let (host, server_port) = url.host_str().zip(url.port()).ok_or_else(|| unreadable("the URL has no port"))?;
        let users = folder.join("users.txt");
        std::fs::write(&users, format!("\"{}\" \"\"\n", url.username())).map_err(Error::file("writing", &users))?;
        let text = format!(
            "[databases]\n* = host={host} port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\nmax_client_conn = 500\n\
             default_pool_size = 40\n",
            users.display()
        );
        let configuration = folder.join("pgbouncer.ini");
        std::fs::write(&configuration, text).map_err(Error::file("writing", &configuration))?;
        let mut server = command(&program.path, run_as);
        server.envs(program.environment.iter().cloned()).arg(&configuration);
        let log = folder.join("pgbouncer.log");
        let mut running = Running::start(server, "PgBouncer", &log)?;
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        ready::wait("PgBouncer", &mut running, Duration::from_secs(30), &log, progress, listens)?;
        url.set_port(Some(port)).map_err(|()| unreadable("the URL cannot have a port"))?;
        Ok(Self { url: url.to_string(), _running: running })
    }

    /// URL of the database through PgBouncer.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
