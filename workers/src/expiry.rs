//! Role `expiry`: takes hints that a timer may be due (`timer.due`), asks the row and the database's clock, and says
//! `request.expired`, `request.reminded` or `access.ended`. A hint that is early waits again; one that is stale is dropped.
//!
//! The sweep in [`crate::supervisor`] brings what no hint came for through the same function.

use contracts::commands::TimerDue;
use contracts::{Command, Envelope, Kind, Malformed};
use domain::{Fact, Stage, TimerKind};
use store::{Hint, Lock, Wanted};

use crate::role::{Received, Role, RoleName, command};
use crate::world::World;

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

    fn want(&self, received: &Received<Command>, wanted: &mut Wanted) {
        if let Command::TimerDue(due) = &received.body {
            wanted.requests.push(due.request);
        }
    }

    fn lock(&self) -> Lock {
        if self.sweeping { Lock::Skip } else { Lock::Wait }
    }

    fn handle(&self, received: &Received<Command>, world: &mut World<'_>) {
        if let Command::TimerDue(due) = &received.body {
            self.fire(received, due, world);
        }
    }
}

impl Expiry {
    fn fire(self, received: &Received<Command>, hint: &TimerDue, world: &mut World<'_>) {
        let Some(kind) = TimerKind::parse(&hint.timer) else { return };
        let row = world.snapshot.timers.get(&(hint.request, hint.timer.clone())).copied();
        // Fired, disarmed or moved since the hint was given.
        let Some((generation, due_at)) = row.filter(|(generation, _)| *generation == hint.generation) else { return };
        if !world.snapshot.requests.contains_key(&hint.request) {
            return;
        }
        let at = world.now();
        if at < due_at {
            world.later.push(Hint { due_at, request: hint.request, kind: kind.as_str(), generation });
            return;
        }
        let by = if self.sweeping { "sweeper" } else { "hint" };
        metrics::counter!("lockbox_timers_fired_total", "by" => by, "kind" => kind.as_str()).increment(1);
        let late = (at - due_at).to_std().unwrap_or_default();
        metrics::histogram!("lockbox_timer_late_seconds", "by" => by).record(late.as_secs_f64());
        world.step(received, hint.request, None, |_| match kind {
            TimerKind::ReviewDeadline => Fact::DeadlineReached { stage: Stage::Manager, at },
            TimerKind::DecisionDeadline => Fact::DeadlineReached { stage: Stage::Customer, at },
            TimerKind::Reminder => Fact::ReminderReached { at },
            TimerKind::AccessEnd => Fact::AccessTimeReached { at },
            TimerKind::RequesterDisabled => Fact::RequesterDisabled { at },
        });
    }
}
