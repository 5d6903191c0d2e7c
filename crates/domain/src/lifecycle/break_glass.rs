//! Break-glass access: two different managers approve, and a break-glass policy replaces the customer approval. The digest,
//! the deadline, the end of access and the audit log are the same as for a regular request.

use chrono::{DateTime, TimeDelta, Utc};

use super::fact::Decided;
use super::step::{Event, EventKind, Step, Transition, decision};
use crate::ids::PersonId;
use crate::people::Role;
use crate::refusal::Refusal;
use crate::request::{Request, Stage, State, TimerChange, TimerKind};

/// A manager's approval of break-glass access; `first` is the manager who approved before.
pub(super) fn approve(
    request: &Request,
    review_deadline: DateTime<Utc>,
    first: Option<PersonId>,
    decided: &Decided,
) -> Result<Transition, Refusal> {
    let policy_usage = decided
        .policy_usage
        .as_ref()
        .ok_or(Refusal::NoBreakGlassPolicy { why: "there is no policy with this name" })?;
    policy_usage.check(&request.content.service, decided.at)?;
    let same = request.content.break_glass.as_ref().is_some_and(|named| named.digest == policy_usage.policy.digest());
    if !same || request.content.duration_seconds > policy_usage.policy.ceiling_seconds {
        return Err(Refusal::NoBreakGlassPolicy { why: "the policy is not the one that the request names" });
    }
    let stored = Some(decision(Stage::Vendor, Role::Manager, decided));
    let step = Step::by(request, decided);
    if first.is_none() {
        let next = State::PendingVendor { review_deadline, first: Some(decided.by.id) };
        let events = vec![step.event(EventKind::BreakGlassSupported, &next)];
        return Ok(Transition { next, events, timers: Vec::new(), decision: stored });
    }
    let (access_from, access_until) = (decided.at, decided.at + TimeDelta::seconds(request.content.duration_seconds));
    let next = State::Active { access_from, access_until };
    let approved = Event { to: request.state.as_str(), ..step.event(EventKind::BreakGlassApproved, &next) };
    let activated = Event {
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
    Ok(Transition { next, events: vec![approved, activated], timers, decision: stored })
}
