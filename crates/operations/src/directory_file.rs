//! Reads directory files.

use std::path::Path;

use contracts::directory::Directory;
use runtime::outcome::Failure;

/// Reads a text file, with or without a byte order mark.
///
/// # Errors
/// When it cannot be read, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let unreadable = |why: String| Failure::Usage(format!("{} cannot be read: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    contracts::reading::text_of(&bytes).map(str::to_owned).map_err(unreadable)
}

/// Reads a directory file and checks it.
///
/// # Errors
/// [`Failure::Usage`] with every fault in the file.
pub fn read(path: &Path) -> Result<Directory, Failure> {
    let shown = path.display();
    let text = read_text(path)?;
    let directory: Directory =
        serde_saphyr::from_str(&text).map_err(|error| Failure::Usage(format!("{shown}: {error}")))?;
    let faults = directory.faults();
    if faults.is_empty() {
        return Ok(directory);
    }
    let faults: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    Err(Failure::Usage(format!("{shown} has {} faults; nothing was applied:\n{}", faults.len(), faults.join("\n"))))
}
