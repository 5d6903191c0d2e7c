//! Reminders while the customer has not decided: one timer, armed for the next reminder.

use chrono::{DateTime, Utc};

use super::checks::due;
use super::reminders::{arm, moments, stop};
use super::step::{Event, EventKind, Step, Transition};
use crate::refusal::Refusal;
use crate::request::Request;

/// The step when a reminder is due. Several missed reminders count as one.
pub(super) fn remind(
    request: &Request,
    decision_deadline: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<Transition, Refusal> {
    due(moments(request, decision_deadline).first().copied().unwrap_or(decision_deadline), at)?;
    let step = Step::without_comment(request, at, None);
    let event: Event = step.event(EventKind::Reminded { decision_deadline }, &request.state);
    let next = arm(request, decision_deadline, at).or_else(|| stop(request));
    Ok(Transition {
        next: request.state.clone(),
        events: vec![event],
        timers: next.into_iter().collect(),
        decision: None,
    })
}
