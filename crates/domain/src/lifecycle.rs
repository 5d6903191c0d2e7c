//! The one function that decides: [`transition`] takes a request and a fact, and returns the next state, its events, timers
//! and decision as data, or a refusal.
//!
//! Deliberately absent: the clock (facts carry their time, which the store reads under the row's lock), the database
//! and the broker. The match is nested by state, so that the compiler checks that every pair is handled.
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
mod comments;
mod fact;
mod remind;
mod reminders;
mod report;
mod step;

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

/// Decides what follows when `fact` happens to `request`.
///
/// # Errors
/// The refusal, when the fact is not allowed in this state.
pub fn transition(request: &Request, fact: &Fact) -> Result<Transition, Refusal> {
    match &request.state {
        State::PendingVendor { review_deadline, first } => pending_vendor(request, *review_deadline, *first, fact),
        State::PendingCustomer { manager, decision_deadline, approvals } => {
            let stage = CustomerStage { manager: *manager, decision_deadline: *decision_deadline, approvals };
            pending_customer(request, &stage, fact)
        }
        State::Active { access_from: _, access_until } => active(request, *access_until, fact),
        State::Ended { .. }
        | State::VendorDenied
        | State::CustomerDenied
        | State::Expired { .. }
        | State::Withdrawn { .. } => finished(request, fact),
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
                Verdict::Deny => Ok(Step::by(request, decided).finish(
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
            Ok(expire(request, Stage::Vendor, review_deadline, *at))
        }
        Fact::DeadlineReached { stage: Stage::Customer, at: _ } | Fact::ReminderReached { at: _ } => {
            Err(Refusal::NotReviewed)
        }
        Fact::AccessTimeReached { at: _ } | Fact::RevocationRequested { .. } => Err(not_active(request)),
        Fact::WithdrawalRequested { by, comment, at } => {
            withdraw(request, by, comment.as_deref(), *at, TimerKind::ReviewDeadline)
        }
        Fact::Commented(comment) => comments::record(request, comment),
        Fact::ReportResponded(response) => report::respond(request, response),
        Fact::RequesterDisabled { at } => {
            Ok(disarm_disabled_timer(withdrawn(request, Withdrawal::RequesterDisabled, *at, TimerKind::ReviewDeadline)))
        }
        Fact::TicketClosed { at } => Ok(withdrawn(request, Withdrawal::TicketClosed, *at, TimerKind::ReviewDeadline)),
    }
}

struct CustomerStage<'a> {
    manager: PersonId,
    decision_deadline: DateTime<Utc>,
    approvals: &'a [Approval],
}

fn pending_customer(request: &Request, stage: &CustomerStage<'_>, fact: &Fact) -> Result<Transition, Refusal> {
    match fact {
        Fact::VendorDecided(decided) => {
            authority::manager(request, decided)?;
            if decided.by.id == stage.manager {
                return Err(Refusal::Repeated);
            }
            Err(stage_finished(request))
        }
        Fact::CustomerDecided(decided) => customer_decides(request, stage, decided),
        Fact::DeadlineReached { stage: Stage::Customer, at } => {
            due(stage.decision_deadline, *at)?;
            Ok(expire(request, Stage::Customer, stage.decision_deadline, *at))
        }
        Fact::DeadlineReached { stage: Stage::Vendor, at: _ } => Err(stage_finished(request)),
        // The deadline passed without a decision, so a reminder has no use.
        Fact::ReminderReached { at } if *at >= stage.decision_deadline => {
            Ok(expire(request, Stage::Customer, stage.decision_deadline, *at))
        }
        Fact::ReminderReached { at } => remind::remind(request, stage.decision_deadline, *at),
        Fact::AccessTimeReached { at: _ } | Fact::RevocationRequested { .. } => Err(not_active(request)),
        Fact::WithdrawalRequested { by, comment, at } => {
            withdraw(request, by, comment.as_deref(), *at, TimerKind::DecisionDeadline)
        }
        Fact::Commented(comment) => comments::record(request, comment),
        Fact::ReportResponded(response) => report::respond(request, response),
        Fact::RequesterDisabled { at } => Ok(disarm_disabled_timer(withdrawn(
            request,
            Withdrawal::RequesterDisabled,
            *at,
            TimerKind::DecisionDeadline,
        ))),
        Fact::TicketClosed { at } => Ok(withdrawn(request, Withdrawal::TicketClosed, *at, TimerKind::DecisionDeadline)),
    }
}

fn customer_decides(request: &Request, stage: &CustomerStage<'_>, decided: &Decided) -> Result<Transition, Refusal> {
    authority::customer(request, decided)?;
    if decided.by.id == stage.manager {
        return Err(Refusal::BothSides);
    }
    if stage.approvals.iter().any(|approval| approval.person == decided.by.id) {
        return Err(Refusal::Repeated);
    }
    before(stage.decision_deadline, decided.at)?;
    authority::comment(request, decided)?;
    authority::passkey(request, decided)?;
    let step = Step::by(request, decided);
    let mut stored = decision(Stage::Customer, Role::Approver, decided);
    if decided.verdict == Verdict::Deny {
        let kind = EventKind::CustomerDenied;
        return Ok(step.finish(State::CustomerDenied, kind, TimerKind::DecisionDeadline, Some(stored)));
    }
    let duration_seconds = decided.duration_seconds.unwrap_or(request.content.duration_seconds);
    if duration_seconds < 1 || duration_seconds > request.content.duration_seconds {
        return Err(Refusal::DurationLonger);
    }
    stored.duration_seconds = Some(duration_seconds);
    let mut approvals = stage.approvals.to_vec();
    approvals.push(Approval { person: decided.by.id, duration_seconds });
    let count = i32::try_from(approvals.len()).unwrap_or(i32::MAX);
    let approved = EventKind::CustomerApproved { approvals: count, duration_seconds };
    // At least one approval is required, whatever number was stored.
    if count < request.content.rules.required_approvals.max(1) {
        let next =
            State::PendingCustomer { manager: stage.manager, decision_deadline: stage.decision_deadline, approvals };
        let events = vec![step.event(approved, &next)];
        return Ok(Transition { next, events, timers: Vec::new(), decision: Some(stored) });
    }
    let shortest = approvals.iter().map(|approval| approval.duration_seconds).min().unwrap_or(duration_seconds);
    let access_from = request.content.start_time.map_or(decided.at, |start| start.max(decided.at));
    let access_until = access_from + TimeDelta::seconds(shortest);
    let next = State::Active { access_from, access_until };
    let activated = Event {
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
    Ok(Transition { next, events: vec![approved, activated], timers, decision: Some(stored) })
}

fn active(request: &Request, access_until: DateTime<Utc>, fact: &Fact) -> Result<Transition, Refusal> {
    let end = |cause, actor: Option<&Person>, comment: Option<&str>, at| {
        let step = Step { comment: comment.map(str::to_owned), ..Step::without_comment(request, at, actor.cloned()) };
        let kind = EventKind::GrantEnded { cause, access_until };
        step.finish(State::Ended { cause }, kind, TimerKind::GrantEnd, None)
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
        Fact::Commented(comment) => comments::record(request, comment),
        Fact::AccessTimeReached { at } => {
            due(access_until, *at)?;
            Ok(end(EndCause::Expired, None, None, *at))
        }
        Fact::RevocationRequested { by, comment, at } => {
            let cause = authority::end(request, by)?;
            if *at >= access_until {
                return Ok(end(EndCause::Expired, None, None, *at));
            }
            Ok(end(cause, Some(by), comment.as_deref(), *at))
        }
        Fact::WithdrawalRequested { by, comment: _, at: _ } => {
            authority::requester(request, by)?;
            Err(Refusal::AlreadyActive)
        }
        Fact::ReportResponded(response) => report::respond(request, response),
        Fact::RequesterDisabled { at } => Ok(disarm_disabled_timer(end(EndCause::RequesterDisabled, None, None, *at))),
        Fact::TicketClosed { at } => Ok(end(EndCause::TicketClosed, None, None, *at)),
    }
}

/// A final state allows nothing but the response to the access report. Authority is checked first, so that outsiders learn nothing.
fn finished(request: &Request, fact: &Fact) -> Result<Transition, Refusal> {
    match fact {
        Fact::VendorDecided(decided) => {
            authority::manager(request, decided)?;
            Err(already_finished(request))
        }
        Fact::CustomerDecided(decided) => {
            authority::customer(request, decided)?;
            Err(already_finished(request))
        }
        Fact::RevocationRequested { by, .. } => {
            authority::end(request, by)?;
            Err(already_finished(request))
        }
        Fact::WithdrawalRequested { by, .. } => {
            authority::requester(request, by)?;
            Err(already_finished(request))
        }
        Fact::Commented(comment) => comments::record(request, comment),
        Fact::ReportResponded(response) => report::respond(request, response),
        Fact::DeadlineReached { .. }
        | Fact::ReminderReached { .. }
        | Fact::AccessTimeReached { .. }
        | Fact::RequesterDisabled { .. }
        | Fact::TicketClosed { .. } => Err(already_finished(request)),
    }
}

fn expire(request: &Request, stage: Stage, deadline: DateTime<Utc>, at: DateTime<Utc>) -> Transition {
    let timer = match stage {
        Stage::Vendor => TimerKind::ReviewDeadline,
        Stage::Customer => TimerKind::DecisionDeadline,
    };
    let step = Step::without_comment(request, at, None);
    step.finish(State::Expired { stage }, EventKind::Expired { stage, deadline }, timer, None)
}

fn withdraw(
    request: &Request,
    by: &Person,
    comment: Option<&str>,
    at: DateTime<Utc>,
    timer: TimerKind,
) -> Result<Transition, Refusal> {
    authority::requester(request, by)?;
    let cause = Withdrawal::Requester;
    let step = Step { comment: comment.map(str::to_owned), ..Step::without_comment(request, at, Some(by.clone())) };
    Ok(step.finish(State::Withdrawn { cause }, EventKind::Withdrawn { cause }, timer, None))
}

/// A withdrawal with a cause other than the requester.
fn withdrawn(request: &Request, cause: Withdrawal, at: DateTime<Utc>, timer: TimerKind) -> Transition {
    let step = Step::without_comment(request, at, None);
    step.finish(State::Withdrawn { cause }, EventKind::Withdrawn { cause }, timer, None)
}

/// Disarms the timer that the directory armed when it disabled the requester.
fn disarm_disabled_timer(mut transition: Transition) -> Transition {
    transition.timers.push(TimerChange::Disarm(TimerKind::RequesterDisabled));
    transition
}

#[cfg(test)]
pub(crate) mod tests;
