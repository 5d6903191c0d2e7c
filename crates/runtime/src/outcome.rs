//! How a command ends: exit codes that scripts can rely on.

use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Options, files or input that are not valid.
    #[error("{0}")]
    Usage(String),
    /// The named object does not exist, or the person may not see it.
    #[error("{0}")]
    NotFound(String),
    /// The rules refuse the command.
    #[error("refused ({code}): {message}")]
    Refused {
        /// Stable code.
        code: String,
        /// For people.
        message: String,
    },
    /// A server does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// The outcome did not come in time.
    #[error("{0}")]
    TimedOut(String),
    /// Evidence that does not verify.
    #[error("{words}")]
    Untrue {
        /// Exit code, 10 to 16.
        code: u8,
        /// For people.
        words: String,
    },
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// Exit code: 1 failed, 2 usage, 3 not found, 4 refused, 6 not reachable, 7 timed out.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Refused { .. } => 4,
            Self::Unreachable(_) => 6,
            Self::TimedOut(_) => 7,
            Self::Untrue { code, .. } => *code,
        })
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let text = workers::error_chain(&error);
        match &error {
            store::Error::NotFound(what) => Self::NotFound(format!("{what} does not exist; check the id or the name")),
            store::Error::ReservedForTenant(message) => {
                Self::Refused { code: "tenant.protected".to_owned(), message: message.clone() }
            }
            error if error.is_outage() => {
                Self::Unreachable(format!("{text}; check that the database runs, with `lockbox doctor`"))
            }
            _ => Self::Failed(text),
        }
    }
}

impl From<broker::Error> for Failure {
    fn from(error: broker::Error) -> Self {
        let text = workers::error_chain(&error);
        match error {
            broker::Error::Url(_) | broker::Error::Prefix(_) => Self::Usage(text),
            _ => Self::Unreachable(format!("{text}; check that the broker runs, with `lockbox doctor`")),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
