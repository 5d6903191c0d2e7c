//! Why the monitor cannot work.

use std::path::PathBuf;

/// Errors of the monitor.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file in the folder cannot be read or written.
    #[error("{path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// A file in the folder has another form than the monitor writes.
    #[error("{0} is damaged; restore it, or begin with another folder")]
    Damaged(PathBuf),
    /// Another monitor uses the folder.
    #[error("another monitor uses the folder {0}")]
    Taken(PathBuf),
    /// The log cannot be read.
    #[error("{address} cannot be read: {why}")]
    Unreachable {
        /// Address.
        address: String,
        /// Cause.
        why: String,
    },
    /// A setting is not valid.
    #[error("{0}")]
    Setting(String),
}
