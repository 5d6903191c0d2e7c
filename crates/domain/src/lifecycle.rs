//! The one function that decides: [`transition`] takes where a request stands and a fact, and answers with the next
//! state, its events, timers and decision as data, or with a refusal.
//!
//! Deliberately absent: the clock (facts carry their time, read by the committer under the row's lock), the database
//! and the broker. The match is nested by state so that the compiler proves that no pair was forgotten.
#![deny(clippy::wildcard_enum_match_arm)]

use chrono::{DateTime, TimeDelta, Utc};

use crate::content::Content;
use crate::digest::Digest;
use crate::people::{Person, Role};
use crate::refusal::Refusal;
use crate::request::{
    Approval, Decision, EndCause, Request, Stage, State, TimerChange, TimerKind, Verdict, Withdrawal,
};

mod authority;
mod chart;

pub use chart::{Row, chart};

/// Something that happened to a request. All times are the database's clock, read after the row was locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A manager of the vendor decided.
    ManagerDecided(Decided),
    /// An approver of the customer decided.
    CustomerDecided(Decided),
    /// A deadline's timer went off.
    DeadlineReached {
        /// Which deadline.
        stage: Stage,
        /// Now.
        at: DateTime<Utc>,
    },
    /// The timer for the end of access went off.
    AccessTimeReached {
        /// Now.
        at: DateTime<Utc>,
    },
    /// Somebody wants access to end early.
    EndAsked {
        /// Who.
        by: Person,
        /// In their words.
        comment: Option<String>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// The engineer takes the request back.
    WithdrawAsked {
        /// Who.
        by: Person,
        /// In their words.
        comment: Option<String>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// The ticketing system closed the service request.
    TicketClosed {
        /// Now.
        at: DateTime<Utc>,
    },
}

/// One person's yes or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Who, as the directory has them at this moment.
    pub by: Person,
    /// Yes or no.
    pub verdict: Verdict,
    /// Digest of what they were shown.
    pub digest: Digest,
    /// In their words.
    pub comment: Option<String>,
    /// `cli`, `portal` or `api`.
    pub channel: String,
    /// An approver may allow less time than asked for.
    pub duration_seconds: Option<i64>,
    /// Now.
    pub at: DateTime<Utc>,
}

/// What follows from a fact, as data: the store writes it in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The next state.
    pub next: State,
    /// The events, in order; each takes the next version of the request.
    pub events: Vec<Event>,
    /// Timers to arm and to disarm.
    pub timers: Vec<TimerChange>,
    /// The decision to keep, if somebody decided.
    pub decision: Option<Decision>,
}

/// One step of a request's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: DateTime<Utc>,
    /// State before.
    pub from: Option<&'static str>,
    /// State after.
    pub to: &'static str,
    /// The person who caused it; `None` is Lockbox itself or the ticketing system.
    pub actor: Option<Person>,
    /// The actor's words.
    pub comment: Option<String>,
}

/// The kinds of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A request was taken in.
    Submitted {
        /// The manager must answer before.
        review_by: DateTime<Utc>,
    },
    /// The manager said yes; the customer's clock runs.
    ManagerApproved {
        /// The customer must answer before.
        decide_by: DateTime<Utc>,
    },
    /// The manager said no.
    ManagerRejected,
    /// One approver said yes.
    CustomerApproved {
        /// Yeses so far, this one included.
        approvals: i32,
        /// The time this approver allows, in seconds.
        duration_seconds: i64,
    },
    /// The customer said no.
    CustomerRejected,
    /// All yeses are there: access is open.
    AccessGranted {
        /// From this moment.
        access_from: DateTime<Utc>,
        /// Until this moment.
        access_until: DateTime<Utc>,
    },
    /// Access is over.
    AccessEnded {
        /// Why.
        cause: EndCause,
        /// The end that was fixed when access was granted.
        access_until: DateTime<Utc>,
    },
    /// Nobody answered in time.
    Expired {
        /// Whose answer was missing.
        stage: Stage,
        /// The deadline.
        deadline: DateTime<Utc>,
    },
    /// Taken back before access.
    Withdrawn {
        /// Why.
        cause: Withdrawal,
    },
}

/// The first step of a request: its state, its event and its timer.
pub fn submit(content: Content, requester: Person, at: DateTime<Utc>) -> (Request, Transition) {
    let review_by = at + TimeDelta::seconds(content.rules.review_deadline_seconds);
    let state = State::AwaitingManager { review_by };
    let event = Event {
        kind: EventKind::Submitted { review_by },
        at,
        from: None,
        to: state.as_str(),
        actor: Some(requester),
        comment: None,
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
        State::AwaitingManager { review_by } => awaiting_manager(request, *review_by, fact),
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

fn awaiting_manager(request: &Request, review_by: DateTime<Utc>, fact: &Fact) -> Result<Transition, Refusal> {
    match fact {
        Fact::ManagerDecided(decided) => {
            authority::manager(request, decided)?;
            before(review_by, decided.at)?;
            let decision = decision(Stage::Manager, Role::Manager, decided);
            match decided.verdict {
                Verdict::Approve => {
                    let decide_by = decided.at + TimeDelta::seconds(request.content.rules.decision_deadline_seconds);
                    let next = State::AwaitingCustomer { manager: decided.by.id, decide_by, approvals: Vec::new() };
                    let step = Step::by(request, decided);
                    Ok(Transition {
                        events: vec![step.event(EventKind::ManagerApproved { decide_by }, &next)],
                        next,
                        timers: vec![
                            TimerChange::Disarm(TimerKind::ReviewDeadline),
                            TimerChange::Arm(TimerKind::DecisionDeadline, decide_by),
                        ],
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
        Fact::DeadlineReached { stage: Stage::Customer, at: _ } => Err(Refusal::NotReviewed),
        Fact::AccessTimeReached { at: _ } | Fact::EndAsked { .. } => Err(not_granted(request)),
        Fact::WithdrawAsked { by, comment, at } => {
            withdraws(request, by, comment.as_deref(), *at, TimerKind::ReviewDeadline)
        }
        Fact::TicketClosed { at } => Ok(ticket_closed(request, *at, TimerKind::ReviewDeadline)),
    }
}

struct Waiting<'a> {
    manager: crate::ids::PersonId,
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
        Fact::AccessTimeReached { at: _ } | Fact::EndAsked { .. } => Err(not_granted(request)),
        Fact::WithdrawAsked { by, comment, at } => {
            withdraws(request, by, comment.as_deref(), *at, TimerKind::DecisionDeadline)
        }
        Fact::TicketClosed { at } => Ok(ticket_closed(request, *at, TimerKind::DecisionDeadline)),
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
    };
    let approved = Event { to: request.state.as_str(), ..step.event(approved, &next) };
    Ok(Transition {
        next,
        events: vec![approved, granted],
        timers: vec![
            TimerChange::Disarm(TimerKind::DecisionDeadline),
            TimerChange::Arm(TimerKind::AccessEnd, access_until),
        ],
        decision: Some(kept),
    })
}

fn granted(request: &Request, access_until: DateTime<Utc>, fact: &Fact) -> Result<Transition, Refusal> {
    let end = |cause, actor: Option<&Person>, comment: Option<&str>, at| {
        let step = Step { request, at, actor: actor.cloned(), comment: comment.map(str::to_owned) };
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
        Fact::DeadlineReached { stage: _, at: _ } => Err(stage_over(request)),
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
        Fact::TicketClosed { at } => Ok(end(EndCause::TicketClosed, None, None, *at)),
    }
}

/// Nothing follows an ending. Authority is asked first, so that strangers learn nothing.
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
        Fact::DeadlineReached { .. } | Fact::AccessTimeReached { .. } | Fact::TicketClosed { .. } => {
            Err(already_over(request))
        }
    }
}

/// Who did what when, from which a step's event is made.
struct Step<'a> {
    request: &'a Request,
    at: DateTime<Utc>,
    actor: Option<Person>,
    comment: Option<String>,
}

impl<'a> Step<'a> {
    fn by(request: &'a Request, decided: &Decided) -> Self {
        Self { request, at: decided.at, actor: Some(decided.by.clone()), comment: decided.comment.clone() }
    }

    fn event(&self, kind: EventKind, next: &State) -> Event {
        Event {
            kind,
            at: self.at,
            from: Some(self.request.state.as_str()),
            to: next.as_str(),
            actor: self.actor.clone(),
            comment: self.comment.clone(),
        }
    }

    fn ends(self, next: State, kind: EventKind, timer: TimerKind, decision: Option<Decision>) -> Transition {
        let events = vec![self.event(kind, &next)];
        Transition { next, events, timers: vec![TimerChange::Disarm(timer)], decision }
    }
}

fn decision(stage: Stage, role: Role, decided: &Decided) -> Decision {
    Decision {
        stage,
        person: decided.by.id,
        side: decided.by.side,
        role,
        verdict: decided.verdict,
        comment: decided.comment.clone(),
        digest: decided.digest,
        channel: decided.channel.clone(),
        duration_seconds: None,
        decided_at: decided.at,
    }
}

fn expires(request: &Request, stage: Stage, deadline: DateTime<Utc>, at: DateTime<Utc>) -> Transition {
    let timer = match stage {
        Stage::Manager => TimerKind::ReviewDeadline,
        Stage::Customer => TimerKind::DecisionDeadline,
    };
    let step = Step { request, at, actor: None, comment: None };
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
    let step = Step { request, at, actor: Some(by.clone()), comment: comment.map(str::to_owned) };
    Ok(step.ends(State::Withdrawn { cause }, EventKind::Withdrawn { cause }, timer, None))
}

fn ticket_closed(request: &Request, at: DateTime<Utc>, timer: TimerKind) -> Transition {
    let cause = Withdrawal::TicketClosed;
    let step = Step { request, at, actor: None, comment: None };
    step.ends(State::Withdrawn { cause }, EventKind::Withdrawn { cause }, timer, None)
}

/// A decision counts strictly before the deadline.
fn before(deadline: DateTime<Utc>, at: DateTime<Utc>) -> Result<(), Refusal> {
    if at < deadline { Ok(()) } else { Err(Refusal::DeadlinePassed { deadline }) }
}

fn due(due_at: DateTime<Utc>, at: DateTime<Utc>) -> Result<(), Refusal> {
    if at >= due_at { Ok(()) } else { Err(Refusal::NotDue { due_at }) }
}

fn stage_over(request: &Request) -> Refusal {
    Refusal::StageOver { state: request.state.as_str() }
}

fn not_granted(request: &Request) -> Refusal {
    Refusal::NotGranted { state: request.state.as_str() }
}

fn already_over(request: &Request) -> Refusal {
    Refusal::AlreadyOver { state: request.state.as_str() }
}

#[cfg(test)]
mod tests;
