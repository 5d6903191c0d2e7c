//! Publishes timer wake-ups to the delay levels.

use std::time::{Duration, Instant};

use broker::{Exchange, Outgoing, Published, Publisher, delay_levels};
use chrono::{DateTime, Utc};
use contracts::commands::TimerDue;
use contracts::envelope::{About, message};
use contracts::{Kind, Traceparent};
use store::TimerWakeUp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::outgoing::{BATCH_LIMIT, outgoing};
use crate::context::remaining;

/// A wake-up with the time that was left when it entered the queue. Its delay level is chosen when it is published.
pub(super) struct Waiting {
    wake_up: TimerWakeUp,
    left: Duration,
    since: Instant,
}

impl Waiting {
    pub fn new(wake_up: TimerWakeUp, now: DateTime<Utc>) -> Self {
        Self { wake_up, left: remaining(wake_up.due_at, now), since: Instant::now() }
    }

    fn outgoing(self) -> Outgoing {
        wake_up_outgoing(self.wake_up, self.left.saturating_sub(self.since.elapsed()))
    }
}

/// Publishes wake-ups until the stop, and then until the queue is empty. The recovery scan of the role `expiry` finds the
/// timers whose wake-up the broker did not store.
pub(super) async fn publish(
    queue: &mut mpsc::Receiver<Waiting>,
    mut publisher: Publisher,
    stop: &CancellationToken,
) -> Result<(), broker::Error> {
    let mut batch = Vec::with_capacity(BATCH_LIMIT);
    loop {
        tokio::select! {
            biased;
            received = queue.recv_many(&mut batch, BATCH_LIMIT) => {
                if received == 0 {
                    return Ok(());
                }
                let outgoing: Vec<Outgoing> = batch.drain(..).map(Waiting::outgoing).collect();
                let published = publisher.publish(&outgoing).await?;
                let lost = published.iter().filter(|published| **published != Published::Confirmed).count();
                if lost > 0 {
                    metrics::counter!("lockbox_publish_failed_total", "why" => "wake_up").increment(u64::try_from(lost).unwrap_or(0));
                    tracing::warn!(lost, "the broker did not store some timer wake-ups; the recovery scan fires their timers");
                }
                metrics::counter!("lockbox_published_total").increment(u64::try_from(outgoing.len()).unwrap_or_default());
            }
            () = stop.cancelled(), if queue.is_empty() && queue.is_closed() => return Ok(()),
        }
    }
}

/// A wake-up for the longest delay level that does not overshoot, or directly for the role `expiry`.
fn wake_up_outgoing(wake_up: TimerWakeUp, left: Duration) -> Outgoing {
    let now = wake_up.due_at - left;
    let data = TimerDue {
        request: wake_up.request,
        timer: wake_up.kind.to_owned(),
        generation: wake_up.generation,
        due_at: wake_up.due_at,
    };
    let about = About { request: Some(wake_up.request), trace: Some(Traceparent::start()), ..About::default() };
    let direct = outgoing(message(Kind::TimerDue, now, about, &data));
    match delay_levels::delay_level_for(left) {
        Some(delay_level) => Outgoing { exchange: Exchange::Delay, routing_key: delay_level.name.to_owned(), ..direct },
        None => direct,
    }
}
