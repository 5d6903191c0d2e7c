//! Folders that the user of a server can reach.

use std::path::{Path, PathBuf};

use crate::process::RunAs;
use crate::progress::Progress;

/// A folder that the servers' user gets to.
pub(crate) fn reachable(folder: &Path, run_as: RunAs, progress: &Progress) -> PathBuf {
    if run_as.reaches(folder) {
        return folder.to_owned();
    }
    let name = folder.to_string_lossy().replace(['/', ' '], "-");
    let other = std::env::temp_dir().join(format!("lockbox{name}"));
    progress(&format!("{} is closed to the servers' user; using {}", folder.display(), other.display()));
    other
}
