//! Reminders while the customer has not answered: one timer, armed for the next moment there is.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Event, EventKind, Step, Transition, due};
use crate::refusal::Refusal;
use crate::request::{Request, TimerChange, TimerKind};

/// The moments at which approvers are reminded, earliest first.
fn moments(request: &Request, decide_by: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let before = |seconds: &i64| decide_by - TimeDelta::seconds(*seconds);
    let mut moments: Vec<_> = request.content.rules.reminders_seconds.iter().map(before).collect();
    moments.sort_unstable();
    moments
}

/// Arms the first reminder after `at`, if one is left before the deadline.
pub(super) fn arm(request: &Request, decide_by: DateTime<Utc>, at: DateTime<Utc>) -> Option<TimerChange> {
    let next = moments(request, decide_by).into_iter().find(|moment| *moment > at && *moment < decide_by)?;
    Some(TimerChange::Arm(TimerKind::Reminder, next))
}

/// Disarms the reminder, where one was armed: a reminder from before the time to decide began never was.
pub(super) fn stop(request: &Request) -> Option<TimerChange> {
    let rules = &request.content.rules;
    let was_armed =
        rules.reminders_seconds.iter().any(|seconds| (1..rules.decision_deadline_seconds).contains(seconds));
    was_armed.then_some(TimerChange::Disarm(TimerKind::Reminder))
}

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
