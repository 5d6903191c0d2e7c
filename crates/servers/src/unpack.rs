//! Debian packages, downloaded and unpacked into a cache without root: nothing on the system changes. `apt` itself
//! still checks signatures and hashes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::process::{find, run};
use crate::start::Progress;

/// Where the packages were unpacked.
#[derive(Clone, Debug)]
pub(crate) struct Unpacked {
    pub root: PathBuf,
}

impl Unpacked {
    /// Shared libraries that came along.
    pub fn libraries(&self) -> PathBuf {
        let multiarch = std::fs::read_dir(self.root.join("usr/lib")).into_iter().flatten().flatten();
        multiarch
            .map(|entry| entry.path())
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("-linux-gnu")))
            .unwrap_or_else(|| self.root.join("usr/lib"))
    }

    /// Programs of the unpacked Erlang.
    pub fn erlang(&self) -> PathBuf {
        self.root.join("usr/lib/erlang/bin")
    }
}

fn apt(program: &str, cache: &Path) -> Command {
    let mut command = Command::new(program);
    let lists = cache.join("lists");
    command
        .current_dir(cache)
        .arg("-o")
        .arg(format!("Dir::State::lists={}", lists.display()))
        .arg("-o")
        .arg(format!("Dir::Cache={}", cache.join("apt").display()))
        .args(["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=", "-q"]);
    command
}

/// Which of the packages that these two need are worth unpacking: servers, Erlang and libraries, without what only
/// administration scripts want.
fn is_wanted(package: &str) -> bool {
    let is_server = package == "rabbitmq-server"
        || package.strip_prefix("postgresql-").is_some_and(|version| version.chars().all(|c| c.is_ascii_digit()));
    let is_library = package.starts_with("lib") && !package.contains("perl") && !package.starts_with("libllvm");
    // The C library must be the system's own.
    let is_core = ["libc6", "libgcc-s1", "libc-bin"].contains(&package);
    (is_server || package.starts_with("erlang-") || is_library) && !is_core
}

/// Unpacks both servers into `cache`, or finds them unpacked.
pub(crate) fn unpack(cache: &Path, progress: &Progress) -> Result<Unpacked, Error> {
    let unpacked = Unpacked { root: cache.join("root") };
    let done = cache.join("complete");
    if done.is_file() {
        return Ok(unpacked);
    }
    if find("apt-get", &[]).is_none() || find("dpkg-deb", &[]).is_none() {
        let said = "this is no Debian or Ubuntu".to_owned();
        return Err(Error::Program { program: "apt-get".to_owned(), said });
    }
    for folder in ["lists/partial", "apt/archives/partial", "packages", "root"] {
        let folder = cache.join(folder);
        std::fs::create_dir_all(&folder).map_err(Error::file("making the folder", &folder))?;
    }
    progress("reading Debian's list of packages (nothing on the system changes)");
    let mut update = apt("apt-get", cache);
    update.arg("update");
    run(update, None)?;
    let packages = wanted(cache)?;
    progress(&format!("downloading {} packages with Postgres and RabbitMQ into {}", packages.len(), cache.display()));
    let mut download = apt("apt-get", cache);
    download.current_dir(cache.join("packages")).arg("download").args(&packages);
    run(download, None)?;
    progress("unpacking");
    let folder = cache.join("packages");
    let files = std::fs::read_dir(&folder).map_err(Error::file("reading", &folder))?;
    for file in files.flatten() {
        let mut extract = Command::new("dpkg-deb");
        extract.arg("-x").arg(file.path()).arg(&unpacked.root);
        run(extract, None)?;
    }
    relocate_erlang(&unpacked.root)?;
    std::fs::write(&done, "").map_err(Error::file("writing", &done))?;
    drop(std::fs::remove_dir_all(folder));
    Ok(unpacked)
}

fn wanted(cache: &Path) -> Result<BTreeSet<String>, Error> {
    let mut newest = apt("apt-cache", cache);
    newest.args(["search", "--names-only", "^postgresql-[0-9]+$"]);
    let listed = run(newest, None)?;
    let versions =
        listed.lines().filter_map(|line| line.split(' ').next()?.strip_prefix("postgresql-")?.parse::<u32>().ok());
    let Some(version) = versions.max() else {
        let said = "no package of Postgres is known here".to_owned();
        return Err(Error::Program { program: "apt-cache".to_owned(), said });
    };
    let mut depends = apt("apt-cache", cache);
    depends.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"]);
    depends.args(["--no-replaces", "--no-enhances", "rabbitmq-server"]).arg(format!("postgresql-{version}"));
    let listed = run(depends, None)?;
    // Packages stand at the beginning of a line; names in angle brackets are virtual.
    let names = listed.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    Ok(names.map(str::trim).filter(|name| is_wanted(name) && !name.contains(':')).map(str::to_owned).collect())
}

/// Debian's start script knows one place only; tell it where it is now.
fn relocate_erlang(root: &Path) -> Result<(), Error> {
    let home = root.join("usr/lib/erlang");
    let mut scripts = vec![home.join("bin/erl"), home.join("bin/start")];
    for entry in std::fs::read_dir(&home).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("erts-") {
            scripts.push(entry.path().join("bin/erl"));
        }
    }
    for script in scripts {
        let Ok(text) = std::fs::read_to_string(&script) else { continue };
        let text = text.replace("/usr/lib/erlang", &home.to_string_lossy());
        std::fs::write(&script, text).map_err(Error::file("writing", &script))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_libraries_are_wanted_and_the_system_is_left_alone() {
        for package in ["postgresql-15", "rabbitmq-server", "erlang-base", "libpq5", "libsctp1"] {
            assert!(is_wanted(package), "{package}");
        }
        for package in ["libc6", "perl", "libjson-perl", "postgresql-common", "libllvm14", "adduser"] {
            assert!(!is_wanted(package), "{package}");
        }
    }
}
