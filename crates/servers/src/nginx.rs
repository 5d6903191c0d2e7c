//! An nginx for tests of what stands before content: installed, or unpacked from Debian packages without root.

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
    /// The port that was put in place of the configuration's.
    pub port: u16,
    running: Running,
}

impl Nginx {
    /// Starts one in `folder` with a configuration that fits into `http { }`, made by `configure` for a free port.
    ///
    /// # Errors
    /// When there is no nginx and none can be had, or it does not take the configuration.
    pub fn start(
        folder: &Path,
        cache: &Path,
        configure: impl FnOnce(u16) -> String,
        progress: &Progress,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::file("making the folder", folder))?;
        let program = debian(&["nginx"], "nginx", cache, progress)?;
        let port = ports::choose(&folder.join("port")).map_err(Error::file("choosing a port in", folder))?;
        let site = folder.join("site.conf");
        std::fs::write(&site, configure(port)).map_err(Error::file("writing", &site))?;
        let whole = folder.join("nginx.conf");
        // One process that is ours: a worker of a master would run as somebody else.
        let text = format!(
            "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log stderr notice;\nevents {{}}\nhttp {{\n  \
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
