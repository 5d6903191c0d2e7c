//! One request as its recorded history describes it: a step, and the state of the request after the steps so far.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// How far a clock correction may move the time back between two steps of a request.
pub(super) const CLOCK_STEP: TimeDelta = TimeDelta::seconds(1);

/// One step as the log records it. A field that this kind of step does not have is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedStep {
    /// Name of the event, such as `request.submitted`.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// State before.
    pub from: Option<String>,
    /// State after.
    pub to: String,
    /// Digest of the content it is about.
    pub digest: String,
    /// The person who did it.
    pub person: Option<Uuid>,
    /// Their side: `vendor` or `customer`.
    pub side: Option<String>,
    /// Deadline of the vendor review.
    pub review_deadline: Option<DateTime<Utc>>,
    /// Deadline of the customer's decision.
    pub decision_deadline: Option<DateTime<Utc>>,
    /// Access starts no earlier.
    pub start_time: Option<DateTime<Utc>>,
    /// Start of access.
    pub access_from: Option<DateTime<Utc>>,
    /// End of access.
    pub access_until: Option<DateTime<Utc>>,
    /// The deadline that passed.
    pub deadline: Option<DateTime<Utc>>,
    /// Requested or approved seconds.
    pub duration_seconds: Option<i64>,
    /// Required approvals.
    pub required_approvals: Option<i64>,
    /// Approvals so far.
    pub approvals: Option<i64>,
    /// Why it ended or was withdrawn.
    pub cause: Option<String>,
    /// The stage that had no decision.
    pub stage: Option<String>,
    /// The break-glass policy of the request: its name and its digest.
    pub break_glass: Option<(String, String)>,
}

/// A rule that a step violates, in words that begin with the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// A request after its history so far: what its row must contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// State.
    pub state: String,
    /// Digest of the content.
    pub digest: String,
    /// Number of steps.
    pub version: i64,
    /// The requester.
    pub requester: Option<Uuid>,
    /// The manager who approved; for break-glass access, the second of them.
    pub manager: Option<Uuid>,
    /// For break-glass access, the manager who approved first.
    pub first: Option<Uuid>,
    /// The break-glass policy of the request: its name and its digest.
    pub break_glass: Option<(String, String)>,
    /// The customer's approvals: who, and for how many seconds.
    pub approvals: Vec<(Uuid, i64)>,
    /// Deadline of the vendor review.
    pub review_deadline: Option<DateTime<Utc>>,
    /// Deadline of the customer's decision.
    pub decision_deadline: Option<DateTime<Utc>>,
    /// Start of access.
    pub access_from: Option<DateTime<Utc>>,
    /// End of access.
    pub access_until: Option<DateTime<Utc>>,
    /// Why it ended, was withdrawn, or at which stage it expired.
    pub cause: Option<String>,
    /// When the request reached a final state.
    pub finished_at: Option<DateTime<Utc>>,
    pub(super) required: i64,
    /// Requested seconds.
    pub requested_seconds: i64,
    pub(super) start_time: Option<DateTime<Utc>>,
    pub(super) last_at: Option<DateTime<Utc>>,
}
