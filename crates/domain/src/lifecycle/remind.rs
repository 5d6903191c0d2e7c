//! Reminders while the customer has not answered: one timer, armed for the next moment there is.

use chrono::{DateTime, Utc};

use super::checks::due;
use super::reminders::{arm, moments, stop};
use super::step::{Event, EventKind, Step, Transition};
use crate::refusal::Refusal;
use crate::request::Request;

/// The step when a reminder is due. Several that were missed are one.
pub(super) fn remind(request: &Request, decide_by: DateTime<Utc>, at: DateTime<Utc>) -> Result<Transition, Refusal> {
    due(moments(request, decide_by).first().copied().unwrap_or(decide_by), at)?;
    let step = Step::quiet(request, at, None);
    let event: Event = step.event(EventKind::Reminded { decide_by }, &request.state);
    let next = arm(request, decide_by, at).or_else(|| stop(request));
    Ok(Transition {
        next: request.state.clone(),
        events: vec![event],
        timers: next.into_iter().collect(),
        decision: None,
    })
}
