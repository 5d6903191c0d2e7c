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
    review_by: DateTime<Utc>,
    first: Option<PersonId>,
    decided: &Decided,
) -> Result<Transition, Refusal> {
    let standing = decided.standing.as_ref().ok_or(Refusal::NoStandingConsent { why: "there is none of this name" })?;
    standing.check(&request.content.service, decided.at)?;
    let same = request.content.emergency.as_ref().is_some_and(|asked| asked.digest == standing.consent.digest());
    if !same || request.content.duration_seconds > standing.consent.ceiling_seconds {
        return Err(Refusal::NoStandingConsent { why: "it is another than the one that was named" });
    }
    let kept = Some(decision(Stage::Manager, Role::Manager, decided));
    let step = Step::by(request, decided);
    if first.is_none() {
        let next = State::AwaitingManager { review_by, first: Some(decided.by.id) };
        let events = vec![step.event(EventKind::EmergencySupported, &next)];
        return Ok(Transition { next, events, timers: Vec::new(), decision: kept });
    }
    let (access_from, access_until) = (decided.at, decided.at + TimeDelta::seconds(request.content.duration_seconds));
    let next = State::Granted { access_from, access_until };
    let approved = Event { to: request.state.as_str(), ..step.event(EventKind::EmergencyApproved, &next) };
    let granted = Event {
        kind: EventKind::AccessGranted { access_from, access_until },
        at: decided.at,
        from: Some(request.state.as_str()),
        to: next.as_str(),
        actor: None,
        comment: None,
        proof: None,
    };
    let timers =
        vec![TimerChange::Disarm(TimerKind::ReviewDeadline), TimerChange::Arm(TimerKind::AccessEnd, access_until)];
    Ok(Transition { next, events: vec![approved, granted], timers, decision: kept })
}
