//! The one function that decides: [`transition`] takes where a request stands and a fact, and answers with the next
//! state, its events, timers and decision as data, or with a refusal.
//!
//! Deliberately absent: the clock (facts carry their time, read by the committer under the row's lock), the database
//! and the broker. The match is nested by state so that the compiler proves that no pair was forgotten.
#![deny(clippy::wildcard_enum_match_arm)]

use chrono::{DateTime, TimeDelta, Utc};

use crate::content::Content;
use crate::ids::PersonId;
use crate::people::{Person, Role};
use crate::refusal::Refusal;
use crate::request::{Approval, EndCause, Request, Stage, State, TimerChange, TimerKind, Withdrawal};
use crate::verdict::Verdict;

mod authority;
mod break_glass;
mod chart;
mod checks;
mod fact;
mod remind;
mod reminders;
mod report;
mod step;
mod talk;

use checks::{already_finished, before, due, not_active, stage_finished};
use step::{Step, decision};

pub use chart::{Row, chart};
pub use fact::{Comment, Decided, Fact, ReportResponded};
pub use step::{Event, EventKind, Transition};

/// The first step of a request: its state, its event and its timer.
pub fn submit(content: Content, requester: Person, at: DateTime<Utc>) -> (Request, Transition) {
    let review_deadline = at + TimeDelta::seconds(content.rules.review_deadline_seconds);
    let state = State::PendingVendor { review_deadline, first: None };
    let event = Event {
        kind: EventKind::Submitted { review_deadline },
        at,
        from: None,
        to: state.as_str(),
        actor: Some(requester),
        comment: None,
        proof: None,
    };
    let transition = Transition {
        next: state.clone(),
        events: vec![event],
        timers: vec![TimerChange::Arm(TimerKind::ReviewDeadline, review_deadline)],
        decision: None,
    };
    let digest = content.digest();
    (Request { content, digest, state, version: 0 }, transition)
}

/// Decides what follows when `fact` meets `request`.
///
/// # Errors
/// The refusal, when the fact changes nothing.
pub fn transition(request: &Request, fact: &Fact) -> Result<Transition, Refusal> {
    match &request.state {
        State::PendingVendor { review_deadline, first } => pending_vendor(request, *review_deadline, *first, fact),
        State::PendingCustomer { manager, decision_deadline, approvals } => {
            let waiting = Waiting { manager: *manager, decision_deadline: *decision_deadline, approvals };
            pending_customer(request, &waiting, fact)
        }
        State::Active { access_from: _, access_until } => granted(request, *access_until, fact),
        State::Ended { .. }
        | State::VendorDenied
        | State::CustomerDenied
        | State::Expired { .. }
        | State::Withdrawn { .. } => over(request, fact),
    }
}

fn pending_vendor(
    request: &Request,
    review_deadline: DateTime<Utc>,
    first: Option<PersonId>,
    fact: &Fact,
) -> Result<Transition, Refusal> {
    match fact {
        Fact::VendorDecided(decided) => {
            authority::manager(request, decided)?;
            if first == Some(decided.by.id) {
                return Err(Refusal::Repeated);
            }
            before(review_deadline, decided.at)?;
            if decided.verdict == Verdict::Approve && request.content.break_glass.is_some() {
                return break_glass::approve(request, review_deadline, first, decided);
            }
            let decision = decision(Stage::Vendor, Role::Manager, decided);
            match decided.verdict {
                Verdict::Approve => {
                    let decision_deadline =
                        decided.at + TimeDelta::seconds(request.content.rules.decision_deadline_seconds);
                    let next =
                        State::PendingCustomer { manager: decided.by.id, decision_deadline, approvals: Vec::new() };
                    let step = Step::by(request, decided);
                    let mut timers = vec![
                        TimerChange::Disarm(TimerKind::ReviewDeadline),
                        TimerChange::Arm(TimerKind::DecisionDeadline, decision_deadline),
                    ];
                    timers.extend(reminders::arm(request, decision_deadline, decided.at));
                    Ok(Transition {
                        events: vec![step.event(EventKind::VendorApproved { decision_deadline }, &next)],
                        next,
                        timers,
                        decision: Some(decision),
                    })
                }
                Verdict::Deny => Ok(Step::by(request, decided).ends(
                    State::VendorDenied,
                    EventKind::VendorDenied,
                    TimerKind::ReviewDeadline,
                    Some(decision),
                )),
            }
        }
        Fact::CustomerDecided(decided) => {
            authority::customer(request, decided)?;
            Err(Refusal::NotReviewed)
        }
        Fact::DeadlineReached { stage: Stage::Vendor, at } => {
            due(review_deadline, *at)?;
            Ok(expires(request, Stage::Vendor, review_deadline, *at))
        }
        Fact::DeadlineReached { stage: Stage::Customer, at: _ } | Fact::ReminderReached { at: _ } => {
            Err(Refusal::NotReviewed)
        }
        Fact::AccessTimeReached { at: _ } | Fact::EndAsked { .. } => Err(not_active(request)),
        Fact::WithdrawAsked { by, comment, at } => {
            withdraws(request, by, comment.as_deref(), *at, TimerKind::ReviewDeadline)
        }
        Fact::Commented(said) => talk::say(request, said),
        Fact::ReportResponded(answered) => report::answer(request, answered),
        Fact::RequesterDisabled { at } => {
            Ok(fired(withdrawn(request, Withdrawal::RequesterDisabled, *at, TimerKind::ReviewDeadline)))
        }
        Fact::TicketClosed { at } => Ok(withdrawn(request, Withdrawal::TicketClosed, *at, TimerKind::ReviewDeadline)),
    }
}

struct Waiting<'a> {
    manager: PersonId,
    decision_deadline: DateTime<Utc>,
    approvals: &'a [Approval],
}

fn pending_customer(request: &Request, waiting: &Waiting<'_>, fact: &Fact) -> Result<Transition, Refusal> {
    match fact {
        Fact::VendorDecided(decided) => {
            authority::manager(request, decided)?;
            if decided.by.id == waiting.manager {
                return Err(Refusal::Repeated);
            }
            Err(stage_finished(request))
        }
        Fact::CustomerDecided(decided) => customer_decides(request, waiting, decided),
        Fact::DeadlineReached { stage: Stage::Customer, at } => {
            due(waiting.decision_deadline, *at)?;
            Ok(expires(request, Stage::Customer, waiting.decision_deadline, *at))
        }
        Fact::DeadlineReached { stage: Stage::Vendor, at: _ } => Err(stage_finished(request)),
        // Reminding is no use any more: nobody answered.
        Fact::ReminderReached { at } if *at >= waiting.decision_deadline => {
            Ok(expires(request, Stage::Customer, waiting.decision_deadline, *at))
        }
        Fact::ReminderReached { at } => remind::remind(request, waiting.decision_deadline, *at),
        Fact::AccessTimeReached { at: _ } | Fact::EndAsked { .. } => Err(not_active(request)),
        Fact::WithdrawAsked { by, comment, at } => {
            withdraws(request, by, comment.as_deref(), *at, TimerKind::DecisionDeadline)
        }
        Fact::Commented(said) => talk::say(request, said),
        Fact::ReportResponded(answered) => report::answer(request, answered),
        Fact::RequesterDisabled { at } => {
            Ok(fired(withdrawn(request, Withdrawal::RequesterDisabled, *at, TimerKind::DecisionDeadline)))
        }
        Fact::TicketClosed { at } => Ok(withdrawn(request, Withdrawal::TicketClosed, *at, TimerKind::DecisionDeadline)),
    }
}

fn customer_decides(request: &Request, waiting: &Waiting<'_>, decided: &Decided) -> Result<Transition, Refusal> {
    authority::customer(request, decided)?;
    if decided.by.id == waiting.manager {
        return Err(Refusal::BothSides);
    }
    if waiting.approvals.iter().any(|approval| approval.person == decided.by.id) {
        return Err(Refusal::Repeated);
    }
    before(waiting.decision_deadline, decided.at)?;
    authority::comment(request, decided)?;
    authority::passkey(request, decided)?;
    let step = Step::by(request, decided);
    let mut kept = decision(Stage::Customer, Role::Approver, decided);
    if decided.verdict == Verdict::Deny {
        let kind = EventKind::CustomerDenied;
        return Ok(step.ends(State::CustomerDenied, kind, TimerKind::DecisionDeadline, Some(kept)));
    }
    let duration_seconds = decided.duration_seconds.unwrap_or(request.content.duration_seconds);
    if duration_seconds < 1 || duration_seconds > request.content.duration_seconds {
        return Err(Refusal::DurationLonger);
    }
    kept.duration_seconds = Some(duration_seconds);
    let mut approvals = waiting.approvals.to_vec();
    approvals.push(Approval { person: decided.by.id, duration_seconds });
    let count = i32::try_from(approvals.len()).unwrap_or(i32::MAX);
    let approved = EventKind::CustomerApproved { approvals: count, duration_seconds };
    // The snapshot can be no less than one yes, whatever was stored.
    if count < request.content.rules.required_approvals.max(1) {
        let next = State::PendingCustomer {
            manager: waiting.manager,
            decision_deadline: waiting.decision_deadline,
            approvals,
        };
        let events = vec![step.event(approved, &next)];
        return Ok(Transition { next, events, timers: Vec::new(), decision: Some(kept) });
    }
    let shortest = approvals.iter().map(|approval| approval.duration_seconds).min().unwrap_or(duration_seconds);
    let access_from = request.content.start_time.map_or(decided.at, |start| start.max(decided.at));
    let access_until = access_from + TimeDelta::seconds(shortest);
    let next = State::Active { access_from, access_until };
    let granted = Event {
        kind: EventKind::GrantActivated { access_from, access_until },
        at: decided.at,
        from: Some(request.state.as_str()),
        to: next.as_str(),
        actor: None,
        comment: None,
        proof: None,
    };
    let approved = Event { to: request.state.as_str(), ..step.event(approved, &next) };
    let mut timers =
        vec![TimerChange::Disarm(TimerKind::DecisionDeadline), TimerChange::Arm(TimerKind::GrantEnd, access_until)];
    timers.extend(reminders::stop(request));
    Ok(Transition { next, events: vec![approved, granted], timers, decision: Some(kept) })
}

fn granted(request: &Request, access_until: DateTime<Utc>, fact: &Fact) -> Result<Transition, Refusal> {
    let end = |cause, actor: Option<&Person>, comment: Option<&str>, at| {
        let step = Step { comment: comment.map(str::to_owned), ..Step::quiet(request, at, actor.cloned()) };
        let kind = EventKind::GrantEnded { cause, access_until };
        step.ends(State::Ended { cause }, kind, TimerKind::GrantEnd, None)
    };
    match fact {
        Fact::VendorDecided(decided) => {
            authority::manager(request, decided)?;
            Err(stage_finished(request))
        }
        Fact::CustomerDecided(decided) => {
            authority::customer(request, decided)?;
            Err(stage_finished(request))
        }
        Fact::DeadlineReached { stage: _, at: _ } | Fact::ReminderReached { at: _ } => Err(stage_finished(request)),
        Fact::Commented(said) => talk::say(request, said),
        Fact::AccessTimeReached { at } => {
            due(access_until, *at)?;
            Ok(end(EndCause::Expired, None, None, *at))
        }
        Fact::EndAsked { by, comment, at } => {
            let cause = authority::end(request, by)?;
            if *at >= access_until {
                return Ok(end(EndCause::Expired, None, None, *at));
            }
            Ok(end(cause, Some(by), comment.as_deref(), *at))
        }
        Fact::WithdrawAsked { by, comment: _, at: _ } => {
            authority::requester(request, by)?;
            Err(Refusal::AlreadyActive)
        }
        Fact::ReportResponded(answered) => report::answer(request, answered),
        Fact::RequesterDisabled { at } => Ok(fired(end(EndCause::RequesterDisabled, None, None, *at))),
        Fact::TicketClosed { at } => Ok(end(EndCause::TicketClosed, None, None, *at)),
    }
}

/// Nothing follows an ending but the customer's word on the closing report. Authority is asked first, so that strangers learn nothing.
fn over(request: &Request, fact: &Fact) -> Result<Transition, Refusal> {
    match fact {
        Fact::VendorDecided(decided) => {
            authority::manager(request, decided)?;
            Err(already_finished(request))
        }
        Fact::CustomerDecided(decided) => {
            authority::customer(request, decided)?;
            Err(already_finished(request))
        }
        Fact::EndAsked { by, .. } => {
            authority::end(request, by)?;
            Err(already_finished(request))
        }
        Fact::WithdrawAsked { by, .. } => {
            authority::requester(request, by)?;
            Err(already_finished(request))
        }
        Fact::Commented(said) => talk::say(request, said),
        Fact::ReportResponded(answered) => report::answer(request, answered),
        Fact::DeadlineReached { .. }
        | Fact::ReminderReached { .. }
        | Fact::AccessTimeReached { .. }
        | Fact::RequesterDisabled { .. }
        | Fact::TicketClosed { .. } => Err(already_finished(request)),
    }
}

fn expires(request: &Request, stage: Stage, deadline: DateTime<Utc>, at: DateTime<Utc>) -> Transition {
    let timer = match stage {
        Stage::Vendor => TimerKind::ReviewDeadline,
        Stage::Customer => TimerKind::DecisionDeadline,
    };
    let step = Step::quiet(request, at, None);
    step.ends(State::Expired { stage }, EventKind::Expired { stage, deadline }, timer, None)
}

fn withdraws(
    request: &Request,
    by: &Person,
    comment: Option<&str>,
    at: DateTime<Utc>,
    timer: TimerKind,
) -> Result<Transition, Refusal> {
    authority::requester(request, by)?;
    let cause = Withdrawal::Requester;
    let step = Step { comment: comment.map(str::to_owned), ..Step::quiet(request, at, Some(by.clone())) };
    Ok(step.ends(State::Withdrawn { cause }, EventKind::Withdrawn { cause }, timer, None))
}

/// Taken back by what happened elsewhere.
fn withdrawn(request: &Request, cause: Withdrawal, at: DateTime<Utc>, timer: TimerKind) -> Transition {
    let step = Step::quiet(request, at, None);
    step.ends(State::Withdrawn { cause }, EventKind::Withdrawn { cause }, timer, None)
}

/// The timer that the directory armed when it disabled the requester has done its work.
fn fired(mut transition: Transition) -> Transition {
    transition.timers.push(TimerChange::Disarm(TimerKind::RequesterDisabled));
    transition
}

#[cfg(test)]
pub(crate) mod tests;
