//! Hints on their way to the delay ladder.

use std::time::{Duration, Instant};

use broker::{Exchange, Outgoing, Published, Publisher, ladder};
use chrono::{DateTime, Utc};
use contracts::commands::TimerDue;
use contracts::envelope::{About, message};
use contracts::{Kind, Traceparent};
use store::Hint;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{BATCH_LIMIT, outgoing};
use crate::world::remaining;

/// A hint with the time that was left when it was handed over: its rung is chosen when it goes out.
pub(super) struct Waiting {
    hint: Hint,
    left: Duration,
    since: Instant,
}

impl Waiting {
    pub fn new(hint: Hint, now: DateTime<Utc>) -> Self {
        Self { hint, left: remaining(hint.due_at, now), since: Instant::now() }
    }

    fn outgoing(self) -> Outgoing {
        hint_outgoing(self.hint, self.left.saturating_sub(self.since.elapsed()))
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
fn hint_outgoing(hint: Hint, left: Duration) -> Outgoing {
    let now = hint.due_at - left;
    let data = TimerDue {
        request: hint.request,
        timer: hint.kind.to_owned(),
        generation: hint.generation,
        due_at: hint.due_at,
    };
    let about = About { request: Some(hint.request), trace: Some(Traceparent::start()), ..About::default() };
    let straight = outgoing(message(Kind::TimerDue, now, about, &data));
    match ladder::rung_for(left) {
        Some(rung) => Outgoing { exchange: Exchange::Delay, routing_key: rung.name.to_owned(), ..straight },
        None => straight,
    }
}
