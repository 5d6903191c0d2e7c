//! Programs that tests run beside the servers: Python for the examples and the second verifier, and Postgres' own
//! client for copies of a database. Installed, or unpacked from Debian packages without root.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::postgres::installed;
use crate::process::find;
use crate::start::Progress;
use crate::unpack::{Set, unpack};

/// A program, and what it must be told when it doesn't stand where it was built for.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Program {
    fn installed(path: PathBuf) -> Self {
        Self { path, environment: Vec::new() }
    }

    /// A command that runs it.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.envs(self.environment.iter().cloned());
        command
    }
}

/// Python 3; packages are unpacked into `cache` when none is installed.
///
/// # Errors
/// When there is none and none can be had.
pub fn python(cache: &Path, progress: &Progress) -> Result<Program, Error> {
    if let Some(path) = find("python3", &[]) {
        return Ok(Program::installed(path));
    }
    let unpacked = unpack(Set::Python, cache, progress)?;
    let home = unpacked.root.join("usr");
    let environment = vec![("LD_LIBRARY_PATH", unpacked.libraries()), ("PYTHONHOME", home.clone())];
    Ok(Program { path: home.join("bin/python3"), environment })
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
    let unpacked = unpack(Set::PostgresClient, cache, progress)?;
    let versions = std::fs::read_dir(unpacked.root.join("usr/lib/postgresql")).into_iter().flatten().flatten();
    let path = versions.map(|version| version.path().join("bin").join(name)).find(|path| path.is_file());
    let path = path.ok_or_else(|| {
        let said = "it is not in the package postgresql-client".to_owned();
        Error::Program { program: name.to_owned(), said }
    })?;
    Ok(Program { path, environment: vec![("LD_LIBRARY_PATH", unpacked.libraries())] })
}
