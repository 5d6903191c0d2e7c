//! An nginx for tests of what stands before content: installed, or unpacked from Debian packages without root.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::debian::NGINX;
use crate::error::Error;
use crate::process::{RunAs, Running, command, find};
use crate::progress::Progress;
use crate::unpack::unpack;
use crate::{ports, ready};

/// The module that speaks WebDAV.
const WEBDAV: &str = "usr/lib/nginx/modules/ngx_http_dav_ext_module.so";

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
        let installed = find("nginx", &[PathBuf::from("/usr/sbin")]);
        let (program, module, libraries) = match installed {
            Some(program) if Path::new("/").join(WEBDAV).is_file() => (program, Path::new("/").join(WEBDAV), None),
            installed => {
                let unpacked = unpack(NGINX, cache, progress)?;
                let program = installed.unwrap_or_else(|| unpacked.root.join("usr/sbin/nginx"));
                (program, unpacked.root.join(WEBDAV), Some(unpacked.libraries()))
            }
        };
        let port = ports::choose(&folder.join("port")).map_err(Error::file("choosing a port in", folder))?;
        let site = folder.join("site.conf");
        std::fs::write(&site, configure(port)).map_err(Error::file("writing", &site))?;
        let whole = folder.join("nginx.conf");
        // One process that is ours: a worker of a master would run as somebody else.
        let text = format!(
            "load_module {1};\ndaemon off;\nmaster_process off;\npid {0}/pid;\nerror_log stderr notice;\nevents {{}}\nhttp {{\n  \
             access_log off;\n  client_body_temp_path {0}/body;\n  proxy_temp_path {0}/proxy;\n  fastcgi_temp_path {0}/f;\n  \
             uwsgi_temp_path {0}/u;\n  scgi_temp_path {0}/s;\n  include {0}/site.conf;\n}}\n",
            folder.display(),
            module.display()
        );
        std::fs::write(&whole, text).map_err(Error::file("writing", &whole))?;
        let mut server = command(&program, RunAs { uid: None });
        server.envs(libraries.map(|folder| ("LD_LIBRARY_PATH", folder)));
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
