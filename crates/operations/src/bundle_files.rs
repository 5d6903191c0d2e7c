//! Bundles on disk: an archive, or the folder it was unpacked to.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use evidence::bundle::Files;
use evidence::tar::{self, Place, Torn};

use runtime::outcome::Failure;

/// A bundle that can be read.
pub enum Opened {
    /// An archive, with the places of its members.
    Archive {
        /// The archive.
        path: PathBuf,
        /// Where each member is in it.
        places: BTreeMap<String, Place>,
    },
    /// A folder, with the path of each member.
    Folder(BTreeMap<String, PathBuf>),
}

/// Opens a bundle; also what is damaged about its archive.
pub fn open(path: &Path) -> Result<(Opened, Option<Torn>), Failure> {
    let usage = |fault: std::io::Error| Failure::Usage(format!("{} cannot be read: {fault}", path.display()));
    if path.is_dir() {
        let mut found = BTreeMap::new();
        walk(path, path, &mut found).map_err(usage)?;
        return Ok((Opened::Folder(found), None));
    }
    let (places, torn) = tar::list(BufReader::new(File::open(path).map_err(usage)?));
    let places = places.into_iter().map(|place| (place.name.clone(), place)).collect();
    Ok((Opened::Archive { path: path.to_owned(), places }, torn))
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
            Self::Archive { places, .. } => places.keys().cloned().collect(),
            Self::Folder(files) => files.keys().cloned().collect(),
        }
    }

    fn open(&self, name: &str) -> Option<Box<dyn Read + '_>> {
        match self {
            Self::Archive { path, places } => {
                let place = places.get(name)?;
                let mut file = File::open(path).ok()?;
                file.seek(SeekFrom::Start(place.offset)).ok()?;
                Some(Box::new(file.take(place.size)))
            }
            Self::Folder(files) => Some(Box::new(File::open(files.get(name)?).ok()?)),
        }
    }
}
