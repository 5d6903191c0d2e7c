//! Emergencies: two different managers say yes, and a rule that the customer's approvers gave beforehand is the
//! customer's yes. Everything else is as always: the digest, the deadline, the end, the record.

use chrono::{DateTime, TimeDelta, Utc};

use super::fact::Decided;
use super::step::{Event, EventKind, Step, Transition, decision};
use crate::ids::PersonId;
use crate::people::Role;
use crate::refusal::Refusal;
use crate::request::{Request, Stage, State, TimerChange, TimerKind};

/// A manager's yes to an emergency; `first` is the manager who said yes before.
pub(super) fn approve(
    request: &Request,
    review_deadline: DateTime<Utc>,
    first: Option<PersonId>,
    decided: &Decided,
) -> Result<Transition, Refusal> {
    let policy_status =
        decided.policy_status.as_ref().ok_or(Refusal::NoBreakGlassPolicy { why: "there is none of this name" })?;
    policy_status.check(&request.content.service, decided.at)?;
    let same = request.content.break_glass.as_ref().is_some_and(|asked| asked.digest == policy_status.policy.digest());
    if !same || request.content.duration_seconds > policy_status.policy.ceiling_seconds {
        return Err(Refusal::NoBreakGlassPolicy { why: "it is another than the one that was named" });
    }
    let kept = Some(decision(Stage::Vendor, Role::Manager, decided));
    let step = Step::by(request, decided);
    if first.is_none() {
        let next = State::PendingVendor { review_deadline, first: Some(decided.by.id) };
        let events = vec![step.event(EventKind::BreakGlassSupported, &next)];
        return Ok(Transition { next, events, timers: Vec::new(), decision: kept });
    }
    let (access_from, access_until) = (decided.at, decided.at + TimeDelta::seconds(request.content.duration_seconds));
    let next = State::Active { access_from, access_until };
    let approved = Event { to: request.state.as_str(), ..step.event(EventKind::BreakGlassApproved, &next) };
    let granted = Event {
        kind: EventKind::GrantActivated { access_from, access_until },
        at: decided.at,
        from: Some(request.state.as_str()),
        to: next.as_str(),
        actor: None,
        comment: None,
        proof: None,
    };
    let timers =
        vec![TimerChange::Disarm(TimerKind::ReviewDeadline), TimerChange::Arm(TimerKind::GrantEnd, access_until)];
    Ok(Transition { next, events: vec![approved, granted], timers, decision: kept })
}
