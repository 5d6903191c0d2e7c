//! The exit codes of errors of the monitor.

use ::monitor::Error;
use runtime::outcome::Failure;

/// The failure that an error of the monitor is.
pub(super) fn of(fault: &Error) -> Failure {
    let text = workers::error_chain(fault);
    match fault {
        Error::Setting(_) => Failure::Usage(text),
        Error::Unreachable { .. } => Failure::Unreachable(text),
        Error::File { .. } | Error::Damaged(_) | Error::Taken(_) => Failure::Failed(text),
    }
}
