//! The folder of a monitor: the verified entries, every signed checkpoint that it saw, and its state. Its alarms are in the
//! same folder ([`crate::book`]).
//!
//! Entries are written and synced before the state names them, so that a monitor that stops at any moment continues from
//! the last state.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Every verified entry, each after its length in two bytes, big endian.
const ENTRIES: &str = "entries";
/// Every signed checkpoint that the monitor saw.
const CHECKPOINTS: &str = "checkpoints.txt";
/// What the monitor has verified.
const STATE: &str = "state.json";
/// Locked while a monitor uses the folder.
const LOCK: &str = "lock";

/// What a monitor has verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Origin of the log.
    pub origin: String,
    /// Number of verified entries.
    pub size: u64,
    /// Root over them, in base64.
    pub root: String,
    /// Length of the file of entries in bytes.
    pub bytes: u64,
    /// When the monitor last verified a checkpoint (RFC 3339, UTC); empty before the first.
    pub verified_at: String,
    /// Size of the last cosigned checkpoint.
    pub cosigned: u64,
    /// Public keys that the monitor trusts: those that it was given, or the first that it saw.
    pub keys: Vec<String>,
}

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    entries: File,
    checkpoints: File,
    /// The last checkpoint in the file, so that it is written once.
    last: String,
    _lock: File,
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path: path.clone(), source }
}

fn append(path: &Path) -> Result<File, Error> {
    OpenOptions::new().read(true).append(true).create(true).open(path).map_err(at(path))
}

/// Reads the state in a folder; `None` when there is none.
///
/// # Errors
/// When the file cannot be read or has another form.
pub fn read_state(folder: &Path) -> Result<Option<State>, Error> {
    let path = folder.join(STATE);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| Error::Damaged(path)),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(at(&path)(fault)),
    }
}

impl Folder {
    /// Opens a folder, and creates it when there is none. Returns it with its state.
    ///
    /// # Errors
    /// When another monitor uses it, or a file cannot be used.
    pub fn open(path: &Path) -> Result<(Self, State), Error> {
        std::fs::create_dir_all(path).map_err(at(path))?;
        let lock = append(&path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Taken(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(at(&path.join(LOCK))(source)),
        }
        let state = read_state(path)?.unwrap_or_default();
        let entries = append(&path.join(ENTRIES))?;
        let length = entries.metadata().map_err(at(&path.join(ENTRIES)))?.len();
        if length < state.bytes {
            return Err(Error::Damaged(path.join(ENTRIES)));
        }
        let checkpoints = append(&path.join(CHECKPOINTS))?;
        let saved = std::fs::read_to_string(path.join(CHECKPOINTS)).map_err(at(&path.join(CHECKPOINTS)))?;
        let last = evidence::pinned::checkpoints(&saved).last().map(ToString::to_string).unwrap_or_default();
        let folder = Self { path: path.to_owned(), entries, checkpoints, last, _lock: lock };
        // What was written after the state was never verified.
        folder.cut(state.bytes)?;
        Ok((folder, state))
    }

    /// Removes the entries after this length.
    pub fn cut(&self, bytes: u64) -> Result<(), Error> {
        self.entries.set_len(bytes).map_err(at(&self.path.join(ENTRIES)))
    }

    /// Appends entries; returns the number of bytes.
    pub fn append_entries(&mut self, entries: &[&[u8]]) -> Result<u64, Error> {
        let path = self.path.join(ENTRIES);
        let bytes = tlog::bundle::encode(entries.iter().copied()).map_err(|_| Error::Damaged(path.clone()))?;
        self.entries.write_all(&bytes).map_err(at(&path))?;
        Ok(u64::try_from(bytes.len()).unwrap_or_default())
    }

    /// Makes the entries durable.
    pub fn sync_entries(&self) -> Result<(), Error> {
        self.entries.sync_all().map_err(at(&self.path.join(ENTRIES)))
    }

    /// Reads the entries between two positions in the file.
    pub fn entries(&self, from: u64, to: u64) -> Result<Entries, Error> {
        let path = self.path.join(ENTRIES);
        let mut file = File::open(&path).map_err(at(&path))?;
        file.seek(SeekFrom::Start(from)).map_err(at(&path))?;
        Ok(Entries { path, file: BufReader::new(file), left: to.saturating_sub(from) })
    }

    /// Stores a signed checkpoint, unless it is the last one that was stored.
    pub fn keep_checkpoint(&mut self, note: &str) -> Result<(), Error> {
        if self.last == note {
            return Ok(());
        }
        let path = self.path.join(CHECKPOINTS);
        self.checkpoints.write_all(format!("{note}\n").as_bytes()).map_err(at(&path))?;
        self.checkpoints.sync_data().map_err(at(&path))?;
        note.clone_into(&mut self.last);
        Ok(())
    }

    /// Replaces the state.
    pub fn save(&self, state: &State) -> Result<(), Error> {
        let (path, new) = (self.path.join(STATE), self.path.join("state.json.new"));
        let text = serde_json::to_vec_pretty(state).map_err(|_| Error::Damaged(path.clone()))?;
        let mut file = File::create(&new).map_err(at(&new))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(at(&new))?;
        std::fs::rename(&new, &path).map_err(at(&path))?;
        // The name must survive a power failure too.
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(at(&self.path))
    }
}

/// Entries, read one by one.
pub(crate) struct Entries {
    path: PathBuf,
    file: BufReader<File>,
    left: u64,
}

impl Entries {
    /// The next entry; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut length = [0; 2];
        self.file.read_exact(&mut length).map_err(at(&self.path))?;
        let mut entry = vec![0; usize::from(u16::from_be_bytes(length))];
        self.file.read_exact(&mut entry).map_err(at(&self.path))?;
        let read = 2 + u64::from(u16::from_be_bytes(length));
        self.left = self.left.checked_sub(read).ok_or_else(|| Error::Damaged(self.path.clone()))?;
        Ok(Some(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_the_state_does_not_name_are_removed_when_the_folder_is_opened() {
        let place = tempfile::tempdir().unwrap();
        let (mut folder, mut state) = Folder::open(place.path()).unwrap();
        assert_eq!(state, State::default());
        state.bytes = folder.append_entries(&[b"one", b"two"]).unwrap();
        state.size = 2;
        folder.save(&state).unwrap();
        folder.append_entries(&[b"never verified"]).unwrap();
        assert!(matches!(Folder::open(place.path()), Err(Error::Taken(_))));
        drop(folder);
        let (folder, again) = Folder::open(place.path()).unwrap();
        assert_eq!(again, state);
        let mut entries = folder.entries(0, 10_000.min(state.bytes)).unwrap();
        let mut read = Vec::new();
        while let Some(entry) = entries.next().unwrap() {
            read.push(entry);
        }
        assert_eq!(read, [b"one", b"two"]);
        drop(folder);
        std::fs::write(place.path().join(ENTRIES), b"x").unwrap();
        assert!(matches!(Folder::open(place.path()), Err(Error::Damaged(_))), "shorter than the state says");
    }
}
