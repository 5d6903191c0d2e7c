//! How a receiver confirms a batch, and the token that a collector asks for.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::fault::Fault;

/// What counts as a batch that a syslog receiver has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Confirm {
    /// It acknowledged every byte and closed the connection in order (TCP). rsyslog's GnuTLS driver gives no more.
    Tcp,
    /// It answered TLS's closing alert as well (RFC 5425, section 4.4): nobody on the way can pretend it either.
    Tls,
}

/// Where the token is.
#[derive(Clone, Debug)]
pub(super) enum Token {
    None,
    Given(String),
    File(PathBuf),
}

impl Token {
    /// Reads it, again each time: a token that was exchanged needs no restart.
    pub(super) fn read(&self) -> Result<Option<String>, Fault> {
        match self {
            Self::None => Ok(None),
            Self::Given(token) => Ok(Some(token.trim().to_owned())),
            Self::File(path) => std::fs::read_to_string(path)
                .map(|text| Some(text.trim().to_owned()))
                .map_err(|fault| Fault::Refused(unreadable(path, &fault))),
        }
    }
}

/// A file that cannot be used, and why.
pub(super) fn unreadable(path: &Path, fault: &dyn std::error::Error) -> String {
    format!("{} cannot be read: {fault}", path.display())
}
