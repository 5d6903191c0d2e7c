//! What follows from a fact, as values: the next state, events, timers and the decision to keep.

use chrono::{DateTime, Utc};

use super::fact::Decided;
use super::reminders;
use crate::consent::Proof;
use crate::people::{Person, Role};
use crate::request::{Decision, EndCause, Request, Stage, State, TimerChange, TimerKind, Withdrawal};

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
    /// The passkey that stands behind it.
    pub proof: Option<Proof>,
}

/// The kinds of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A request was taken in.
    Submitted {
        /// The manager must answer before.
        review_deadline: DateTime<Utc>,
    },
    /// The manager said yes; the customer's clock runs.
    VendorApproved {
        /// The customer must answer before.
        decision_deadline: DateTime<Utc>,
    },
    /// The manager said no.
    VendorDenied,
    /// One approver said yes.
    CustomerApproved {
        /// Yeses so far, this one included.
        approvals: i32,
        /// The time this approver allows, in seconds.
        duration_seconds: i64,
    },
    /// The customer said no.
    CustomerDenied,
    /// All yeses are there: access is open.
    GrantActivated {
        /// From this moment.
        access_from: DateTime<Utc>,
        /// Until this moment.
        access_until: DateTime<Utc>,
    },
    /// Access is over.
    GrantEnded {
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
    /// The customer was reminded that an answer is wanted.
    Reminded {
        /// The customer must answer before.
        decision_deadline: DateTime<Utc>,
    },
    /// Somebody asked or answered something.
    Commented,
    /// The first of two managers said yes to an emergency.
    BreakGlassSupported,
    /// The second manager said yes to an emergency.
    BreakGlassApproved,
    /// The customer accepts the closing report.
    ReportAcknowledged,
    /// The customer disputes the closing report.
    ReportDisputed,
    /// Taken back before access.
    Withdrawn {
        /// Why.
        cause: Withdrawal,
    },
}

/// Who did what when, from which a step's event is made.
pub(super) struct Step<'a> {
    pub request: &'a Request,
    pub at: DateTime<Utc>,
    pub actor: Option<Person>,
    pub comment: Option<String>,
    pub proof: Option<Proof>,
}

impl<'a> Step<'a> {
    pub fn by(request: &'a Request, decided: &Decided) -> Self {
        Self {
            comment: decided.comment.clone(),
            proof: decided.proof.clone(),
            ..Self::quiet(request, decided.at, Some(decided.by.clone()))
        }
    }

    /// A step without words; without an actor it is Lockbox' own.
    pub fn quiet(request: &'a Request, at: DateTime<Utc>, actor: Option<Person>) -> Self {
        Self { request, at, actor, comment: None, proof: None }
    }

    pub fn event(&self, kind: EventKind, next: &State) -> Event {
        Event {
            kind,
            at: self.at,
            from: Some(self.request.state.as_str()),
            to: next.as_str(),
            actor: self.actor.clone(),
            comment: self.comment.clone(),
            proof: self.proof.clone(),
        }
    }

    pub fn ends(self, next: State, kind: EventKind, timer: TimerKind, decision: Option<Decision>) -> Transition {
        let events = vec![self.event(kind, &next)];
        let mut timers = vec![TimerChange::Disarm(timer)];
        if timer == TimerKind::DecisionDeadline {
            timers.extend(reminders::stop(self.request));
        }
        Transition { next, events, timers, decision }
    }
}

/// The decision to keep.
pub(super) fn decision(stage: Stage, role: Role, decided: &Decided) -> Decision {
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
        proof: decided.proof.clone(),
        decided_at: decided.at,
    }
}
