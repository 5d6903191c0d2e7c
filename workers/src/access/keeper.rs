//! Keeps provisionings: takes those that are due from the table, many at a time, and acts on each outside any transaction.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use store::provisionings::Claimed;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Provisionings, call};
use crate::context::remaining;
use crate::engine::chain;
use crate::supervisor::Surroundings;

/// Doors acted on at once: targets answer slowly.
const CONCURRENT: usize = 32;
/// How often the table is looked at when nothing else wakes.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// A claim ends by itself after this long: longer than all calls for one provisioning may take together, short enough that the
/// provisionings of a dead process are closed and read back within a minute.
const LEASE: Duration = Duration::from_secs(25);

/// Keeps provisionings until the stop; what was begun is finished.
pub(super) async fn run(around: Surroundings, provisionings: Provisionings, wake: Arc<Notify>) {
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
                let (claimed, next) = look(&around, &provisionings, CONCURRENT - working.len()).await;
                next_look = Instant::now() + next;
                working.extend(claimed.into_iter().map(|claimed| act(&around, &provisionings, claimed)));
            }
        }
    }
    while working.next().await.is_some() {}
}

/// One look at the table: what to act on, and when to look again.
async fn look(around: &Surroundings, provisionings: &Provisionings, room: usize) -> (Vec<Claimed>, Duration) {
    let limit = i64::try_from(room).unwrap_or(1);
    match around.store.claim_provisionings(limit, LEASE, |service| provisionings.kind(service)).await {
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
            tracing::warn!(error = chain(&error), "provisionings that are due could not be taken");
            (Vec::new(), LOOK_PERIOD)
        }
    }
}

/// Acts on one provisioning and keeps what was seen. What cannot be kept is done again when the claim has ended.
async fn act(around: &Surroundings, provisionings: &Provisionings, claimed: Claimed) {
    let request = claimed.content.request;
    let kept = async {
        let facts = call::act(&around.store, provisionings, &claimed).await?;
        let said = around.store.settle_provisioning(&claimed, &facts).await?;
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
        Err(error) => {
            tracing::warn!(%request, error = chain(&error), "what was seen of a provisioning could not be kept")
        }
    }
}

/// What ops read: a first failure as a warning, an end that is not confirmed as an error.
fn tell(message: &contracts::envelope::Message, claimed: &Claimed) {
    let data = contracts::Envelope::read(&message.body)
        .ok()
        .and_then(|(envelope, _)| envelope.data::<contracts::events::ProvisioningStep>().ok());
    let Some(step) = data else { return };
    let (request, service_request, connector) = (step.request, &step.service_request, &claimed.connector);
    metrics::counter!("lockbox_provisionings_total", "event" => message.kind.key()).increment(1);
    match (step.alarm, step.error) {
        (Some(true), error) => {
            tracing::error!(%request, service_request, connector, error, "ALARM: the end of access is not confirmed");
        }
        (_, Some(error)) => {
            tracing::warn!(%request, service_request, connector, state = step.state, error, "a provisioning failed")
        }
        (_, None) => tracing::info!(%request, service_request, connector, "{}", message.kind.key()),
    }
    if let Some(receipt) = step.receipt {
        let took = (*receipt.revoked_at - *receipt.revocation_ordered_at).to_std().unwrap_or_default();
        metrics::histogram!("lockbox_revocation_seconds").record(took.as_secs_f64());
    }
}
