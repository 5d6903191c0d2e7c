//! The engine of the roles whose work is in the database: whole batches, one transaction each.
//!
//! An idle system has batches of one, a busy one of hundreds. A message that cannot be read is parked with a reason; a
//! batch that the database refuses is run again one by one, so that one poison message costs only itself. A database
//! that is away is a pause, not an attempt. Nothing here acknowledges: that follows when everything is committed.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use broker::Delivery;
use contracts::events::{self, Actor};
use contracts::{Malformed, envelope};
use domain::{Fault, Refusal};
use store::{DeadLetter, ReadSet, Store, TimerWakeUp, WriteSet};
use uuid::Uuid;

use crate::arrival;
use crate::context::BatchContext;
use crate::relay::Relay;
use crate::role::{Received, Role, Source};
use crate::sub_batches;

/// Tries of a batch that got in another's way.
const CONFLICT_TRIES: u32 = 4;

/// A delivery as it was read.
pub enum Item<T> {
    /// Readable.
    Good(Box<Received<T>>),
    /// Not readable: to be parked.
    Bad(Box<DeadLetter>),
}

/// Runs one role against the database.
pub struct Engine<R> {
    /// The role.
    pub role: R,
    /// The database.
    pub store: Store,
    /// Where committed messages go.
    pub relay: Relay,
    /// Our own login at the broker: the only one whose events are believed.
    pub login: String,
}

/// Describes a delivery that is given up on.
pub fn dead_letter_message(delivery: &Delivery, queue: &str, source: Source, fault: &Malformed) -> DeadLetter {
    // With its attributes, which in binary mode are in the headers.
    let whole = arrival::document(delivery).unwrap_or(Cow::Borrowed(delivery.body()));
    let kept = &whole[..whole.len().min(envelope::SIZE_LIMIT_BYTES)];
    // The database keeps no NUL in text.
    let text = |text: &str| text.replace('\0', "\u{FFFD}").chars().take(512).collect::<String>();
    DeadLetter {
        id: Uuid::now_v7(),
        reason: fault.code.to_owned(),
        detail: text(&fault.detail),
        queue: queue.to_owned(),
        exchange: text(&source.exchange),
        routing_key: text(&source.routing_key),
        message_id: delivery.message_id().map(text),
        message_type: delivery.message_type().map(text),
        login: source.login.as_deref().map(text),
        body: kept.to_vec(),
        size_bytes: i64::try_from(whole.len()).unwrap_or(i64::MAX),
    }
}

/// Notes a parked message and its event.
pub fn dead_letter_into(changes: &mut WriteSet, dead_letter: DeadLetter, now: chrono::DateTime<chrono::Utc>) {
    metrics::counter!("lockbox_dead_letters_total", "reason" => dead_letter.reason.clone()).increment(1);
    tracing::warn!(dead_letter = %dead_letter.id, reason = dead_letter.reason, queue = dead_letter.queue, "parked: {}", dead_letter.detail);
    let data = events::DeadLetter {
        dead_letter: dead_letter.id,
        code: dead_letter.reason.clone(),
        message: dead_letter.detail.clone(),
        queue: dead_letter.queue.clone(),
        message_id: dead_letter.message_id.clone(),
        size_bytes: usize::try_from(dead_letter.size_bytes).unwrap_or_default(),
        actor: Actor::producer(dead_letter.login.as_deref()),
    };
    changes.messages.push(events::dead_letter(&data, now));
    changes.dead_letter.push(dead_letter);
}

impl<R: Role> Engine<R> {
    /// Reads a delivery.
    pub fn item(&self, delivery: &Delivery) -> Item<R::Message> {
        let source = Source::of(delivery, &self.login);
        let read = arrival::document(delivery).and_then(|body| {
            let received = Received::read(&body, source.clone(), |kind, envelope| self.role.read(kind, envelope))?;
            forged(&received).map_or(Ok(received), Err)
        });
        match read {
            Ok(received) => Item::Good(Box::new(received)),
            Err(fault) => Item::Bad(Box::new(dead_letter_message(delivery, self.role.name().as_str(), source, &fault))),
        }
    }

    /// Acts on all items and commits. Answers with timers to look at again.
    ///
    /// # Errors
    /// When the database is away; whatever was not committed must be processed again.
    pub async fn process(&self, items: &[Item<R::Message>]) -> Result<Vec<TimerWakeUp>, store::Error> {
        let started = Instant::now();
        let role = self.role.name().as_str();
        metrics::histogram!("lockbox_batch_size", "role" => role).record(size(items.len()));
        let mut later = Vec::new();
        let mut rest = items;
        while !rest.is_empty() {
            let (sub_batch, after) = rest.split_at(sub_batches::first(&self.role, rest));
            rest = after;
            self.commit(sub_batch, &mut later).await?;
        }
        metrics::histogram!("lockbox_handle_seconds", "role" => role).record(started.elapsed().as_secs_f64());
        metrics::counter!("lockbox_messages_total", "role" => role).increment(u64::try_from(items.len()).unwrap_or(0));
        Ok(later)
    }

    async fn commit(&self, sub_batch: &[Item<R::Message>], later: &mut Vec<TimerWakeUp>) -> Result<(), store::Error> {
        match self.patiently(sub_batch, later).await {
            Err(error) if !error.is_outage() && sub_batch.len() > 1 => {
                tracing::warn!(error = chain(&error), "a batch was refused; running it one by one");
                for item in sub_batch {
                    let one = std::slice::from_ref(item);
                    if let Err(error) = self.patiently(one, later).await {
                        self.give_up(one, error).await?;
                    }
                }
                Ok(())
            }
            Err(error) if !error.is_outage() => self.give_up(sub_batch, error).await,
            done => done,
        }
    }

    /// Tries again while others are in the way. That the database is away is for the caller to wait for.
    async fn patiently(
        &self,
        sub_batch: &[Item<R::Message>],
        later: &mut Vec<TimerWakeUp>,
    ) -> Result<(), store::Error> {
        let mut tries = 0;
        loop {
            let error = match self.once(sub_batch, later).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if error.is_outage() || !error.is_transient() || tries >= CONFLICT_TRIES {
                return Err(error);
            }
            tracing::warn!(error = chain(&error), "another transaction was in the way");
            tokio::time::sleep(broker::backoff(tries.min(4))).await;
            tries += 1;
        }
    }

    async fn give_up(&self, one: &[Item<R::Message>], error: store::Error) -> Result<(), store::Error> {
        if error.is_outage() || error.is_transient() {
            return Err(error);
        }
        let Some(Item::Good(received)) = one.first() else { return Err(error) };
        let detail = "the database refused to store what follows from this message; the log of the worker says why";
        let dead_letter = self.dead_letter_unreadable(received, "store.refused", detail);
        tracing::error!(dead_letter = %dead_letter.id, error = chain(&error), "the database refused a message");
        self.once(&[Item::Bad(Box::new(dead_letter))], &mut Vec::new()).await
    }

    /// Describes a message that could be read and yet is given up on.
    fn dead_letter_unreadable(&self, received: &Received<R::Message>, reason: &str, detail: &str) -> DeadLetter {
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

    /// One transaction: inbox, locks, clock, roles, write, commit; then the relay gets what was committed.
    async fn once(&self, sub_batch: &[Item<R::Message>], later: &mut Vec<TimerWakeUp>) -> Result<(), store::Error> {
        let mut read_set =
            ReadSet { consumer: self.role.name().as_str(), lock: self.role.lock(), ..ReadSet::default() };
        for item in sub_batch {
            if let Item::Good(received) = item {
                if unfit(received).is_none() {
                    self.role.want(received, &mut read_set);
                }
                if !is_wake_up(received) {
                    read_set.keys.push(received.key);
                }
            }
        }
        let mut unit = self.store.begin(read_set).await?;
        let mut changes = WriteSet::default();
        let mut again = Vec::new();
        for item in sub_batch {
            match item {
                Item::Good(received) => self.handle(received, &mut unit.snapshot, &mut changes, &mut again),
                Item::Bad(dead_letter) => {
                    dead_letter_into(&mut changes, DeadLetter::clone(dead_letter), unit.snapshot.now)
                }
            }
        }
        let now = unit.snapshot.now;
        let wake_ups = unit.commit(&changes).await?;
        later.extend(again);
        self.relay.hand_over(changes.messages, wake_ups, now).await;
        Ok(())
    }

    fn handle(
        &self,
        received: &Received<R::Message>,
        snapshot: &mut store::Snapshot,
        changes: &mut WriteSet,
        later: &mut Vec<TimerWakeUp>,
    ) {
        changes.taken.extend(received.own_id());
        if !is_wake_up(received) && !snapshot.fresh.contains(&received.key) {
            metrics::counter!("lockbox_duplicates_total", "role" => self.role.name().as_str()).increment(1);
            return;
        }
        if let Some(at) = received.envelope.time {
            let lag = (snapshot.now - *at).to_std().unwrap_or_default();
            metrics::histogram!("lockbox_queue_lag_seconds", "role" => self.role.name().as_str())
                .record(lag.as_secs_f64());
        }
        let before = (changes.moved.len(), changes.messages.len());
        let mut context = BatchContext { snapshot, changes, later };
        if let Some(refusal) = wrong_producer(received, &context).or_else(|| unfit(received)) {
            context.refuse(received, &refusal, Actor::producer(received.source.login.as_deref()), None);
            return;
        }
        let handled = catch_unwind(AssertUnwindSafe(|| self.role.handle(received, &mut context)));
        if handled.is_err() {
            // Nothing half done stays; the message itself is kept for a person to look at.
            let now = context.now();
            context.changes.moved.truncate(before.0);
            context.changes.messages.truncate(before.1);
            // Sent again by an operator, it is handled again.
            context.changes.freed.push(received.key);
            let detail = "the program failed on this message; please report it with the message";
            let dead_letter = self.dead_letter_unreadable(received, "handler.panicked", detail);
            dead_letter_into(context.changes, dead_letter, now);
        }
    }
}

/// Hints are checked against their timer's row, which does what the inbox does for other messages.
fn is_wake_up<T>(received: &Received<T>) -> bool {
    received.kind == contracts::Kind::TimerDue
}

/// Events and orders for mail are believed from our own login alone: every role that acts on them asks here.
pub fn forged<T>(received: &Received<T>) -> Option<Malformed> {
    if received.kind.is_command() || received.source.is_own {
        return None;
    }
    let login = received.source.login.as_deref();
    let detail = format!("a message that only Lockbox itself sends was sent by the login {login:?}");
    Some(Malformed { code: "auth.forged", detail })
}

/// A command with a character that no text in the database may hold: refused before the database is asked.
fn unfit<T>(received: &Received<T>) -> Option<Refusal> {
    if !received.kind.is_command() {
        return None;
    }
    let place = contracts::reading::zero_character(received.envelope.data.get().as_bytes())?;
    let problem = format!("must not contain the character U+0000, which is in {place:?}");
    Some(Refusal::Invalid(vec![Fault { field: "data", problem }]))
}

/// Commands count only from a broker login that is listed for them. Hints and events claim nothing.
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

/// An error with its causes, for the one place that logs it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn size(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
