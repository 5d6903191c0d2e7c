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
mod chart;
mod checks;
mod emergency;
mod fact;
mod remind;
mod reminders;
mod report;
mod step;
mod talk;

use checks::{already_over, before, due, not_granted, stage_over};
use step::{Step, decision};

pub use chart::{Row, chart};
pub use fact::{Comment, Decided, Fact, ReportAnswered};
pub use step::{Event, EventKind, Transition};

/// The first step of a request: its state, its event and its timer.
pub fn submit(content: Content, requester: Person, at: DateTime<Utc>) -> (Request, Transition) {
    let review_by = at + TimeDelta::seconds(content.rules.review_deadline_seconds);
    let state = State::AwaitingManager { review_by, first: None };
    let event = Event {
        kind: EventKind::Submitted { review_by },
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
        timers: vec![TimerChange::Arm(TimerKind::ReviewDeadline, review_by)],
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
        State::AwaitingManager { review_by, first } => awaiting_manager(request, *review_by, *first, fact),
        State::AwaitingCustomer { manager, decide_by, approvals } => {
            let waiting = Waiting { manager: *manager, decide_by: *decide_by, approvals };
            awaiting_customer(request, &waiting, fact)
        }
        State::Granted { access_from: _, access_until } => granted(request, *access_until, fact),
        State::Ended { .. }
        | State::ManagerRejected
        | State::CustomerRejected
        | State::Expired { .. }
        | State::Withdrawn { .. } => over(request, fact),
    }
}

fn awaiting_manager(
    request: &Request,
    review_by: DateTime<Utc>,
    first: Option<PersonId>,
    fact: &Fact,
) -> Result<Transition, Refusal> {
    match fact {
        Fact::ManagerDecided(decided) => {
            authority::manager(request, decided)?;
            if first == Some(decided.by.id) {
                return Err(Refusal::Repeated);
            }
            before(review_by, decided.at)?;
            if decided.verdict == Verdict::Approve && request.content.emergency.is_some() {
                return emergency::approve(request, review_by, first, decided);
            }
            let decision = decision(Stage::Manager, Role::Manager, decided);
            match decided.verdict {
                Verdict::Approve => {
                    let decide_by = decided.at + TimeDelta::seconds(request.content.rules.decision_deadline_seconds);
                    let next = State::AwaitingCustomer { manager: decided.by.id, decide_by, approvals: Vec::new() };
                    let step = Step::by(request, decided);
                    let mut timers = vec![
                        TimerChange::Disarm(TimerKind::ReviewDeadline),
                        TimerChange::Arm(TimerKind::DecisionDeadline, decide_by),
                    ];
                    timers.extend(reminders::arm(request, decide_by, decided.at));
                    Ok(Transition {
                        events: vec![step.event(EventKind::ManagerApproved { decide_by }, &next)],
                        next,
                        timers,
                        decision: Some(decision),
                    })
                }
                Verdict::Reject => Ok(Step::by(request, decided).ends(
                    State::ManagerRejected,
                    EventKind::ManagerRejected,
                    TimerKind::ReviewDeadline,
                    Some(decision),
                )),
            }
        }
        Fact::CustomerDecided(decided) => {
            authority::customer(request, decided)?;
            Err(Refusal::NotReviewed)
        }
        Fact::DeadlineReached { stage: Stage::Manager, at } => {
            due(review_by, *at)?;
            Ok(expires(request, Stage::Manager, review_by, *at))
        }
        Fact::DeadlineReached { stage: Stage::Customer, at: _ } | Fact::ReminderReached { at: _ } => {
            Err(Refusal::NotReviewed)
        }
        Fact::AccessTimeReached { at: _ } | Fact::EndAsked { .. } => Err(not_granted(request)),
        Fact::WithdrawAsked { by, comment, at } => {
            withdraws(request, by, comment.as_deref(), *at, TimerKind::ReviewDeadline)
        }
        Fact::Commented(said) => talk::say(request, said),
        Fact::ReportAnswered(answered) => report::answer(request, answered),
        Fact::RequesterDisabled { at } => {
            Ok(fired(withdrawn(request, Withdrawal::PersonDisabled, *at, TimerKind::ReviewDeadline)))
        }
        Fact::TicketClosed { at } => Ok(withdrawn(request, Withdrawal::TicketClosed, *at, TimerKind::ReviewDeadline)),
    }
}

struct Waiting<'a> {
    manager: PersonId,
    decide_by: DateTime<Utc>,
    approvals: &'a [Approval],
}

fn awaiting_customer(request: &Request, waiting: &Waiting<'_>, fact: &Fact) -> Result<Transition, Refusal> {
    match fact {
        Fact::ManagerDecided(decided) => {
            authority::manager(request, decided)?;
            if decided.by.id == waiting.manager {
                return Err(Refusal::Repeated);
            }
            Err(stage_over(request))
        }
        Fact::CustomerDecided(decided) => customer_decides(request, waiting, decided),
        Fact::DeadlineReached { stage: Stage::Customer, at } => {
            due(waiting.decide_by, *at)?;
            Ok(expires(request, Stage::Customer, waiting.decide_by, *at))
        }
        Fact::DeadlineReached { stage: Stage::Manager, at: _ } => Err(stage_over(request)),
        // Reminding is no use any more: nobody answered.
        Fact::ReminderReached { at } if *at >= waiting.decide_by => {
            Ok(expires(request, Stage::Customer, waiting.decide_by, *at))
        }
        Fact::ReminderReached { at } => remind::remind(request, waiting.decide_by, *at),
        Fact::AccessTimeReached { at: _ } | Fact::EndAsked { .. } => Err(not_granted(request)),
        Fact::WithdrawAsked { by, comment, at } => {
            withdraws(request, by, comment.as_deref(), *at, TimerKind::DecisionDeadline)
        }
        Fact::Commented(said) => talk::say(request, said),
        Fact::ReportAnswered(answered) => report::answer(request, answered),
        Fact::RequesterDisabled { at } => {
            Ok(fired(withdrawn(request, Withdrawal::PersonDisabled, *at, TimerKind::DecisionDeadline)))
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
    before(waiting.decide_by, decided.at)?;
    authority::comment(request, decided)?;
    authority::passkey(request, decided)?;
    let step = Step::by(request, decided);
    let mut kept = decision(Stage::Customer, Role::Approver, decided);
    if decided.verdict == Verdict::Reject {
        let kind = EventKind::CustomerRejected;
        return Ok(step.ends(State::CustomerRejected, kind, TimerKind::DecisionDeadline, Some(kept)));
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
        let next = State::AwaitingCustomer { manager: waiting.manager, decide_by: waiting.decide_by, approvals };
        let events = vec![step.event(approved, &next)];
        return Ok(Transition { next, events, timers: Vec::new(), decision: Some(kept) });
    }
    let shortest = approvals.iter().map(|approval| approval.duration_seconds).min().unwrap_or(duration_seconds);
    let access_from = request.content.starts_at.map_or(decided.at, |start| start.max(decided.at));
    let access_until = access_from + TimeDelta::seconds(shortest);
    let next = State::Granted { access_from, access_until };
    let granted = Event {
        kind: EventKind::AccessGranted { access_from, access_until },
        at: decided.at,
        from: Some(request.state.as_str()),
        to: next.as_str(),
        actor: None,
        comment: None,
        proof: None,
    };
    let approved = Event { to: request.state.as_str(), ..step.event(approved, &next) };
    let mut timers =
        vec![TimerChange::Disarm(TimerKind::DecisionDeadline), TimerChange::Arm(TimerKind::AccessEnd, access_until)];
    timers.extend(reminders::stop(request));
    Ok(Transition { next, events: vec![approved, granted], timers, decision: Some(kept) })
}

fn granted(request: &Request, access_until: DateTime<Utc>, fact: &Fact) -> Result<Transition, Refusal> {
    let end = |cause, actor: Option<&Person>, comment: Option<&str>, at| {
        let step = Step { comment: comment.map(str::to_owned), ..Step::quiet(request, at, actor.cloned()) };
        let kind = EventKind::AccessEnded { cause, access_until };
        step.ends(State::Ended { cause }, kind, TimerKind::AccessEnd, None)
    };
    match fact {
        Fact::ManagerDecided(decided) => {
            authority::manager(request, decided)?;
            Err(stage_over(request))
        }
        Fact::CustomerDecided(decided) => {
            authority::customer(request, decided)?;
            Err(stage_over(request))
        }
        Fact::DeadlineReached { stage: _, at: _ } | Fact::ReminderReached { at: _ } => Err(stage_over(request)),
        Fact::Commented(said) => talk::say(request, said),
        Fact::AccessTimeReached { at } => {
            due(access_until, *at)?;
            Ok(end(EndCause::Time, None, None, *at))
        }
        Fact::EndAsked { by, comment, at } => {
            let cause = authority::end(request, by)?;
            if *at >= access_until {
                return Ok(end(EndCause::Time, None, None, *at));
            }
            Ok(end(cause, Some(by), comment.as_deref(), *at))
        }
        Fact::WithdrawAsked { by, comment: _, at: _ } => {
            authority::requester(request, by)?;
            Err(Refusal::AlreadyGranted)
        }
        Fact::ReportAnswered(answered) => report::answer(request, answered),
        Fact::RequesterDisabled { at } => Ok(fired(end(EndCause::PersonDisabled, None, None, *at))),
        Fact::TicketClosed { at } => Ok(end(EndCause::TicketClosed, None, None, *at)),
    }
}

/// Nothing follows an ending but the customer's word on the closing report. Authority is asked first, so that strangers learn nothing.
fn over(request: &Request, fact: &Fact) -> Result<Transition, Refusal> {
    match fact {
        Fact::ManagerDecided(decided) => {
            authority::manager(request, decided)?;
            Err(already_over(request))
        }
        Fact::CustomerDecided(decided) => {
            authority::customer(request, decided)?;
            Err(already_over(request))
        }
        Fact::EndAsked { by, .. } => {
            authority::end(request, by)?;
            Err(already_over(request))
        }
        Fact::WithdrawAsked { by, .. } => {
            authority::requester(request, by)?;
            Err(already_over(request))
        }
        Fact::Commented(said) => talk::say(request, said),
        Fact::ReportAnswered(answered) => report::answer(request, answered),
        Fact::DeadlineReached { .. }
        | Fact::ReminderReached { .. }
        | Fact::AccessTimeReached { .. }
        | Fact::RequesterDisabled { .. }
        | Fact::TicketClosed { .. } => Err(already_over(request)),
    }
}

fn expires(request: &Request, stage: Stage, deadline: DateTime<Utc>, at: DateTime<Utc>) -> Transition {
    let timer = match stage {
        Stage::Manager => TimerKind::ReviewDeadline,
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
    let cause = Withdrawal::Engineer;
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
