//! Evidence bundles on disk: an archive, or the folder into which it was unpacked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use evidence::bundle::Files;
use evidence::tar::{self, Damage, Member};

use runtime::outcome::Failure;

/// An open bundle.
pub enum Opened {
    /// An archive with the positions of its members.
    Archive {
        /// The archive.
        path: PathBuf,
        /// Position of each member.
        members: BTreeMap<String, Member>,
    },
    /// A folder, with the path of each member.
    Folder(BTreeMap<String, PathBuf>),
}

/// Opens a bundle; returns also the damage of its archive.
pub fn open(path: &Path) -> Result<(Opened, Option<Damage>), Failure> {
    let usage = |fault: std::io::Error| Failure::Usage(format!("{} cannot be read: {fault}", path.display()));
    if path.is_dir() {
        let mut found = BTreeMap::new();
        walk(path, path, &mut found).map_err(usage)?;
        return Ok((Opened::Folder(found), None));
    }
    let (members, damage) = tar::list(BufReader::new(File::open(path).map_err(usage)?));
    let members = members.into_iter().map(|member| (member.name.clone(), member)).collect();
    Ok((Opened::Archive { path: path.to_owned(), members }, damage))
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, found)?;
        } else if let Ok(name) = path.strip_prefix(root) {
            found.insert(name.to_string_lossy().into_owned(), path);
        }
    }
    Ok(())
}

impl Files for Opened {
    fn names(&self) -> Vec<String> {
        match self {
            Self::Archive { members, .. } => members.keys().cloned().collect(),
            Self::Folder(files) => files.keys().cloned().collect(),
        }
    }

    fn open(&self, name: &str) -> Option<Box<dyn Read + '_>> {
        match self {
            Self::Archive { path, members } => {
                let member = members.get(name)?;
                let mut file = File::open(path).ok()?;
                file.seek(SeekFrom::Start(member.offset)).ok()?;
                Some(Box::new(file.take(member.size)))
            }
            Self::Folder(files) => Some(Box::new(File::open(files.get(name)?).ok()?)),
        }
    }
}
