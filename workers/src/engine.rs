//! The engine of the roles that work on the database: it processes a batch in as few transactions as possible.
//!
//! An idle system has batches of one message, a busy system has hundreds. A message that cannot be read becomes a
//! dead-letter message with a reason. A sub-batch that the database refuses runs again message by message, so that one
//! poison message affects no other. A database outage is a pause and not an attempt. The engine does not acknowledge: the
//! caller does when everything is committed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use broker::Delivery;
use contracts::Malformed;
use contracts::events::Actor;
use domain::{Fault, Refusal};
use store::{DeadLetter, ReadSet, Store, TimerWakeUp, WriteSet};
use uuid::Uuid;

use crate::arrival;
use crate::context::BatchContext;
use crate::dead_letter::{describe_delivery, record_dead_letter};
use crate::error_chain::error_chain;
use crate::item::Item;
use crate::received::{Received, Source};
use crate::relay::Relay;
use crate::role::Role;
use crate::sub_batches;

/// Attempts for a sub-batch that conflicts with another transaction.
const CONFLICT_TRIES: u32 = 4;

/// Runs one role against the database.
pub struct Engine<R> {
    /// The role.
    pub role: R,
    /// The database.
    pub store: Store,
    /// Publishes committed messages.
    pub relay: Relay,
    /// Our own login at the broker. Events from any other login are forged.
    pub login: String,
}

impl<R: Role> Engine<R> {
    /// Reads a delivery.
    pub fn read_delivery(&self, delivery: &Delivery) -> Item<R::Message> {
        let source = Source::of(delivery, &self.login);
        let read = arrival::document(delivery).and_then(|body| {
            let received = Received::read(&body, source.clone(), |kind, envelope| self.role.read(kind, envelope))?;
            check_forgery(&received).map_or(Ok(received), Err)
        });
        match read {
            Ok(received) => Item::Good(Box::new(received)),
            Err(fault) => Item::Bad(Box::new(describe_delivery(delivery, self.role.name().as_str(), source, &fault))),
        }
    }

    /// Processes all items and commits. Returns the timers that need another wake-up.
    ///
    /// # Errors
    /// When the database is unavailable. What was not committed must be processed again.
    pub async fn process(&self, items: &[Item<R::Message>]) -> Result<Vec<TimerWakeUp>, store::Error> {
        let started = Instant::now();
        let role = self.role.name().as_str();
        metrics::histogram!("lockbox_batch_size", "role" => role).record(size(items.len()));
        let mut later = Vec::new();
        let mut rest = items;
        while !rest.is_empty() {
            let (sub_batch, after) = rest.split_at(sub_batches::first_len(&self.role, rest));
            rest = after;
            self.commit(sub_batch, &mut later).await?;
        }
        metrics::histogram!("lockbox_handle_seconds", "role" => role).record(started.elapsed().as_secs_f64());
        metrics::counter!("lockbox_messages_total", "role" => role).increment(u64::try_from(items.len()).unwrap_or(0));
        Ok(later)
    }

    async fn commit(&self, sub_batch: &[Item<R::Message>], later: &mut Vec<TimerWakeUp>) -> Result<(), store::Error> {
        match self.commit_with_retries(sub_batch, later).await {
            Err(error) if !error.is_outage() && sub_batch.len() > 1 => {
                tracing::warn!(
                    error = error_chain(&error),
                    "the database refused a sub-batch; processing its messages one by one"
                );
                for item in sub_batch {
                    let one = std::slice::from_ref(item);
                    if let Err(error) = self.commit_with_retries(one, later).await {
                        self.dead_letter_refused(one, error).await?;
                    }
                }
                Ok(())
            }
            Err(error) if !error.is_outage() => self.dead_letter_refused(sub_batch, error).await,
            done => done,
        }
    }

    /// Retries while other transactions conflict. The caller waits for a database that is unavailable.
    async fn commit_with_retries(
        &self,
        sub_batch: &[Item<R::Message>],
        later: &mut Vec<TimerWakeUp>,
    ) -> Result<(), store::Error> {
        let mut tries = 0;
        loop {
            let error = match self.run_transaction(sub_batch, later).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if error.is_outage() || !error.is_transient() || tries >= CONFLICT_TRIES {
                return Err(error);
            }
            tracing::warn!(error = error_chain(&error), "the transaction conflicted with another one; retrying");
            tokio::time::sleep(broker::backoff(tries.min(4))).await;
            tries += 1;
        }
    }

    async fn dead_letter_refused(&self, one: &[Item<R::Message>], error: store::Error) -> Result<(), store::Error> {
        if error.is_outage() || error.is_transient() {
            return Err(error);
        }
        let Some(Item::Good(received)) = one.first() else { return Err(error) };
        let detail = "the database refused the changes of this message; the log of the role has the reason";
        let dead_letter = self.describe_dead_letter(received, "store.refused", detail);
        tracing::error!(dead_letter = %dead_letter.id, error = error_chain(&error), "the database refused a message");
        self.run_transaction(&[Item::Bad(Box::new(dead_letter))], &mut Vec::new()).await
    }

    /// Describes a message that could be read and is dead-lettered.
    fn describe_dead_letter(&self, received: &Received<R::Message>, reason: &str, detail: &str) -> DeadLetter {
        let body = serde_json::to_vec(&received.envelope).unwrap_or_default();
        DeadLetter {
            id: Uuid::now_v7(),
            reason: reason.to_owned(),
            detail: detail.replace('\0', "\u{FFFD}"),
            queue: self.role.name().as_str().to_owned(),
            exchange: received.source.exchange.clone(),
            routing_key: received.source.routing_key.clone(),
            message_id: Some(received.envelope.id.clone()),
            message_type: Some(received.envelope.type_name.clone()),
            login: received.source.login.clone(),
            size_bytes: i64::try_from(body.len()).unwrap_or_default(),
            body,
        }
    }

    /// One transaction: inbox, locks, clock, handlers, writes, commit. Then the relay publishes the committed messages.
    async fn run_transaction(
        &self,
        sub_batch: &[Item<R::Message>],
        later: &mut Vec<TimerWakeUp>,
    ) -> Result<(), store::Error> {
        let mut read_set =
            ReadSet { consumer: self.role.name().as_str(), lock: self.role.lock(), ..ReadSet::default() };
        for item in sub_batch {
            if let Item::Good(received) = item {
                if invalid_command(received).is_none() {
                    self.role.collect_reads(received, &mut read_set);
                }
                if !is_wake_up(received) {
                    read_set.keys.push(received.key);
                }
            }
        }
        let mut unit = self.store.open_unit_of_work(read_set).await?;
        let mut changes = WriteSet::default();
        let mut again = Vec::new();
        for item in sub_batch {
            match item {
                Item::Good(received) => self.handle(received, &mut unit.snapshot, &mut changes, &mut again),
                Item::Bad(dead_letter) => {
                    record_dead_letter(&mut changes, DeadLetter::clone(dead_letter), unit.snapshot.now)
                }
            }
        }
        let now = unit.snapshot.now;
        let wake_ups = unit.commit(&changes).await?;
        later.extend(again);
        self.relay.publish(changes.messages, wake_ups, now).await;
        Ok(())
    }

    fn handle(
        &self,
        received: &Received<R::Message>,
        snapshot: &mut store::Snapshot,
        changes: &mut WriteSet,
        later: &mut Vec<TimerWakeUp>,
    ) {
        changes.consumed.extend(received.own_id());
        if !is_wake_up(received) && !snapshot.fresh.contains(&received.key) {
            metrics::counter!("lockbox_duplicates_total", "role" => self.role.name().as_str()).increment(1);
            return;
        }
        if let Some(at) = received.envelope.time {
            let lag = (snapshot.now - *at).to_std().unwrap_or_default();
            metrics::histogram!("lockbox_queue_lag_seconds", "role" => self.role.name().as_str())
                .record(lag.as_secs_f64());
        }
        let before = (changes.transitioned.len(), changes.messages.len());
        let mut context = BatchContext { snapshot, changes, later };
        if let Some(refusal) = wrong_producer(received, &context).or_else(|| invalid_command(received)) {
            context.refuse(received, &refusal, Actor::producer(received.source.login.as_deref()), None);
            return;
        }
        let handled = catch_unwind(AssertUnwindSafe(|| self.role.handle(received, &mut context)));
        if handled.is_err() {
            // Discard the partial changes, and store the message for an operator.
            let now = context.now();
            context.changes.transitioned.truncate(before.0);
            context.changes.messages.truncate(before.1);
            // A replay by an operator is processed again.
            context.changes.without_effect.push(received.key);
            let detail = "the role failed on this message because of a bug; report it together with the message";
            let dead_letter = self.describe_dead_letter(received, "handler.panicked", detail);
            record_dead_letter(context.changes, dead_letter, now);
        }
    }
}

/// Timer wake-ups need no inbox: each is checked against its timer's row.
fn is_wake_up<T>(received: &Received<T>) -> bool {
    received.kind == contracts::Kind::TimerDue
}

/// The fault of an event or notification that another login than our own sent. Every role that acts on them calls this.
pub fn check_forgery<T>(received: &Received<T>) -> Option<Malformed> {
    if received.kind.is_command() || received.source.is_own {
        return None;
    }
    let login = received.source.login.as_deref();
    let detail = format!("the login {login:?} sent a message that only Lockbox itself may send");
    Some(Malformed { code: "auth.forged", detail })
}

/// The refusal of a command with U+0000, which no text in the database can hold. The database is not called.
fn invalid_command<T>(received: &Received<T>) -> Option<Refusal> {
    if !received.kind.is_command() {
        return None;
    }
    let place = contracts::reading::zero_character(received.envelope.data.get().as_bytes())?;
    let problem = format!("must not contain the character U+0000, which is in {place:?}");
    Some(Refusal::Invalid(vec![Fault { field: "data", problem }]))
}

/// The refusal of a command from a broker login that may not send it. Wake-ups and events name no person.
fn wrong_producer<T>(received: &Received<T>, context: &BatchContext<'_>) -> Option<Refusal> {
    if !received.kind.is_command() || is_wake_up(received) {
        return None;
    }
    let command = received.kind.key().trim_end_matches(".v1");
    let login = received.source.login.as_deref();
    if context.snapshot.may_send(login, command) {
        return None;
    }
    Some(Refusal::WrongProducer { login: login.map(str::to_owned) })
}

fn size(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
