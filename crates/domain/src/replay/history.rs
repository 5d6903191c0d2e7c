//! One request as its recorded history tells it: a step, and where the steps so far leave the request.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// A clock that is set right may step back this far between two steps of a request.
pub(super) const CLOCK_STEP: TimeDelta = TimeDelta::seconds(1);

/// One step as the log tells it. What a kind of step does not say is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
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
    /// The manager must answer before.
    pub review_deadline: Option<DateTime<Utc>>,
    /// The customer must answer before.
    pub decision_deadline: Option<DateTime<Utc>>,
    /// Access opens no earlier.
    pub start_time: Option<DateTime<Utc>>,
    /// Access opens.
    pub access_from: Option<DateTime<Utc>>,
    /// Access is over.
    pub access_until: Option<DateTime<Utc>>,
    /// The deadline that passed.
    pub deadline: Option<DateTime<Utc>>,
    /// Seconds asked for, or allowed.
    pub duration_seconds: Option<i64>,
    /// Yeses needed.
    pub required_approvals: Option<i64>,
    /// Yeses so far.
    pub approvals: Option<i64>,
    /// Why it ended or was taken back.
    pub cause: Option<String>,
    /// Whose answer was missing.
    pub stage: Option<String>,
    /// The standing consent that an emergency stands on: its name and its digest.
    pub break_glass: Option<(String, String)>,
}

/// A rule that a step breaks, in words that begin with the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

/// A request as its history so far leaves it: what its row must say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// State.
    pub state: String,
    /// Digest of the content.
    pub digest: String,
    /// Number of steps.
    pub version: i64,
    /// Who asked.
    pub requester: Option<Uuid>,
    /// The manager who said yes; of an emergency, the second of them.
    pub manager: Option<Uuid>,
    /// Of an emergency, the manager who said yes first.
    pub first: Option<Uuid>,
    /// The standing consent that an emergency stands on: its name and its digest.
    pub break_glass: Option<(String, String)>,
    /// The customer's yeses: who, and for how many seconds.
    pub approvals: Vec<(Uuid, i64)>,
    /// The manager must answer before.
    pub review_deadline: Option<DateTime<Utc>>,
    /// The customer must answer before.
    pub decision_deadline: Option<DateTime<Utc>>,
    /// Access opens.
    pub access_from: Option<DateTime<Utc>>,
    /// Access is over.
    pub access_until: Option<DateTime<Utc>>,
    /// Why it ended, was withdrawn, or at which stage it expired.
    pub cause: Option<String>,
    /// When nothing could follow any more.
    pub finished_at: Option<DateTime<Utc>>,
    pub(super) required: i64,
    /// Seconds asked for.
    pub asked_seconds: i64,
    pub(super) start_time: Option<DateTime<Utc>>,
    pub(super) last_at: Option<DateTime<Utc>>,
}
