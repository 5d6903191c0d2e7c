//! Folders that the user of the servers can access.

use std::path::{Path, PathBuf};

use crate::process::RunAs;
use crate::progress::Progress;

/// Returns the folder, or one in the temporary folder when the user of the servers cannot access it.
pub(crate) fn reachable(folder: &Path, run_as: RunAs, progress: &Progress) -> PathBuf {
    if run_as.reaches(folder) {
        return folder.to_owned();
    }
    let name = folder.to_string_lossy().replace(['/', ' '], "-");
    let other = std::env::temp_dir().join(format!("lockbox{name}"));
    progress(&format!("the user of the servers cannot access {}; using {} instead", folder.display(), other.display()));
    other
}
