//! Why no server could be had.

use std::path::PathBuf;

/// A failure to find or start a server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None of the ways worked.
    #[error(
        "no {server} could be had. Do one of these and run the command again:\n  \
         - set {variable} to one that runs\n  \
         - start a Docker engine\n  \
         - install it: apt-get install {package} (other systems: their package of {server})\n\
         What was tried: {tried}"
    )]
    Nowhere {
        /// Name of the server.
        server: &'static str,
        /// Environment variable that names one.
        variable: &'static str,
        /// Debian's package.
        package: &'static str,
        /// What was tried and what came of it.
        tried: String,
    },
    /// A file or folder.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A program did not start or failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: String,
        /// Its last words.
        said: String,
    },
    /// Something that may not be downloaded.
    #[error("{what} is not installed, and LOCKBOX_OFFLINE=1 forbids the download")]
    Offline {
        /// What.
        what: String,
    },
    /// A server did not become ready.
    #[error("{server} was not ready after {seconds} s; its log is {} and ends:\n{tail}", log.display())]
    NotReady {
        /// Which.
        server: &'static str,
        /// How long it was waited for.
        seconds: u64,
        /// Its log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
}

impl Error {
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}
