//! What a unit of work writes: all results of a batch, in bulk.

use contracts::envelope::Message;
use domain::{Decision, Request, State, TimerChange};
use uuid::Uuid;

pub(crate) mod tables;

/// A request after a step.
#[derive(Debug)]
pub struct Transitioned {
    /// The request with its new state and version.
    pub request: Request,
    /// Whether this step creates the request.
    pub is_new: bool,
    /// Timers to arm and disarm.
    pub timers: Vec<TimerChange>,
    /// The decision of this step.
    pub decision: Option<Decision>,
}

/// A dead-letter message.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Id of the row.
    pub id: Uuid,
    /// Stable reason code.
    pub reason: String,
    /// Explanation for people.
    pub detail: String,
    /// The queue it was consumed from.
    pub queue: String,
    /// The exchange it was published to.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
    /// Its id, as its sender gave it.
    pub message_id: Option<String>,
    /// Its type, as its sender gave it.
    pub message_type: Option<String>,
    /// The broker login that sent it.
    pub login: Option<String>,
    /// Its body, at most 64 KiB.
    pub body: Vec<u8>,
    /// Its full size in bytes.
    pub size_bytes: i64,
}

/// Everything that a batch writes.
#[derive(Debug, Default)]
pub struct WriteSet {
    /// Requests with a step; each at most once.
    pub transitioned: Vec<Transitioned>,
    /// Passkeys that signed a decision, with their new counters.
    pub passkeys: Vec<(String, serde_json::Value)>,
    /// Nonces that signed decisions used up.
    pub nonces: Vec<String>,
    /// Messages to publish.
    pub messages: Vec<Message>,
    /// Messages to dead-letter.
    pub dead_letter: Vec<DeadLetter>,
    /// Notifications that another consumer has handled instead of our mailer: their outbox rows are deleted.
    pub reported: Vec<Uuid>,
    /// Keys of messages that were consumed without an effect: their inbox rows are deleted.
    pub without_effect: Vec<Uuid>,
    /// Messages of Lockbox that this batch has consumed: their outbox rows are deleted.
    pub consumed: Vec<Uuid>,
}

/// The columns of a state.
pub(crate) struct Columns {
    pub manager: Option<Uuid>,
    pub decision_deadline: Option<chrono::DateTime<chrono::Utc>>,
    pub access_from: Option<chrono::DateTime<chrono::Utc>>,
    pub access_until: Option<chrono::DateTime<chrono::Utc>>,
    pub cause: Option<&'static str>,
}

/// The columns that a state sets; absent columns keep their values.
pub(crate) fn columns(state: &State) -> Columns {
    let none = Columns { manager: None, decision_deadline: None, access_from: None, access_until: None, cause: None };
    match state {
        State::PendingVendor { .. } | State::VendorDenied | State::CustomerDenied => none,
        State::PendingCustomer { manager, decision_deadline, .. } => {
            Columns { manager: Some(manager.0), decision_deadline: Some(*decision_deadline), ..none }
        }
        State::Active { access_from, access_until } => {
            Columns { access_from: Some(*access_from), access_until: Some(*access_until), ..none }
        }
        State::Ended { cause } => Columns { cause: Some(cause.as_str()), ..none },
        State::Expired { stage } => Columns { cause: Some(stage.as_str()), ..none },
        State::Withdrawn { cause } => Columns { cause: Some(cause.as_str()), ..none },
    }
}
