//! Role `expiry`: takes hints that a timer may be due (`timer.due`), asks the row and the database's clock, and says
//! `request.expired`, `request.reminded` or `grant.ended`. A hint that is early waits again; one that is stale is dropped.
//!
//! The sweep in [`crate::supervisor`] brings what no hint came for through the same function.

use contracts::commands::TimerDue;
use contracts::{Command, Envelope, Kind, Malformed};
use domain::{Fact, Stage, TimerKind};
use store::{Lock, ReadSet, TimerWakeUp};

use crate::context::BatchContext;
use crate::role::{Received, Role, RoleName, command};

/// The role.
#[derive(Debug, Clone, Copy)]
pub struct Expiry {
    /// Whether the sweeper brought the timers, which leaves out requests that somebody else holds.
    pub sweeping: bool,
}

impl Role for Expiry {
    type Message = Command;

    fn name(&self) -> RoleName {
        RoleName::Expiry
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Command, Malformed> {
        command(kind, envelope, &[Kind::TimerDue])
    }

    fn want(&self, received: &Received<Command>, read_set: &mut ReadSet) {
        if let Command::TimerDue(due) = &received.body {
            read_set.requests.push(due.request);
        }
    }

    fn lock(&self) -> Lock {
        if self.sweeping { Lock::Skip } else { Lock::Wait }
    }

    fn handle(&self, received: &Received<Command>, context: &mut BatchContext<'_>) {
        if let Command::TimerDue(due) = &received.body {
            self.fire(received, due, context);
        }
    }
}

impl Expiry {
    fn fire(self, received: &Received<Command>, wake_up: &TimerDue, context: &mut BatchContext<'_>) {
        let Some(kind) = TimerKind::parse(&wake_up.timer) else { return };
        let row = context.snapshot.timers.get(&(wake_up.request, wake_up.timer.clone())).copied();
        // Fired, disarmed or moved since the hint was given.
        let Some((generation, due_at)) = row.filter(|(generation, _)| *generation == wake_up.generation) else {
            return;
        };
        if !context.snapshot.requests.contains_key(&wake_up.request) {
            return;
        }
        let at = context.now();
        if at < due_at {
            context.later.push(TimerWakeUp { due_at, request: wake_up.request, kind: kind.as_str(), generation });
            return;
        }
        let by = if self.sweeping { "sweeper" } else { "hint" };
        metrics::counter!("lockbox_timers_fired_total", "by" => by, "kind" => kind.as_str()).increment(1);
        let late = (at - due_at).to_std().unwrap_or_default();
        metrics::histogram!("lockbox_timer_late_seconds", "by" => by).record(late.as_secs_f64());
        context.step(received, wake_up.request, None, |_| match kind {
            TimerKind::ReviewDeadline => Fact::DeadlineReached { stage: Stage::Vendor, at },
            TimerKind::DecisionDeadline => Fact::DeadlineReached { stage: Stage::Customer, at },
            TimerKind::Reminder => Fact::ReminderReached { at },
            TimerKind::GrantEnd => Fact::AccessTimeReached { at },
            TimerKind::RequesterDisabled => Fact::RequesterDisabled { at },
        });
    }
}
