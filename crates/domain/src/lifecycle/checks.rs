//! Checks of time and state that several parts of the lifecycle make, and their refusals.

use chrono::{DateTime, Utc};

use crate::refusal::Refusal;
use crate::request::Request;

/// A decision counts only before the deadline, not at it.
pub(super) fn before(deadline: DateTime<Utc>, at: DateTime<Utc>) -> Result<(), Refusal> {
    if at < deadline { Ok(()) } else { Err(Refusal::DeadlinePassed { deadline }) }
}

pub(super) fn due(due_at: DateTime<Utc>, at: DateTime<Utc>) -> Result<(), Refusal> {
    if at >= due_at { Ok(()) } else { Err(Refusal::NotDue { due_at }) }
}

pub(super) fn stage_finished(request: &Request) -> Refusal {
    Refusal::StageFinished { state: request.state.as_str() }
}

pub(super) fn not_active(request: &Request) -> Refusal {
    Refusal::NotActive { state: request.state.as_str() }
}

pub(super) fn already_finished(request: &Request) -> Refusal {
    Refusal::AlreadyFinished { state: request.state.as_str() }
}
