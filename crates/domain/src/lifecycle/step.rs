//! What follows from a fact, as values: the next state, events, timers and the decision to store.

use chrono::{DateTime, Utc};

use super::fact::Decided;
use super::reminders;
use crate::people::{Person, Role};
use crate::request::{Decision, EndCause, Request, Stage, State, TimerChange, TimerKind, Withdrawal};
use crate::signature::Proof;

/// What follows from a fact, as data. The store writes it in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The next state.
    pub next: State,
    /// The events, in order; each has the next version of the request.
    pub events: Vec<Event>,
    /// Timers to arm and to disarm.
    pub timers: Vec<TimerChange>,
    /// The decision to store, if somebody decided.
    pub decision: Option<Decision>,
}

/// One step in the history of a request.
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
    /// The actor's comment.
    pub comment: Option<String>,
    /// The passkey signature of the actor.
    pub proof: Option<Proof>,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A request was submitted.
    Submitted {
        /// Deadline of the vendor review.
        review_deadline: DateTime<Utc>,
    },
    /// A manager approved for the vendor; the customer's deadline starts.
    VendorApproved {
        /// Deadline of the customer's decision.
        decision_deadline: DateTime<Utc>,
    },
    /// A manager denied for the vendor.
    VendorDenied,
    /// One approver approved for the customer.
    CustomerApproved {
        /// Approvals so far, including this one.
        approvals: i32,
        /// The duration that this approver approves, in seconds.
        duration_seconds: i64,
    },
    /// An approver denied for the customer.
    CustomerDenied,
    /// All required approvals are there: access is active.
    GrantActivated {
        /// Start of access.
        access_from: DateTime<Utc>,
        /// End of access.
        access_until: DateTime<Utc>,
    },
    /// Access ended.
    GrantEnded {
        /// Why.
        cause: EndCause,
        /// The end that was set when access became active.
        access_until: DateTime<Utc>,
    },
    /// A deadline passed without a decision.
    Expired {
        /// The stage that had no decision.
        stage: Stage,
        /// The deadline.
        deadline: DateTime<Utc>,
    },
    /// The customer was reminded of the decision.
    Reminded {
        /// Deadline of the customer's decision.
        decision_deadline: DateTime<Utc>,
    },
    /// Somebody commented.
    Commented,
    /// The first of two managers approved break-glass access.
    BreakGlassSupported,
    /// The second manager approved break-glass access.
    BreakGlassApproved,
    /// The customer acknowledged the access report.
    ReportAcknowledged,
    /// The customer disputed the access report.
    ReportDisputed,
    /// The request was withdrawn before access.
    Withdrawn {
        /// Why.
        cause: Withdrawal,
    },
}

/// Who did what and when. The events of a step are made from this.
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
            ..Self::without_comment(request, decided.at, Some(decided.by.clone()))
        }
    }

    /// A step without a comment. Without an actor, Lockbox itself is the actor.
    pub fn without_comment(request: &'a Request, at: DateTime<Utc>, actor: Option<Person>) -> Self {
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

    pub fn finish(self, next: State, kind: EventKind, timer: TimerKind, decision: Option<Decision>) -> Transition {
        let events = vec![self.event(kind, &next)];
        let mut timers = vec![TimerChange::Disarm(timer)];
        if timer == TimerKind::DecisionDeadline {
            timers.extend(reminders::stop(self.request));
        }
        Transition { next, events, timers, decision }
    }
}

/// The decision to store.
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
