//! Batches from one queue until the stop, for every role whose work is in the database.
//!
//! A quiet queue gives batches of one, at once. A busy one is left to gather for a moment: a transaction costs nearly
//! the same for four messages as for forty (`docs/adr/0015-busy-queues-gather-messages.md`).

use std::time::{Duration, Instant};

use broker::{Batch, Consumer, Delivery, Link};

use crate::supervisor::{SessionError, Surroundings};

/// How long a busy queue gathers. Far below what a person or a timer of a second notices.
const GATHERING: Duration = Duration::from_millis(20);
/// A queue is busy when the batch before held this many messages or more,
const BUSY_FROM: usize = 2;
/// and was done less than this ago.
const BUSY_FOR: Duration = Duration::from_millis(50);

/// Takes batches from a queue, on a link of its own.
pub(crate) struct Batches<'a> {
    around: &'a Surroundings,
    part: &'static str,
    link: Link,
    consumer: Consumer,
    limit: usize,
    held: Vec<Delivery>,
    size_before: usize,
    /// When the batch before was done.
    waiting_since: Option<Instant>,
}

impl<'a> Batches<'a> {
    /// Begins to consume; then the part is ready. Twice `limit` deliveries are held unacknowledged, so that one batch is there when the other
    /// is done.
    ///
    /// # Errors
    /// When the database has another schema or takes no writes, or the broker does not answer or has no such queue.
    pub async fn open(around: &'a Surroundings, part: &'static str, limit: usize) -> Result<Self, SessionError> {
        around.store.check_sessions().await?;
        around.store.check_schema().await?;
        // Whoever takes messages without being able to keep anything only wears out their deliveries.
        around.store.check_writable().await?;
        let link = Link::open(&around.broker).await?;
        let prefetch = u16::try_from(2 * limit).unwrap_or(u16::MAX);
        let consumer = Consumer::open(&link, &around.names, part, prefetch, &around.broker.name).await?;
        around.health.set(part, Ok(()));
        tracing::info!(role = part, "at work");
        Ok(Self { around, part, link, consumer, limit, held: Vec::new(), size_before: 0, waiting_since: None })
    }

    /// The next batch; none after the stop. Safe to cancel: what was taken is kept for the next call.
    ///
    /// # Errors
    /// When the connection fails or the broker ends the consumer.
    pub async fn next(&mut self) -> Result<Option<Batch>, SessionError> {
        let waiting_since = *self.waiting_since.get_or_insert_with(Instant::now);
        if self.held.is_empty() {
            tokio::select! {
                biased;
                () = self.around.stop.cancelled() => return Ok(None),
                batch = self.consumer.next_batch(self.limit) => self.held = batch?.deliveries,
            }
        }
        let is_busy = self.size_before >= BUSY_FROM && waiting_since.elapsed() < BUSY_FOR;
        if is_busy && self.held.len() < self.limit / 2 {
            tokio::time::sleep(GATHERING).await;
            self.consumer.take_ready(&mut self.held, self.limit)?;
        }
        (self.size_before, self.waiting_since) = (self.held.len(), None);
        Ok(Some(Batch { deliveries: std::mem::take(&mut self.held) }))
    }

    /// Stops consuming. What was delivered and not acknowledged goes to another worker.
    pub async fn close(self) {
        self.around.health.set(self.part, Err("stopping".to_owned()));
        self.consumer.cancel().await;
        self.link.close().await;
        tracing::info!(role = self.part, "stopped");
    }
}
