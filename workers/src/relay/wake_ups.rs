//! Hints on their way to the delay levels.

use std::time::{Duration, Instant};

use broker::{Exchange, Outgoing, Published, Publisher, delay_levels};
use chrono::{DateTime, Utc};
use contracts::commands::TimerDue;
use contracts::envelope::{About, message};
use contracts::{Kind, Traceparent};
use store::TimerWakeUp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{BATCH_LIMIT, outgoing};
use crate::context::remaining;

/// A hint with the time that was left when it was handed over: its rung is chosen when it goes out.
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

/// Publishes hints until all is out after the stop. What the broker does not keep, the sweep of the expiry role finds.
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
                    metrics::counter!("lockbox_publish_failed_total", "why" => "hint").increment(u64::try_from(lost).unwrap_or(0));
                    tracing::warn!(lost, "hints were not kept; their timers fire from the table");
                }
                metrics::counter!("lockbox_published_total").increment(u64::try_from(outgoing.len()).unwrap_or_default());
            }
            () = stop.cancelled(), if queue.is_empty() && queue.is_closed() => return Ok(()),
        }
    }
}

/// A hint on its way: on the longest rung that does not overshoot, or straight to the expiry role.
fn wake_up_outgoing(wake_up: TimerWakeUp, left: Duration) -> Outgoing {
    let now = wake_up.due_at - left;
    let data = TimerDue {
        request: wake_up.request,
        timer: wake_up.kind.to_owned(),
        generation: wake_up.generation,
        due_at: wake_up.due_at,
    };
    let about = About { request: Some(wake_up.request), trace: Some(Traceparent::start()), ..About::default() };
    let straight = outgoing(message(Kind::TimerDue, now, about, &data));
    match delay_levels::delay_level_for(left) {
        Some(delay_level) => {
            Outgoing { exchange: Exchange::Delay, routing_key: delay_level.name.to_owned(), ..straight }
        }
        None => straight,
    }
}
