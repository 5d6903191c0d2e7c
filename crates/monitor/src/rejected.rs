//! Why a checkpoint is not accepted.

use crate::alarm::Raised;

/// Why a checkpoint was not accepted.
pub(crate) enum Rejected {
    /// It is wrong.
    Alarm(Box<Raised>),
    /// It cannot be verified at the moment.
    Unreachable(String),
}
