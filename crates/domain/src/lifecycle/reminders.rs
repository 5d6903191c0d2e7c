//! When approvers are reminded: one timer, armed for the next reminder.

use chrono::{DateTime, TimeDelta, Utc};

use crate::request::{Request, TimerChange, TimerKind};

/// The times at which approvers are reminded, earliest first.
pub(super) fn moments(request: &Request, decision_deadline: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let before = |seconds: &i64| decision_deadline - TimeDelta::seconds(*seconds);
    let mut moments: Vec<_> = request.content.rules.reminders_seconds.iter().map(before).collect();
    moments.sort_unstable();
    moments
}

/// Arms the first reminder after `at`, if there is one before the deadline.
pub(super) fn arm(request: &Request, decision_deadline: DateTime<Utc>, at: DateTime<Utc>) -> Option<TimerChange> {
    let next =
        moments(request, decision_deadline).into_iter().find(|moment| *moment > at && *moment < decision_deadline)?;
    Some(TimerChange::Arm(TimerKind::Reminder, next))
}

/// Disarms the reminder, if one was armed: a reminder before the start of the customer's stage never was.
pub(super) fn stop(request: &Request) -> Option<TimerChange> {
    let rules = &request.content.rules;
    let was_armed =
        rules.reminders_seconds.iter().any(|seconds| (1..rules.decision_deadline_seconds).contains(seconds));
    was_armed.then_some(TimerChange::Disarm(TimerKind::Reminder))
}
