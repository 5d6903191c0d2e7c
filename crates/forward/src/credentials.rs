//! How a syslog receiver confirms a batch, and the token for a collector.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::fault::Fault;

/// How a syslog receiver confirms a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Confirm {
    /// It acknowledges every byte and closes the connection in order (TCP). rsyslog's GnuTLS driver supports only this
    Tcp,
    /// It also answers TLS's closing alert (RFC 5425, section 4.4), which nobody in between can forge
    Tls,
}

/// The source of the token.
#[derive(Clone, Debug)]
pub(super) enum Token {
    None,
    Given(String),
    File(PathBuf),
}

impl Token {
    /// Reads the token for each batch, so that a new token needs no restart.
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

/// The message for a file that cannot be used.
pub(super) fn unreadable(path: &Path, fault: &dyn std::error::Error) -> String {
    format!("{} cannot be read: {fault}", path.display())
}
