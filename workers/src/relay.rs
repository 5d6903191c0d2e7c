//! The relay inside every worker: publishes what was committed, at once and confirmed.
//!
//! It is handed the rows, so no poll stands in the way. Rows that a dead relay or a lost broker left behind are swept
//! from the outbox by any relay. Hints are not kept in the outbox: the timer's row is, and the sweep of the expiry
//! role finds whatever no hint came for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Exchange, Link, Names, Outgoing, Published, Publisher};
use chrono::{DateTime, Utc};
use contracts::envelope::Message;
use contracts::kinds::Channel;
use store::{Store, TimerWakeUp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::engine::chain;
use crate::health::Health;

mod wake_ups;

use wake_ups::Waiting;

/// Most messages in one batch of publishes.
const BATCH_LIMIT: usize = 500;
/// Most messages that wait here. Roles wait when it is full: what waits for two seconds another relay would send too.
const QUEUE_LIMIT: usize = 2000;
/// How often what the broker has is put off; the outbox is swept every other time.
const ROUND: Duration = Duration::from_millis(500);
/// Confirmed messages younger than this are not looked at again: nearly all are taken by then.
const TAKEN_BY: Duration = Duration::from_millis(500);

/// Hands messages to the relay of this process.
#[derive(Clone)]
pub struct Relay {
    queue: mpsc::Sender<Outgoing>,
    wake_ups: mpsc::Sender<Waiting>,
}

/// The relay itself: publishes until it is told to stop and everything handed over is out.
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
    /// A relay and the task that does its work.
    pub fn new(broker: broker::Config, names: Names, store: Store, health: Health) -> (Self, RelayTask) {
        let ((queue, messages), (wake_ups, waiting)) = (mpsc::channel(QUEUE_LIMIT), mpsc::channel(QUEUE_LIMIT));
        let task =
            RelayTask { queue: messages, wake_ups: waiting, broker, names, store, health, confirmed: Vec::new() };
        (Self { queue, wake_ups }, task)
    }

    /// Publishes committed messages and hints. When the relay is far behind it waits.
    pub async fn hand_over(&self, messages: Vec<Message>, wake_ups: Vec<TimerWakeUp>, now: DateTime<Utc>) {
        // Failing to send means that the process is ending: the outbox and the timers have it all.
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

/// A message as it goes out. Its headers are made from the envelope, never copied from something received.
pub fn outgoing(message: Message) -> Outgoing {
    let exchange = match message.kind.channel() {
        Channel::Requests => Exchange::Requests,
        Channel::Commands => Exchange::Commands,
        Channel::Events => Exchange::Events,
        Channel::Notifications => Exchange::Notifications,
    };
    let mut headers = vec![
        ("cloudEvents_specversion", "1.0".to_owned()),
        ("cloudEvents_id", message.id.to_string()),
        ("cloudEvents_type", message.kind.type_name()),
        ("cloudEvents_source", contracts::envelope::SOURCE.to_owned()),
    ];
    headers.extend(message.request.map(|request| ("cloudEvents_subject", format!("request/{request}"))));
    headers.extend(message.traceparent.map(|traceparent| ("traceparent", traceparent)));
    Outgoing {
        exchange,
        routing_key: message.kind.routing_key().to_owned(),
        message_id: message.id.to_string(),
        message_type: message.kind.type_name(),
        correlation_id: message.request.map(|request| request.to_string()),
        headers,
        body: Arc::from(message.body),
    }
}

impl RelayTask {
    /// Works until `stop` and until everything handed over is out or the broker stays away.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut attempt = 0;
        loop {
            let session = self.session(&stop).await;
            match session {
                Ok(()) => return,
                Err(error) => {
                    self.health.set("relay", Err(chain(&error)));
                    tracing::warn!(error = chain(&error), "the relay lost the broker");
                }
            }
            if stop.is_cancelled() {
                return;
            }
            tokio::time::sleep(broker::backoff(attempt)).await;
            attempt = (attempt + 1).min(6);
            // What could not go out meanwhile is in the outbox; holding it here would only cost memory.
            while self.queue.len() > BATCH_LIMIT && self.queue.try_recv().is_ok() {}
            while self.wake_ups.len() > BATCH_LIMIT && self.wake_ups.try_recv().is_ok() {}
        }
    }

    /// One connection's life: hints have a channel of their own, so that no message waits for a hint's confirm.
    async fn session(&mut self, stop: &CancellationToken) -> Result<(), broker::Error> {
        let link = Link::open(&self.broker).await?;
        let publisher = Publisher::open(&link, &self.names).await?;
        let hinting = Publisher::open(&link, &self.names).await?;
        self.health.set("relay", Ok(()));
        let (_none, empty) = mpsc::channel(1);
        let mut waiting = std::mem::replace(&mut self.wake_ups, empty);
        let done =
            tokio::try_join!(self.publish(&link, publisher, stop), wake_ups::publish(&mut waiting, hinting, stop));
        self.wake_ups = waiting;
        done?;
        link.close().await;
        Ok(())
    }

    /// Publishes messages until all is out after the stop.
    async fn publish(
        &mut self,
        link: &Link,
        mut publisher: Publisher,
        stop: &CancellationToken,
    ) -> Result<(), broker::Error> {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_sweeping = false;
        let mut batch = Vec::with_capacity(BATCH_LIMIT);
        loop {
            // Rounds go first: a relay that is never idle must put off what the broker has, or it is all sent twice.
            tokio::select! {
                biased;
                _ = rounds.tick() => {
                    if !link.is_open() {
                        return Err(broker::Error::Silent { doing: "the broker closed the connection".to_owned(), limit_seconds: 0 });
                    }
                    self.put_off().await;
                    is_sweeping = !is_sweeping;
                    if is_sweeping {
                        self.recovery_scan(&mut publisher).await?;
                    }
                }
                received = self.queue.recv_many(&mut batch, BATCH_LIMIT) => {
                    if received == 0 {
                        return Ok(());
                    }
                    let published = publisher.publish(&batch).await?;
                    self.note(&batch, published);
                    batch.clear();
                }
                () = stop.cancelled(), if self.queue.is_empty() && self.queue.is_closed() => return Ok(()),
            }
        }
    }

    fn note(&mut self, batch: &[Outgoing], published: Vec<Published>) {
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
                        "no queue takes this message ({words}); run `lockbox topology apply`, it is sent again"
                    );
                }
                Published::Nacked => {
                    metrics::counter!("lockbox_publish_failed_total", "why" => "nacked").increment(1);
                    tracing::warn!(
                        message = message.message_id,
                        "the broker could not keep this message; it is sent again"
                    );
                }
            }
        }
        metrics::counter!("lockbox_published_total").increment(u64::try_from(batch.len()).unwrap_or_default());
    }

    /// Puts off what the broker has and nobody has taken yet.
    async fn put_off(&mut self) {
        let split = self.confirmed.partition_point(|(at, _)| at.elapsed() > TAKEN_BY);
        let ids: Vec<Uuid> = self.confirmed.drain(..split).map(|(_, id)| id).collect();
        if !ids.is_empty()
            && let Err(error) = self.store.confirmed(&ids).await
        {
            tracing::debug!(error = chain(&error), "confirms not noted; the messages are sent again later");
        }
    }

    /// Sends again what was left behind.
    async fn recovery_scan(&mut self, publisher: &mut Publisher) -> Result<(), broker::Error> {
        loop {
            let recovered = match self.store.recover_outbox(i64::try_from(BATCH_LIMIT).unwrap_or(500)).await {
                Ok(recovered) => recovered,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the outbox could not be swept");
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
