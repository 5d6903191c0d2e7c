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

/// What is unpacked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Postgres and RabbitMQ.
    Servers,
    /// A browser and its driver, for tests.
    Browser,
    /// nginx with WebDAV, for tests of the gate.
    Nginx,
    /// Dovecot with IMAP, for tests of mailboxes.
    Dovecot,
    /// Python 3, for tests of the examples and of the second verifier.
    Python,
    /// Postgres' client programs, for tests that copy a database.
    PostgresClient,
}

/// Which of the packages that the servers need are worth unpacking: programs and libraries, without what only
/// administration scripts want.
fn is_wanted(package: &str) -> bool {
    let is_server = package == "rabbitmq-server"
        || package.strip_prefix("postgresql-").is_some_and(|version| version.chars().all(|c| c.is_ascii_digit()));
    let is_library = package.starts_with("lib") && !package.contains("perl") && !package.starts_with("libllvm");
    // The C library must be the system's own.
    let is_core = ["libc6", "libgcc-s1", "libc-bin"].contains(&package);
    (is_server || package.starts_with("erlang-") || is_library) && !is_core
}

/// Unpacks a set into `cache`, or finds it unpacked.
pub(crate) fn unpack(set: Set, cache: &Path, progress: &Progress) -> Result<Unpacked, Error> {
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
    // Tests that start at once share a cache: one unpacks, the others wait and find it done.
    let lock = cache.join("lock");
    let file = std::fs::File::create(&lock).map_err(Error::file("opening", &lock))?;
    file.lock().map_err(Error::file("locking", &lock))?;
    if done.is_file() {
        return Ok(unpacked);
    }
    progress("reading Debian's list of packages (nothing on the system changes)");
    let mut update = apt("apt-get", cache);
    update.arg("update");
    run(update, None)?;
    let packages = wanted(set, cache)?;
    let what = match set {
        Set::Servers => "Postgres and RabbitMQ",
        Set::Browser => "Chromium",
        Set::Nginx => "nginx",
        Set::Dovecot => "Dovecot",
        Set::Python => "Python",
        Set::PostgresClient => "Postgres' client programs",
    };
    progress(&format!("downloading {} packages with {what} into {}", packages.len(), cache.display()));
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
    merge_libraries(&unpacked.root)?;
    relocate_erlang(&unpacked.root)?;
    relocate_dovecot(&unpacked.root)?;
    std::fs::write(&done, "").map_err(Error::file("writing", &done))?;
    drop(std::fs::remove_dir_all(folder));
    Ok(unpacked)
}

fn wanted(set: Set, cache: &Path) -> Result<BTreeSet<String>, Error> {
    match set {
        Set::Servers => servers(cache),
        Set::Browser => missing(&["chromium", "chromium-driver", "fonts-dejavu-core"], cache),
        Set::Nginx => missing(&["nginx", "libnginx-mod-http-dav-ext"], cache),
        Set::Dovecot => missing(&["dovecot-imapd"], cache),
        Set::Python => missing(&["python3"], cache),
        // Its wrappers are Perl, its programs aren't.
        Set::PostgresClient => {
            let mut packages = missing(&["postgresql-client"], cache)?;
            packages.retain(|package| !package.contains("perl"));
            Ok(packages)
        }
    }
}

/// What Postgres and RabbitMQ need, whatever of it this system has.
fn servers(cache: &Path) -> Result<BTreeSet<String>, Error> {
    let roots = ["rabbitmq-server".to_owned(), newest_postgres(cache)?];
    let mut depends = apt("apt-cache", cache);
    depends.args(["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"]);
    depends.args(["--no-replaces", "--no-enhances"]).args(roots);
    let listed = run(depends, None)?;
    // Packages stand at the beginning of a line; names in angle brackets are virtual.
    let names = listed.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    Ok(names.map(str::trim).filter(|name| is_wanted(name) && !name.contains(':')).map(str::to_owned).collect())
}

/// What these packages need that this system does not have.
fn missing(packages: &[&str], cache: &Path) -> Result<BTreeSet<String>, Error> {
    let mut install = apt("apt-get", cache);
    install.args(["--simulate", "--no-install-recommends", "install"]).args(packages);
    let listed = run(install, None)?;
    let names = listed.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}

fn newest_postgres(cache: &Path) -> Result<String, Error> {
    let mut newest = apt("apt-cache", cache);
    newest.args(["search", "--names-only", "^postgresql-[0-9]+$"]);
    let listed = run(newest, None)?;
    let versions =
        listed.lines().filter_map(|line| line.split(' ').next()?.strip_prefix("postgresql-")?.parse::<u32>().ok());
    versions.max().map(|version| format!("postgresql-{version}")).ok_or_else(|| {
        let said = "no package of Postgres is known here".to_owned();
        Error::Program { program: "apt-cache".to_owned(), said }
    })
}

/// Some packages keep libraries in `lib`, which on a running system is `usr/lib`: one folder for all of them.
fn merge_libraries(root: &Path) -> Result<(), Error> {
    for folder in std::fs::read_dir(root.join("lib")).into_iter().flatten().flatten() {
        if !folder.path().is_dir() || !folder.file_name().to_string_lossy().contains("-linux-gnu") {
            continue;
        }
        let merged = root.join("usr/lib").join(folder.file_name());
        std::fs::create_dir_all(&merged).map_err(Error::file("making the folder", &merged))?;
        for library in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let to = merged.join(library.file_name());
            std::fs::rename(library.path(), &to).map_err(Error::file("moving a library to", &to))?;
        }
    }
    Ok(())
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

/// Dovecot's library knows one place for its modules, and no setting for it: let it look in the folder it runs in.
fn relocate_dovecot(root: &Path) -> Result<(), Error> {
    const BUILT_FOR: &[u8] = b"/usr/lib/dovecot/modules\0";
    let library = root.join("usr/lib/dovecot/libdovecot.so.0.0.0");
    let Ok(mut bytes) = std::fs::read(&library) else { return Ok(()) };
    let Some(place) = bytes.windows(BUILT_FOR.len()).position(|part| part == BUILT_FOR) else { return Ok(()) };
    let mut here = b"modules".to_vec();
    here.resize(BUILT_FOR.len(), 0);
    bytes[place..place + BUILT_FOR.len()].copy_from_slice(&here);
    std::fs::write(&library, bytes).map_err(Error::file("writing", &library))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_of_both_folders_end_in_one() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["lib/x86_64-linux-gnu", "lib/systemd", "usr/lib/x86_64-linux-gnu"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        std::fs::write(root.path().join("lib/x86_64-linux-gnu/libexpat.so.1.8.10"), "expat").unwrap();
        std::os::unix::fs::symlink("libexpat.so.1.8.10", root.path().join("lib/x86_64-linux-gnu/libexpat.so.1"))
            .unwrap();
        std::fs::write(root.path().join("usr/lib/x86_64-linux-gnu/libz.so.1"), "z").unwrap();
        merge_libraries(root.path()).unwrap();
        let libraries = Unpacked { root: root.path().to_owned() }.libraries();
        assert_eq!(std::fs::read_to_string(libraries.join("libexpat.so.1")).unwrap(), "expat");
        assert!(libraries.join("libz.so.1").is_file());
        assert!(root.path().join("lib/systemd").is_dir());
    }

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
