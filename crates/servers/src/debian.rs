//! Selects and downloads Debian packages. `apt` verifies signatures and hashes. Its lists, its cache and its status file are
//! private files, so that it behaves the same for root and for other users, and with any installed packages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::error::Error;
use crate::process::{find, run};
use crate::progress::Progress;

/// Maximum age of the package lists. A failed download updates them earlier.
const LIST_MAX_AGE: Duration = Duration::from_secs(6 * 60 * 60);

/// Packages that are unpacked together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Set<'a> {
    /// Postgres and RabbitMQ, with their libraries.
    Servers,
    /// These packages, with what they depend on.
    Packages(&'a [&'a str]),
}

/// A browser and its driver, for tests.
pub(crate) const BROWSER: Set<'static> = Set::Packages(&["chromium", "chromium-driver", "fonts-dejavu-core"]);
/// Dovecot with IMAP, for tests of mailboxes.
pub(crate) const DOVECOT: Set<'static> = Set::Packages(&["dovecot-imapd"]);
/// Python 3, for tests of the examples and of the second verifier.
pub(crate) const PYTHON: Set<'static> = Set::Packages(&["python3"]);
/// Debian's own pip, for a Python without one.
pub(crate) const PIP: Set<'static> = Set::Packages(&["python3-pip-whl"]);
/// Postgres' client programs, for tests that copy a database.
pub(crate) const POSTGRES_CLIENT: Set<'static> = Set::Packages(&["postgresql-client"]);

impl Set<'_> {
    /// The name of the set, in messages and as its folder.
    pub fn name(self) -> String {
        match self {
            Self::Servers => "servers".to_owned(),
            Self::Packages(packages) => packages.join("+"),
        }
    }
}

/// An installed package.
struct Installed {
    version: String,
    /// Whether unpacked programs use the installed files: shared libraries in the public folder, and essential packages.
    is_shared: bool,
}

/// An `apt` command with private files below `cache` and an empty status file, so that no package counts as installed.
fn apt(program: &str, cache: &Path) -> Command {
    let mut command = Command::new(program);
    for (setting, file) in [
        ("Dir::State::lists", "lists"),
        ("Dir::State::status", "status"),
        ("Dir::State::extended_states", "extended-states"),
        ("Dir::Cache", "apt"),
    ] {
        command.arg("-o").arg(format!("{setting}={}", cache.join(file).display()));
    }
    command.current_dir(cache).args(["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=", "-q"]).env("LC_ALL", "C");
    command
}

/// Downloads the packages of a set into `folder`. All sets share the package lists in `cache`.
pub(crate) fn download(set: Set<'_>, cache: &Path, folder: &Path, progress: &Progress) -> Result<(), Error> {
    if find("apt-get", &[]).is_none() || find("dpkg-deb", &[]).is_none() {
        let said = "this system is not Debian or Ubuntu".to_owned();
        return Err(Error::Program { program: "apt-get".to_owned(), said });
    }
    let lock = cache.join("lists.lock");
    let file = std::fs::File::create(&lock).map_err(Error::file("opening", &lock))?;
    file.lock().map_err(Error::file("locking", &lock))?;
    for place in ["lists/partial", "apt/archives/partial"] {
        let place = cache.join(place);
        std::fs::create_dir_all(&place).map_err(Error::file("creating the folder", &place))?;
    }
    let status = cache.join("status");
    std::fs::write(&status, "").map_err(Error::file("writing", &status))?;
    let is_new = update(cache, LIST_MAX_AGE, progress)?;
    match fetch(set, cache, folder, progress) {
        // The archive may have replaced a listed package by a newer version.
        Err(_) if !is_new => {
            update(cache, Duration::ZERO, progress)?;
            fetch(set, cache, folder, progress)
        }
        done => done,
    }
}

/// Updates the package lists when they are older than `max_age`. Returns whether it did.
fn update(cache: &Path, max_age: Duration, progress: &Progress) -> Result<bool, Error> {
    let marker = cache.join("lists-updated");
    let age = std::fs::metadata(&marker).and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
    if age.is_some_and(|age| age < max_age) {
        return Ok(false);
    }
    progress("downloading the Debian package lists (the system is not changed)");
    let mut update = apt("apt-get", cache);
    update.arg("update");
    run(update, None)?;
    std::fs::write(&marker, "").map_err(Error::file("writing", &marker))?;
    Ok(true)
}

fn fetch(set: Set<'_>, cache: &Path, folder: &Path, progress: &Progress) -> Result<(), Error> {
    drop(std::fs::remove_dir_all(folder));
    std::fs::create_dir_all(folder).map_err(Error::file("creating the folder", folder))?;
    let packages = match set {
        Set::Servers => servers(cache)?,
        Set::Packages(packages) => needed(packages, &closure(packages, cache)?, &installed()?),
    };
    let what = match set {
        Set::Servers => "Postgres and RabbitMQ".to_owned(),
        Set::Packages(packages) => packages.join(" and "),
    };
    progress(&format!("downloading {} packages for {what} into {}", packages.len(), cache.display()));
    let mut download = apt("apt-get", cache);
    download.current_dir(folder).arg("download").args(&packages);
    run(download, None).map(drop)
}

/// The C library and its loader, which must be those of the system.
const CORE: [&str; 3] = ["libc6", "libgcc-s1", "libc-bin"];

/// Whether only installation and administration scripts need the package. These scripts never run here.
fn is_administration(package: &str) -> bool {
    const NAMES: [&str; 11] = [
        "adduser",
        "init-system-helpers",
        "libpam-systemd",
        "lsb-base",
        "passwd",
        "procps",
        "ssl-cert",
        "sysvinit-utils",
        "ucf",
        "usrmerge",
        "sensible-utils",
    ];
    let is_perl = package.starts_with("perl") || package.ends_with("-perl") || package.starts_with("libperl");
    let is_system = ["systemd", "dbus", "debconf", "dpkg", "libllvm"].iter().any(|name| package.starts_with(name));
    is_perl || is_system || NAMES.contains(&package)
}

/// Selects the packages of a closure to unpack: the requested packages and their dependencies, except shared libraries
/// that are installed in the same version. Installed programs do not replace unpacked ones, because unpacked programs do
/// not search for modules and data in the system's folders.
fn needed(
    requested: &[&str],
    closure: &BTreeMap<String, String>,
    installed: &BTreeMap<String, Installed>,
) -> BTreeSet<String> {
    let is_there = |package: &str, version: &str| {
        installed.get(package).is_some_and(|found| found.is_shared && found.version == version)
    };
    let kept = closure.iter().filter(|(package, version)| {
        requested.contains(&package.as_str())
            || !(CORE.contains(&package.as_str()) || is_administration(package) || is_there(package, version))
    });
    kept.map(|(package, _)| package.clone()).collect()
}

/// These packages and all their dependencies, with versions.
fn closure(packages: &[&str], cache: &Path) -> Result<BTreeMap<String, String>, Error> {
    let mut install = apt("apt-get", cache);
    install.args(["--simulate", "--no-install-recommends", "install"]).args(packages);
    Ok(read_simulation(&run(install, None)?))
}

/// Parses lines such as `Inst libpq5 (15.8-0+deb12u1 Debian:12/stable [amd64])`.
fn read_simulation(listed: &str) -> BTreeMap<String, String> {
    let lines = listed.lines().filter_map(|line| line.strip_prefix("Inst ")?.split_once(' '));
    let packages = lines.filter_map(|(package, rest)| {
        let version = rest.split_once('(')?.1.split([' ', ')']).next()?;
        (!package.contains(':')).then(|| (package.to_owned(), version.to_owned()))
    });
    packages.collect()
}

/// The installed packages.
fn installed() -> Result<BTreeMap<String, Installed>, Error> {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Abbrev}|${Package}|${Version}|${Section}|${Essential}|${Priority}\n"]);
    Ok(read_installed(&run(query, None)?))
}

fn read_installed(listed: &str) -> BTreeMap<String, Installed> {
    let packages = listed.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split('|').collect();
        let [status, package, version, section, essential, priority] = fields[..] else { return None };
        let is_library = section.rsplit('/').next() == Some("libs");
        let is_shared = is_library || essential == "yes" || priority == "required";
        status.starts_with("ii").then(|| (package.to_owned(), Installed { version: version.to_owned(), is_shared }))
    });
    packages.collect()
}

/// Whether each of these packages is installed. `None` when the system is not Debian.
pub(crate) fn are_installed(packages: &[&str]) -> Option<Vec<bool>> {
    find("dpkg-query", &[])?;
    let installed = installed().ok()?;
    Some(packages.iter().map(|package| installed.contains_key(*package)).collect())
}

/// Whether a dependency of the servers is unpacked: programs and libraries, without packages for administration scripts.
fn is_wanted(package: &str) -> bool {
    let is_server = package == "rabbitmq-server"
        || package.strip_prefix("postgresql-").is_some_and(|version| version.chars().all(|c| c.is_ascii_digit()));
    let is_library = package.starts_with("lib") && !package.contains("perl") && !package.starts_with("libllvm");
    (is_server || package.starts_with("erlang-") || is_library) && !CORE.contains(&package)
}

/// The packages of Postgres and RabbitMQ, including those that are installed.
fn servers(cache: &Path) -> Result<BTreeSet<String>, Error> {
    let roots = ["rabbitmq-server".to_owned(), newest_postgres(cache)?];
    let mut depends = apt("apt-cache", cache);
    depends.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"]);
    depends.args(["--no-replaces", "--no-enhances"]).args(roots);
    let listed = run(depends, None)?;
    // Package names start at the beginning of a line. Names in angle brackets are virtual packages.
    let names = listed.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    Ok(names.map(str::trim).filter(|name| is_wanted(name) && !name.contains(':')).map(str::to_owned).collect())
}

fn newest_postgres(cache: &Path) -> Result<String, Error> {
    let mut newest = apt("apt-cache", cache);
    newest.args(["search", "--names-only", "^postgresql-[0-9]+$"]);
    let listed = run(newest, None)?;
    let versions =
        listed.lines().filter_map(|line| line.split(' ').next()?.strip_prefix("postgresql-")?.parse::<u32>().ok());
    versions.max().map(|version| format!("postgresql-{version}")).ok_or_else(|| {
        let said = "the package lists contain no Postgres".to_owned();
        Error::Program { program: "apt-cache".to_owned(), said }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMULATED: &str = "NOTE: This is only a simulation!\n\
        Inst libc6 (2.36-9+deb12u13 Debian:12.12/oldstable [amd64]) []\n\
        Inst libssl3 (3.0.17-1~deb12u3 Debian:12.12/oldstable [amd64])\n\
        Inst liblua5.4-0 (5.4.4-3+deb12u1 Debian:12.12/oldstable [amd64])\n\
        Inst perl (5.36.0-7+deb12u3 Debian:12.12/oldstable [amd64])\n\
        Inst dovecot-core (1:2.3.19.1+dfsg1-2.1+deb12u1 Debian:12.12/oldstable [amd64])\n\
        Inst dovecot-imapd (1:2.3.19.1+dfsg1-2.1+deb12u1 Debian:12.12/oldstable [amd64])\n\
        Conf dovecot-imapd (1:2.3.19.1+dfsg1-2.1+deb12u1 Debian:12.12/oldstable [amd64])\n";

    fn unpacked(installed: &str) -> Vec<String> {
        let needed = needed(&["dovecot-imapd"], &read_simulation(SIMULATED), &read_installed(installed));
        needed.into_iter().collect()
    }

    #[test]
    fn without_installed_packages_programs_and_libraries_are_unpacked_but_not_the_c_library_or_perl() {
        assert_eq!(unpacked(""), ["dovecot-core", "dovecot-imapd", "liblua5.4-0", "libssl3"]);
    }

    #[test]
    fn an_installed_library_of_the_same_version_is_not_unpacked() {
        let installed = "ii |libssl3|3.0.17-1~deb12u3|libs||optional\nii |liblua5.4-0|5.4.4-3|libs||optional\n";
        assert_eq!(unpacked(installed), ["dovecot-core", "dovecot-imapd", "liblua5.4-0"]);
        let removed = "rc |libssl3|3.0.17-1~deb12u3|libs||optional\n";
        assert!(unpacked(removed).contains(&"libssl3".to_owned()));
    }

    #[test]
    fn an_installed_program_is_unpacked_when_its_set_is_needed() {
        let version = "1:2.3.19.1+dfsg1-2.1+deb12u1";
        let installed =
            format!("ii |dovecot-imapd|{version}|mail||optional\nii |dovecot-core|{version}|mail||optional\n");
        assert_eq!(unpacked(&installed), ["dovecot-core", "dovecot-imapd", "liblua5.4-0", "libssl3"]);
    }

    #[test]
    fn servers_and_libraries_are_unpacked_and_system_packages_are_not() {
        for package in ["postgresql-15", "rabbitmq-server", "erlang-base", "libpq5", "libsctp1"] {
            assert!(is_wanted(package), "{package}");
        }
        for package in ["libc6", "perl", "libjson-perl", "postgresql-common", "libllvm14", "adduser"] {
            assert!(!is_wanted(package), "{package}");
        }
    }
}
