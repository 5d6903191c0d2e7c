//! Errors of this crate.

use std::path::PathBuf;

/// A failure to find or start a server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No source provides the server.
    #[error(
        "cannot find or start {server}. Do one of the following and run the command again:\n  \
         - set {variable} to the URL of a running server\n  \
         - start a Docker engine\n  \
         - install {server}: apt-get install {package} (on other systems, the corresponding package)\n\
         Attempts: {tried}"
    )]
    Unavailable {
        /// Name of the server.
        server: &'static str,
        /// Environment variable for the URL of a running server.
        variable: &'static str,
        /// Debian package.
        package: &'static str,
        /// The attempts and their results.
        tried: String,
    },
    /// An operation on a file or folder failed.
    #[error("{doing} {}", path.display())]
    File {
        /// The operation.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A program did not start or failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: String,
        /// The end of its output.
        said: String,
    },
    /// A package is missing and downloads are disabled.
    #[error("{what} is not installed, and LOCKBOX_OFFLINE=1 disables downloads")]
    Offline {
        /// The package or program.
        what: String,
    },
    /// A server did not become ready.
    #[error("{server} was not ready after {seconds} s. The end of its log {}:\n{tail}", log.display())]
    NotReady {
        /// Which.
        server: &'static str,
        /// Elapsed seconds.
        seconds: u64,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
}

impl Error {
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}
