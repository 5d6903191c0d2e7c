//! Chromium with its WebDriver for browser tests: installed, or unpacked from Debian packages without root.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::debian::BROWSER;
use crate::error::Error;
use crate::process::{RunAs, Running, command, find};
use crate::progress::Progress;
use crate::unpack::unpack;
use crate::{ports, ready};

/// Font configuration of the unpacked browser: installed fonts and unpacked fonts.
const FONTS: &str = r#"<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir>UNPACKED</dir>
  <cachedir>CACHE</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>system-ui</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>sans</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <match target="pattern"><edit name="family" mode="append_last"><string>DejaVu Sans</string></edit></match>
</fontconfig>
"#;

/// A running WebDriver and the browser that it starts.
pub struct Driver {
    /// URL of the WebDriver.
    pub url: String,
    /// Path of the browser.
    pub chromium: PathBuf,
    running: Running,
}

impl Driver {
    /// Starts a WebDriver with its log in `folder`. Unpacks a browser into `cache` when none is installed.
    ///
    /// # Errors
    /// When no browser is installed and none can be unpacked, or the driver does not become ready.
    pub fn start(folder: &Path, cache: &Path, progress: &Progress) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::file("creating the folder", folder))?;
        let installed = find("chromium", &[]).zip(find("chromedriver", &[]));
        let (chromium, driver, root) = match installed {
            Some((chromium, driver)) => (chromium, driver, None),
            None => {
                let unpacked = unpack(BROWSER, cache, progress)?;
                let program = |name: &str, path: &str| find(name, &[]).unwrap_or_else(|| unpacked.root.join(path));
                let chromium = program("chromium", "usr/lib/chromium/chromium");
                (chromium, program("chromedriver", "usr/bin/chromedriver"), Some(unpacked))
            }
        };
        let port = ports::choose(&folder.join("port")).map_err(Error::file("choosing a port in", folder))?;
        let mut server = command(&driver, RunAs { uid: None });
        server.arg(format!("--port={port}"));
        if let Some(unpacked) = root {
            let libraries = unpacked.libraries();
            // One library has a private part in its own folder.
            let path = format!("{}:{}", libraries.display(), libraries.join("pulseaudio").display());
            server.env("LD_LIBRARY_PATH", path);
            let fonts = folder.join("fonts.conf");
            let text = FONTS
                .replace("UNPACKED", &unpacked.root.join("usr/share/fonts").to_string_lossy())
                .replace("CACHE", &folder.join("fonts").to_string_lossy());
            std::fs::write(&fonts, text).map_err(Error::file("writing", &fonts))?;
            // Without a font, the browser renders no text.
            server.env("FONTCONFIG_FILE", fonts);
        }
        let log = folder.join("driver.log");
        let mut running = Running::start(server, "ChromeDriver", &log)?;
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        ready::wait("ChromeDriver", &mut running, Duration::from_secs(30), &log, progress, listens)?;
        Ok(Self { url: format!("http://127.0.0.1:{port}"), chromium, running })
    }

    /// Stops it and every browser that it started.
    pub fn stop(mut self) {
        self.running.end(Signal::SIGTERM, Duration::from_secs(5));
    }
}
