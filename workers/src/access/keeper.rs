//! Keeps doors: takes those that are due from the table, many at a time, and acts on each outside any transaction.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use store::doors::Claimed;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Doors, call};
use crate::engine::chain;
use crate::supervisor::Surroundings;
use crate::world::remaining;

/// Doors acted on at once: targets answer slowly.
const CONCURRENT: usize = 32;
/// How often the table is looked at when nothing else wakes.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// A claim ends by itself after this long: longer than all calls for one door may take together, short enough that the
/// doors of a dead process are closed and read back within a minute.
const LEASE: Duration = Duration::from_secs(25);

/// Keeps doors until the stop; what was begun is finished.
pub(super) async fn run(around: Surroundings, doors: Doors, wake: Arc<Notify>) {
    let mut working = FuturesUnordered::new();
    // A moment and not a pause: what is finished meanwhile must not put the next look off.
    let mut next_look = Instant::now();
    while !around.stop.is_cancelled() {
        tokio::select! {
            biased;
            () = around.stop.cancelled() => break,
            Some(()) = working.next() => {}
            () = async { tokio::select! { () = wake.notified() => {} () = tokio::time::sleep_until(next_look) => {} } },
                if working.len() < CONCURRENT =>
            {
                let (claimed, next) = look(&around, &doors, CONCURRENT - working.len()).await;
                next_look = Instant::now() + next;
                working.extend(claimed.into_iter().map(|claimed| act(&around, &doors, claimed)));
            }
        }
    }
    while working.next().await.is_some() {}
}

/// One look at the table: what to act on, and when to look again.
async fn look(around: &Surroundings, doors: &Doors, room: usize) -> (Vec<Claimed>, Duration) {
    let limit = i64::try_from(room).unwrap_or(1);
    match around.store.claim_doors(limit, LEASE, |service| doors.kind(service)).await {
        Ok(due) => {
            let pause = match due.next {
                _ if due.count >= room => Duration::ZERO,
                Some(next) => remaining(next, due.now).min(LOOK_PERIOD),
                None => LOOK_PERIOD,
            };
            around.relay.hand_over(due.messages, Vec::new(), due.now).await;
            (due.claimed, pause)
        }
        Err(error) => {
            tracing::warn!(error = chain(&error), "doors that are due could not be taken");
            (Vec::new(), LOOK_PERIOD)
        }
    }
}

/// Acts on one door and keeps what was seen. What cannot be kept is done again when the claim has ended.
async fn act(around: &Surroundings, doors: &Doors, claimed: Claimed) {
    let request = claimed.content.request;
    let kept = async {
        let facts = call::act(&around.store, doors, &claimed).await?;
        let said = around.store.settle_door(&claimed, &facts).await?;
        Ok::<_, store::Error>(said)
    };
    match kept.await {
        Ok(said) => {
            for message in &said {
                tell(message, &claimed);
            }
            if !said.is_empty() {
                let now = around.store.clock().await.unwrap_or_default();
                around.relay.hand_over(said, Vec::new(), now).await;
            }
        }
        Err(error) => tracing::warn!(%request, error = chain(&error), "what was seen of a door could not be kept"),
    }
}

/// What ops read: a first failure as a warning, an end that is not confirmed as an error.
fn tell(message: &contracts::envelope::Message, claimed: &Claimed) {
    let data = contracts::Envelope::read(&message.body)
        .ok()
        .and_then(|(envelope, _)| envelope.data::<contracts::events::DoorStep>().ok());
    let Some(step) = data else { return };
    let (request, service_request, connector) = (step.request, &step.service_request, &claimed.connector);
    metrics::counter!("lockbox_doors_total", "event" => message.kind.key()).increment(1);
    match (step.alarm, step.error) {
        (Some(true), error) => {
            tracing::error!(%request, service_request, connector, error, "ALARM: the end of access is not confirmed");
        }
        (_, Some(error)) => {
            tracing::warn!(%request, service_request, connector, state = step.state, error, "a door failed")
        }
        (_, None) => tracing::info!(%request, service_request, connector, "{}", message.kind.key()),
    }
    if let Some(receipt) = step.receipt {
        let took = (*receipt.closed_at - *receipt.ordered_at).to_std().unwrap_or_default();
        metrics::histogram!("lockbox_door_close_seconds").record(took.as_secs_f64());
    }
}
