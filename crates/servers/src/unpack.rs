//! Unpacks Debian packages into a cache without root and without a change of the system.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::{Set, download};
use crate::error::Error;
use crate::process::run;
use crate::progress::Progress;

/// Unpacked packages.
#[derive(Clone, Debug)]
pub(crate) struct Unpacked {
    pub root: PathBuf,
}

impl Unpacked {
    /// Folder of the shared libraries.
    pub fn libraries(&self) -> PathBuf {
        let multiarch = std::fs::read_dir(self.root.join("usr/lib")).into_iter().flatten().flatten();
        multiarch
            .map(|entry| entry.path())
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("-linux-gnu")))
            .unwrap_or_else(|| self.root.join("usr/lib"))
    }

    /// The library path for these programs: shared libraries, and private libraries of packages.
    pub fn library_path(&self) -> String {
        let (public, own) = (self.libraries(), self.root.join("usr/lib"));
        let private = [&public, &own].into_iter().flat_map(|folder| folders(folder)).filter(|folder| {
            *folder != public
                && std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    name.starts_with("lib") && name.contains(".so")
                })
        });
        let all = std::iter::once(public.clone()).chain(private.collect::<std::collections::BTreeSet<_>>());
        all.map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":")
    }

    /// Finds a program in all folders that packages use.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let fixed = ["usr/bin", "usr/sbin", "bin", "sbin", "usr/games", "usr/libexec"].map(|part| self.root.join(part));
        let own = folders(&self.root.join("usr/lib"));
        let own = own.into_iter().flat_map(|folder| [folder.join("bin"), folder]);
        fixed.into_iter().chain(own).map(|folder| folder.join(name)).find(|program| program.is_file())
    }

    /// Programs of the unpacked Erlang.
    pub fn erlang(&self) -> PathBuf {
        self.root.join("usr/lib/erlang/bin")
    }
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Unpacks a set into its own folder in `cache`, unless it is already unpacked.
pub(crate) fn unpack(set: Set<'_>, cache: &Path, progress: &Progress) -> Result<Unpacked, Error> {
    let folder = cache.join(set.name());
    let unpacked = Unpacked { root: folder.join("root") };
    once(&folder, &set.name(), || {
        let packages = folder.join("packages");
        download(set, cache, &packages, progress)?;
        progress("unpacking packages");
        std::fs::create_dir_all(&unpacked.root).map_err(Error::file("creating the folder", &unpacked.root))?;
        let files = std::fs::read_dir(&packages).map_err(Error::file("reading", &packages))?;
        for file in files.flatten() {
            let mut extract = Command::new("dpkg-deb");
            extract.arg("-x").arg(file.path()).arg(&unpacked.root);
            run(extract, None)?;
        }
        merge_libraries(&unpacked.root)?;
        relocate_erlang(&unpacked.root)?;
        relocate_dovecot(&unpacked.root)?;
        drop(std::fs::remove_dir_all(packages));
        Ok(())
    })?;
    Ok(unpacked)
}

/// Fills a folder once, also with concurrent processes: one process fills it while the others wait. A folder that a process
/// left incomplete is filled again.
pub(crate) fn once(folder: &Path, what: &str, fill: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let done = folder.join("complete");
    if done.is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).map_err(Error::file("creating the folder", folder))?;
    let lock = folder.join("lock");
    let file = std::fs::File::create(&lock).map_err(Error::file("opening", &lock))?;
    file.lock().map_err(Error::file("locking", &lock))?;
    if done.is_file() {
        return Ok(());
    }
    if is_offline() {
        return Err(Error::Offline { what: what.to_owned() });
    }
    fill()?;
    std::fs::write(&done, "").map_err(Error::file("writing", &done))
}

/// Whether downloads are disabled.
pub(crate) fn is_offline() -> bool {
    #[allow(clippy::disallowed_methods, reason = "tests have no settings file")]
    let value = std::env::var_os("LOCKBOX_OFFLINE");
    value.is_some_and(|value| value == "1")
}

/// Moves libraries from `lib` to `usr/lib`. On an installed system, both are the same folder.
fn merge_libraries(root: &Path) -> Result<(), Error> {
    for folder in std::fs::read_dir(root.join("lib")).into_iter().flatten().flatten() {
        if !folder.path().is_dir() || !folder.file_name().to_string_lossy().contains("-linux-gnu") {
            continue;
        }
        let merged = root.join("usr/lib").join(folder.file_name());
        std::fs::create_dir_all(&merged).map_err(Error::file("creating the folder", &merged))?;
        for library in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let to = merged.join(library.file_name());
            std::fs::rename(library.path(), &to).map_err(Error::file("moving a library to", &to))?;
        }
    }
    Ok(())
}

/// Replaces the fixed path in the start scripts of Debian's Erlang by the unpacked path.
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

/// Replaces the fixed module path in Dovecot's library by a path relative to the working directory. No setting exists for it.
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
    fn libraries_of_both_folders_are_merged_into_one() {
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
    fn a_folder_is_filled_once_by_concurrent_callers() {
        let cache = tempfile::tempdir().unwrap();
        let (folder, fillings) = (cache.path().join("set"), std::sync::atomic::AtomicU32::new(0));
        let fill = || {
            fillings.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(())
        };
        let fails = || Err(Error::Program { program: "dpkg-deb".into(), said: "no".into() });
        assert!(once(&folder, "a set", fails).is_err());
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| once(&folder, "a set", fill).unwrap());
            }
        });
        assert_eq!(fillings.into_inner(), 1);
    }
}
