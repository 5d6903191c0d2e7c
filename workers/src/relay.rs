//! The relay inside every worker: publishes committed messages at once, with confirms.
//!
//! A role passes it the messages directly, so that no poll delays them. Any relay publishes the messages again that a
//! crashed relay or an unreachable broker left in the outbox. Timer wake-ups are not in the outbox: the timer's row is in the
//! database, and the recovery scan of the role `expiry` finds timers without a wake-up.

use std::time::{Duration, Instant};

use broker::{Link, Names, Outgoing, Published, Publisher};
use chrono::{DateTime, Utc};
use contracts::envelope::Message;
use store::{Store, TimerWakeUp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error_chain::error_chain;
use crate::health::Health;

mod outgoing;
mod wake_ups;

pub use outgoing::outgoing;

use outgoing::BATCH_LIMIT;
use wake_ups::Waiting;

/// Most messages that wait here. Roles wait when it is full: another relay also publishes messages that wait for two seconds.
const QUEUE_LIMIT: usize = 2000;
/// How often confirmed messages are recorded. Every second round also scans the outbox for messages that were left.
const ROUND: Duration = Duration::from_millis(500);
/// Confirms that are younger than this are not recorded yet: the role consumes nearly all messages before.
const RECORD_CONFIRMS_AFTER: Duration = Duration::from_millis(500);

/// Passes messages to the relay of this process.
#[derive(Clone)]
pub struct Relay {
    queue: mpsc::Sender<Outgoing>,
    wake_ups: mpsc::Sender<Waiting>,
}

/// The relay's task: publishes until the stop, and then until its queue is empty.
pub struct RelayTask {
    queue: mpsc::Receiver<Outgoing>,
    wake_ups: mpsc::Receiver<Waiting>,
    broker: broker::Config,
    names: Names,
    store: Store,
    health: Health,
    confirmed: Vec<(Instant, Uuid)>,
}

impl Relay {
    /// A relay and its task.
    pub fn new(broker: broker::Config, names: Names, store: Store, health: Health) -> (Self, RelayTask) {
        let ((queue, messages), (wake_ups, waiting)) = (mpsc::channel(QUEUE_LIMIT), mpsc::channel(QUEUE_LIMIT));
        let task =
            RelayTask { queue: messages, wake_ups: waiting, broker, names, store, health, confirmed: Vec::new() };
        (Self { queue, wake_ups }, task)
    }

    /// Publishes committed messages and timer wake-ups. It waits while the relay's queue is full.
    pub async fn publish(&self, messages: Vec<Message>, wake_ups: Vec<TimerWakeUp>, now: DateTime<Utc>) {
        // A closed queue means that the process is ending. The outbox and the timers have everything.
        for message in messages {
            if self.queue.send(outgoing(message)).await.is_err() {
                return;
            }
        }
        for wake_up in wake_ups {
            if self.wake_ups.send(Waiting::new(wake_up, now)).await.is_err() {
                return;
            }
        }
    }
}

impl RelayTask {
    /// Publishes until `stop`, and then until the queue is empty or the broker is unreachable.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut attempt = 0;
        loop {
            let session = self.session(&stop).await;
            match session {
                Ok(()) => return,
                Err(error) => {
                    self.health.set("relay", Err(error_chain(&error)));
                    tracing::warn!(
                        error = error_chain(&error),
                        "the relay lost its connection to the broker; connecting again"
                    );
                }
            }
            if stop.is_cancelled() {
                return;
            }
            tokio::time::sleep(broker::backoff(attempt)).await;
            attempt = (attempt + 1).min(6);
            // The outbox has everything that could not be published; more of it here would only use memory.
            while self.queue.len() > BATCH_LIMIT && self.queue.try_recv().is_ok() {}
            while self.wake_ups.len() > BATCH_LIMIT && self.wake_ups.try_recv().is_ok() {}
        }
    }

    /// Publishes on one connection until it fails. Wake-ups have a channel of their own, so that no message waits for their
    /// confirms.
    async fn session(&mut self, stop: &CancellationToken) -> Result<(), broker::Error> {
        let link = Link::open(&self.broker).await?;
        let publisher = Publisher::open(&link, &self.names).await?;
        let wake_up_publisher = Publisher::open(&link, &self.names).await?;
        self.health.set("relay", Ok(()));
        let (_none, empty) = mpsc::channel(1);
        let mut waiting = std::mem::replace(&mut self.wake_ups, empty);
        let done = tokio::try_join!(
            self.publish_messages(&link, publisher, stop),
            wake_ups::publish(&mut waiting, wake_up_publisher, stop)
        );
        self.wake_ups = waiting;
        done?;
        link.close().await;
        Ok(())
    }

    /// Publishes messages until the stop, and then until the queue is empty.
    async fn publish_messages(
        &mut self,
        link: &Link,
        mut publisher: Publisher,
        stop: &CancellationToken,
    ) -> Result<(), broker::Error> {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_scan_due = false;
        let mut batch = Vec::with_capacity(BATCH_LIMIT);
        loop {
            // Rounds come first: a relay that is never idle must still record confirms, or every message is published twice.
            tokio::select! {
                biased;
                _ = rounds.tick() => {
                    if !link.is_open() {
                        return Err(broker::Error::Silent { doing: "publishing on a connection that the broker closed".to_owned(), limit_seconds: 0 });
                    }
                    self.record_confirms().await;
                    is_scan_due = !is_scan_due;
                    if is_scan_due {
                        self.recovery_scan(&mut publisher).await?;
                    }
                }
                received = self.queue.recv_many(&mut batch, BATCH_LIMIT) => {
                    if received == 0 {
                        return Ok(());
                    }
                    let published = publisher.publish(&batch).await?;
                    self.count_published(&batch, published);
                    batch.clear();
                }
                () = stop.cancelled(), if self.queue.is_empty() && self.queue.is_closed() => return Ok(()),
            }
        }
    }

    fn count_published(&mut self, batch: &[Outgoing], published: Vec<Published>) {
        let now = Instant::now();
        for (message, published) in batch.iter().zip(published) {
            match published {
                Published::Confirmed => {
                    self.confirmed.extend(Uuid::parse_str(&message.message_id).map(|id| (now, id)));
                }
                Published::Returned(words) => {
                    metrics::counter!("lockbox_publish_failed_total", "why" => "returned").increment(1);
                    tracing::error!(
                        message = message.message_id,
                        key = message.routing_key,
                        "no queue is bound for this message ({words}); run `lockbox topology apply`, and it is published again"
                    );
                }
                Published::Nacked => {
                    metrics::counter!("lockbox_publish_failed_total", "why" => "nacked").increment(1);
                    tracing::warn!(
                        message = message.message_id,
                        "the broker could not store this message; it is published again"
                    );
                }
            }
        }
        metrics::counter!("lockbox_published_total").increment(u64::try_from(batch.len()).unwrap_or_default());
    }

    /// Records confirmed messages, so that the recovery scan does not publish them again.
    async fn record_confirms(&mut self) {
        let split = self.confirmed.partition_point(|(at, _)| at.elapsed() > RECORD_CONFIRMS_AFTER);
        let ids: Vec<Uuid> = self.confirmed.drain(..split).map(|(_, id)| id).collect();
        if !ids.is_empty()
            && let Err(error) = self.store.confirmed(&ids).await
        {
            tracing::debug!(
                error = error_chain(&error),
                "cannot record confirms; the messages are published again later"
            );
        }
    }

    /// Publishes messages again that were left in the outbox.
    async fn recovery_scan(&mut self, publisher: &mut Publisher) -> Result<(), broker::Error> {
        loop {
            let recovered = match self.store.recover_outbox(i64::try_from(BATCH_LIMIT).unwrap_or(500)).await {
                Ok(recovered) => recovered,
                Err(error) => {
                    tracing::warn!(
                        error = error_chain(&error),
                        "cannot scan the outbox for messages that were left; trying again"
                    );
                    return Ok(());
                }
            };
            let count = recovered.len();
            if count > 0 {
                metrics::counter!("lockbox_outbox_recovered_total").increment(u64::try_from(count).unwrap_or_default());
                let again: Vec<Outgoing> = recovered.into_iter().map(|recovered| outgoing(recovered.message)).collect();
                let published = publisher.publish(&again).await?;
                drop(published);
            }
            if count < BATCH_LIMIT {
                return Ok(());
            }
        }
    }
}
