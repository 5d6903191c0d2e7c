//! Batches from one queue until the stop, for every role that works on the database.
//!
//! A quiet queue gives batches of one message at once. A busy queue gathers for a moment: a transaction for forty messages
//! costs nearly the same as one for four (`docs/adr/0015-busy-queues-gather-messages.md`).

use std::time::{Duration, Instant};

use broker::{Batch, Consumer, Delivery, Link};

use crate::session::SessionError;
use crate::shared::Shared;

/// How long a busy queue gathers: far below what a person sees and below the one-second steps of timers.
const GATHERING: Duration = Duration::from_millis(20);
/// A queue is busy when the previous batch had at least this many messages
const BUSY_FROM: usize = 2;
/// and was acknowledged less than this ago.
const BUSY_FOR: Duration = Duration::from_millis(50);

/// Consumes batches from a queue, on a connection of its own.
pub(crate) struct Batches<'a> {
    shared: &'a Shared,
    part: &'static str,
    link: Link,
    consumer: Consumer,
    limit: usize,
    pending: Vec<Delivery>,
    size_before: usize,
    /// When the previous batch was acknowledged.
    waiting_since: Option<Instant>,
}

impl<'a> Batches<'a> {
    /// Starts to consume and reports the role as ready. Up to twice `limit` deliveries are unacknowledged, so that the next
    /// batch is there when one is acknowledged.
    ///
    /// # Errors
    /// When the database has another schema or takes no writes, or the broker does not answer or has no such queue.
    pub async fn open(shared: &'a Shared, part: &'static str, limit: usize) -> Result<Self, SessionError> {
        shared.store.check_sessions().await?;
        shared.store.check_schema().await?;
        // Consuming while the database takes no writes would only use up delivery attempts.
        shared.store.check_writable().await?;
        let link = Link::open(&shared.broker).await?;
        let prefetch = u16::try_from(2 * limit).unwrap_or(u16::MAX);
        let consumer = Consumer::open(&link, &shared.names, part, prefetch, &shared.broker.name).await?;
        shared.health.set(part, Ok(()));
        tracing::info!(role = part, "ready");
        Ok(Self { shared, part, link, consumer, limit, pending: Vec::new(), size_before: 0, waiting_since: None })
    }

    /// The next batch, or `None` after the stop. Safe to cancel: deliveries that arrived stay for the next call.
    ///
    /// # Errors
    /// When the connection fails or the broker ends the consumer.
    pub async fn next(&mut self) -> Result<Option<Batch>, SessionError> {
        let waiting_since = *self.waiting_since.get_or_insert_with(Instant::now);
        if self.pending.is_empty() {
            tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return Ok(None),
                batch = self.consumer.next_batch(self.limit) => self.pending = batch?.deliveries,
            }
        }
        let is_busy = self.size_before >= BUSY_FROM && waiting_since.elapsed() < BUSY_FOR;
        if is_busy && self.pending.len() < self.limit / 2 {
            tokio::time::sleep(GATHERING).await;
            self.consumer.add_ready(&mut self.pending, self.limit)?;
        }
        (self.size_before, self.waiting_since) = (self.pending.len(), None);
        Ok(Some(Batch { deliveries: std::mem::take(&mut self.pending) }))
    }

    /// Stops consuming. What was delivered and not acknowledged goes to another worker.
    pub async fn close(self) {
        self.shared.health.set(self.part, Err("stopping".to_owned()));
        self.consumer.cancel().await;
        self.link.close().await;
        tracing::info!(role = self.part, "stopped");
    }
}
