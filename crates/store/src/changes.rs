//! What a unit of work writes: everything that follows from a batch, in bulk, then one commit.

use contracts::envelope::Message;
use domain::{Decision, Request, State, TimerChange};
use uuid::Uuid;

use crate::error::Error;
use crate::timers::TimerWakeUp;
use crate::unit::UnitOfWork;

mod write;

pub(crate) use write::{dead_letter, outbox, taken};

/// A request after a step.
#[derive(Debug)]
pub struct Transitioned {
    /// The request with its new state and version.
    pub request: Request,
    /// Whether it begins with this step.
    pub is_new: bool,
    /// Timers to arm and disarm.
    pub timers: Vec<TimerChange>,
    /// The decision that was taken.
    pub decision: Option<Decision>,
}

/// A message given up on.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Id of the row.
    pub id: Uuid,
    /// Stable code.
    pub reason: String,
    /// For people.
    pub detail: String,
    /// The queue it was taken from.
    pub queue: String,
    /// The exchange it came through.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
    /// Its id, as its sender gave it.
    pub message_id: Option<String>,
    /// Its type, as its sender gave it.
    pub message_type: Option<String>,
    /// The broker login that sent it.
    pub login: Option<String>,
    /// Its bytes, at most 64 KiB of them.
    pub body: Vec<u8>,
    /// Its full size.
    pub size_bytes: i64,
}

/// Everything a batch writes.
#[derive(Debug, Default)]
pub struct WriteSet {
    /// Requests that moved; each at most once.
    pub moved: Vec<Transitioned>,
    /// Passkeys that signed, with their new counters.
    pub passkeys: Vec<(String, serde_json::Value)>,
    /// Messages to publish.
    pub messages: Vec<Message>,
    /// Messages given up on.
    pub dead_letter: Vec<DeadLetter>,
    /// Notifications that another consumer than our mailer has dealt with: their outbox rows go.
    pub reported: Vec<Uuid>,
    /// Keys of messages that were taken and not acted on: the inbox forgets them.
    pub freed: Vec<Uuid>,
    /// Own messages this batch has taken: their outbox rows go.
    pub taken: Vec<Uuid>,
}

impl UnitOfWork {
    /// Writes and commits. Answers with the timers that were armed, for hints.
    ///
    /// # Errors
    /// When the database refuses or does not answer; then nothing was written.
    pub async fn commit(mut self, changes: &WriteSet) -> Result<Vec<TimerWakeUp>, Error> {
        write::decisions(&mut self.tx, &changes.moved).await?;
        write::new_requests(&mut self.tx, &changes.moved).await?;
        write::moved_requests(&mut self.tx, &changes.moved).await?;
        let wake_ups = write::timers(&mut self.tx, &changes.moved).await?;
        write::passkeys(&mut self.tx, &changes.passkeys).await?;
        write::outbox(&mut self.tx, &changes.messages).await?;
        write::dead_letter(&mut self.tx, &changes.dead_letter).await?;
        write::freed(&mut self.tx, self.consumer, &changes.freed).await?;
        write::taken(&mut self.tx, "mail", &changes.reported).await?;
        write::taken(&mut self.tx, self.consumer, &changes.taken).await?;
        self.tx.commit().await.map_err(Error::at("committing"))?;
        Ok(wake_ups)
    }

    /// Gives the locks back without writing anything.
    pub async fn abandon(self) {
        drop(self.tx.rollback().await);
    }
}

/// The columns of a state.
pub(crate) struct Columns {
    pub manager: Option<Uuid>,
    pub decision_deadline: Option<chrono::DateTime<chrono::Utc>>,
    pub access_from: Option<chrono::DateTime<chrono::Utc>>,
    pub access_until: Option<chrono::DateTime<chrono::Utc>>,
    pub cause: Option<&'static str>,
}

/// What a state says that the row does not say already; absent columns keep what they hold.
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
