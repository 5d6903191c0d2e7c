//! A private nginx for tests of proxies: installed, or unpacked from Debian packages without root.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::Error;
use crate::process::{RunAs, Running, command};
use crate::programs::debian;
use crate::progress::Progress;
use crate::{ports, ready};

/// A running nginx.
pub struct Nginx {
    /// The port on which it listens.
    pub port: u16,
    running: Running,
}

impl Nginx {
    /// Starts nginx in `folder`. `configure` returns the contents of `http { }` for a free port.
    ///
    /// # Errors
    /// When nginx is not installed and cannot be unpacked, or rejects the configuration.
    pub fn start(
        folder: &Path,
        cache: &Path,
        configure: impl FnOnce(u16) -> String,
        progress: &Progress,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::file("creating the folder", folder))?;
        let program = debian(&["nginx"], "nginx", cache, progress)?;
        let port = ports::choose(&folder.join("port")).map_err(Error::file("choosing a port in", folder))?;
        let site = folder.join("site.conf");
        std::fs::write(&site, configure(port)).map_err(Error::file("writing", &site))?;
        let whole = folder.join("nginx.conf");
        // One process only: the workers of a master process would run as another user.
        let text = format!(
            "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log stderr info;\nevents {{}}\nhttp {{\n  \
             access_log off;\n  client_body_temp_path {0}/body;\n  proxy_temp_path {0}/proxy;\n  fastcgi_temp_path {0}/f;\n  \
             uwsgi_temp_path {0}/u;\n  scgi_temp_path {0}/s;\n  include {0}/site.conf;\n}}\n",
            folder.display(),
        );
        std::fs::write(&whole, text).map_err(Error::file("writing", &whole))?;
        let mut server = command(&program.path, RunAs { uid: None });
        server.envs(program.environment);
        server.arg("-p").arg(folder).arg("-e").arg("stderr").arg("-c").arg(&whole);
        let log = folder.join("nginx.log");
        let mut running = Running::start(server, "nginx", &log)?;
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        ready::wait("nginx", &mut running, Duration::from_secs(30), &log, progress, listens)?;
        Ok(Self { port, running })
    }

    /// Stops it.
    pub fn stop(mut self) {
        self.running.end(Signal::SIGTERM, Duration::from_secs(5));
    }
}
