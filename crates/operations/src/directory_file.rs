//! Reading a directory file.

use std::path::Path;

use contracts::directory::Directory;
use runtime::outcome::Failure;

/// Reads a directory file and checks it.
///
/// # Errors
/// [`Failure::Usage`] with every fault in the file.
pub fn read(path: &Path) -> Result<Directory, Failure> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{shown} cannot be read: {error}")))?;
    let directory: Directory =
        serde_saphyr::from_str(&text).map_err(|error| Failure::Usage(format!("{shown}: {error}")))?;
    let faults = directory.faults();
    if faults.is_empty() {
        return Ok(directory);
    }
    let faults: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    Err(Failure::Usage(format!("{shown} has {} faults; nothing was applied:\n{}", faults.len(), faults.join("\n"))))
}
