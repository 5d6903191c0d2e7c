//! The last signed tree of every log, in a file outside the database. It is written and synced before a signature leaves
//! the signer, so that nobody can get a split view signed with a restored or changed database.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use tlog::{Checkpoint, Hash};

/// Name of the file in its folder.
const NAME: &str = "trees";

/// The last tree of each log. One process at a time has the file open.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    file: File,
    trees: BTreeMap<String, (u64, Hash)>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MemoryFault {
    /// Another process has locked it.
    #[error("another process has locked {0}")]
    Taken(PathBuf),
    /// The file cannot be read or written.
    #[error("{path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
}

fn line(origin: &str, size: u64, root: &Hash) -> String {
    format!("{origin} {size} {root}\n")
}

fn parse(line: &str) -> Option<(String, (u64, Hash))> {
    let mut parts = line.split(' ');
    let (origin, size, root) = (parts.next()?, parts.next()?.parse().ok()?, Hash::from_base64(parts.next()?)?);
    Some((origin.to_owned(), (size, root)))
}

impl Memory {
    /// Opens the file in this folder and creates both when they do not exist.
    ///
    /// # Errors
    /// When another process has locked the file, or it cannot be used.
    pub fn open(folder: &Path) -> Result<Self, MemoryFault> {
        let path = folder.join(NAME);
        let at = |source| MemoryFault::File { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(at)?;
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(at)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(MemoryFault::Taken(path)),
            Err(TryLockError::Error(source)) => return Err(at(source)),
        }
        let text = io::read_to_string(&mut file).map_err(at)?;
        // A last line without a line break was never synced, and no signature depends on it.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let trees: BTreeMap<_, _> = text[..whole].lines().filter_map(parse).collect();
        file.set_len(u64::try_from(whole).unwrap_or_default()).map_err(at)?;
        file.seek(io::SeekFrom::End(0)).map_err(at)?;
        // The file's name must survive a power failure too.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(at)?;
        Ok(Self { path, file, trees })
    }

    /// The last tree of a log.
    pub fn tree(&self, origin: &str) -> Option<(u64, Hash)> {
        self.trees.get(origin).copied()
    }

    /// Stores trees. When this returns, they are on the disk.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn remember(&mut self, trees: &[Checkpoint]) -> Result<(), MemoryFault> {
        let text: String = trees.iter().map(|tree| line(&tree.origin, tree.size, &tree.root)).collect();
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|source| MemoryFault::File { path: self.path.clone(), source })?;
        self.trees.extend(trees.iter().map(|tree| (tree.origin.clone(), (tree.size, tree.root))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(size: u64) -> Checkpoint {
        Checkpoint {
            origin: "lockbox.fabrikam.example/operator".into(),
            size,
            root: tlog::leaf_hash(&size.to_be_bytes()),
        }
    }

    #[test]
    fn the_last_tree_is_stored_and_an_incomplete_line_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let origin = tree(1).origin;
        let mut memory = Memory::open(folder.path()).unwrap();
        memory.remember(&[tree(1)]).unwrap();
        memory.remember(&[tree(5)]).unwrap();
        assert!(matches!(Memory::open(folder.path()), Err(MemoryFault::Taken(_))), "one at a time");
        drop(memory);
        let path = folder.path().join(NAME);
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{origin} 9 dG9")).unwrap();
        let mut memory = Memory::open(folder.path()).unwrap();
        assert_eq!(memory.tree(&origin), Some((5, tree(5).root)));
        memory.remember(&[tree(6)]).unwrap();
        drop(memory);
        assert_eq!(Memory::open(folder.path()).unwrap().tree(&origin), Some((6, tree(6).root)));
    }
}
