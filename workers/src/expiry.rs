//! Role `expiry`: consumes timer wake-ups (`timer.due`), checks the timer's row against the database's clock, and writes
//! `request.expired`, `request.reminded` or `grant.ended`. A wake-up that is early waits again. A stale one is ignored.
//!
//! The recovery scan in [`crate::supervisor`] passes overdue timers without a wake-up through the same code.

use contracts::commands::TimerDue;
use contracts::{Command, Envelope, Kind, Malformed};
use domain::{Fact, Stage, TimerKind};
use store::{Lock, ReadSet, TimerWakeUp};

use crate::context::BatchContext;
use crate::received::Received;
use crate::role::{Role, read_command};
use crate::role_name::RoleName;

/// The role.
#[derive(Debug, Clone, Copy)]
pub struct Expiry {
    /// Whether the recovery scan found the timers. It skips requests that another transaction has locked.
    pub is_recovery_scan: bool,
}

impl Role for Expiry {
    type Message = Command;

    fn name(&self) -> RoleName {
        RoleName::Expiry
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Command, Malformed> {
        read_command(kind, envelope, &[Kind::TimerDue])
    }

    fn collect_reads(&self, received: &Received<Command>, read_set: &mut ReadSet) {
        if let Command::TimerDue(due) = &received.body {
            read_set.requests.push(due.request);
        }
    }

    fn lock(&self) -> Lock {
        if self.is_recovery_scan { Lock::Skip } else { Lock::Wait }
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
        // The timer fired, was disarmed or changed after this wake-up was created.
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
        let by = if self.is_recovery_scan { "recovery_scan" } else { "wake_up" };
        metrics::counter!("lockbox_timers_fired_total", "by" => by, "kind" => kind.as_str()).increment(1);
        let late = (at - due_at).to_std().unwrap_or_default();
        metrics::histogram!("lockbox_timer_late_seconds", "by" => by).record(late.as_secs_f64());
        context.apply_fact(received, wake_up.request, None, |_| match kind {
            TimerKind::ReviewDeadline => Fact::DeadlineReached { stage: Stage::Vendor, at },
            TimerKind::DecisionDeadline => Fact::DeadlineReached { stage: Stage::Customer, at },
            TimerKind::Reminder => Fact::ReminderReached { at },
            TimerKind::GrantEnd => Fact::AccessTimeReached { at },
            TimerKind::RequesterDisabled => Fact::RequesterDisabled { at },
        });
    }
}
