//! The provisioning loop: claims the provisionings that are due, many at a time, and acts on each outside any transaction.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use store::provisionings::Claimed;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::call;
use super::targets::Provisionings;
use crate::context::remaining;
use crate::error_chain::error_chain;
use crate::shared::Shared;
use crate::verified_grants::VerifiedGrants;

/// Provisionings that are processed at the same time. Targets answer slowly.
const CONCURRENT: usize = 32;
/// How often the table is read when no event arrives.
const POLL_PERIOD: Duration = Duration::from_secs(1);
/// Lifetime of a claim. It is longer than all calls for one provisioning may take together, and short enough that the
/// provisionings of a dead process are revoked and read back within a minute.
const LEASE: Duration = Duration::from_secs(25);

/// Processes provisionings until the stop, then finishes those in progress.
pub(super) async fn run(shared: Shared, provisionings: Provisionings, verified: VerifiedGrants, wake: Arc<Notify>) {
    let mut working = FuturesUnordered::new();
    // A point in time, not a pause: a finished call must not delay the next poll.
    let mut next_poll = Instant::now();
    while !shared.stop.is_cancelled() {
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            Some(()) = working.next() => {}
            () = async { tokio::select! { () = wake.notified() => {} () = tokio::time::sleep_until(next_poll) => {} } },
                if working.len() < CONCURRENT =>
            {
                let (claimed, next) = claim_due(&shared, &provisionings, CONCURRENT - working.len()).await;
                next_poll = Instant::now() + next;
                working.extend(claimed.into_iter().map(|claimed| act(&shared, &provisionings, &verified, claimed)));
            }
        }
    }
    while working.next().await.is_some() {}
}

/// Claims what is due. Returns it with the pause until the next poll.
async fn claim_due(shared: &Shared, provisionings: &Provisionings, room: usize) -> (Vec<Claimed>, Duration) {
    let limit = i64::try_from(room).unwrap_or(1);
    match shared.store.claim_provisionings(limit, LEASE, |service| provisionings.kind(service)).await {
        Ok(due) => {
            let pause = match due.next {
                _ if due.count >= room => Duration::ZERO,
                Some(next) => remaining(next, due.now).min(POLL_PERIOD),
                None => POLL_PERIOD,
            };
            shared.relay.publish(due.messages, Vec::new(), due.now).await;
            (due.claimed, pause)
        }
        Err(error) => {
            tracing::warn!(error = error_chain(&error), "cannot claim the provisionings that are due; trying again");
            (Vec::new(), POLL_PERIOD)
        }
    }
}

/// Processes one provisioning and stores the result. A result that cannot be stored is repeated after the claim has expired.
async fn act(shared: &Shared, provisionings: &Provisionings, verified: &VerifiedGrants, claimed: Claimed) {
    let request = claimed.content.request;
    let stored = async {
        let facts = call::act(&shared.store, provisionings, verified, &claimed).await?;
        let events = shared.store.store_provisioning_result(&claimed, &facts).await?;
        Ok::<_, store::Error>(events)
    };
    match stored.await {
        Ok(events) => {
            for message in &events {
                log_event(message, &claimed);
            }
            if !events.is_empty() {
                let now = shared.store.clock().await.unwrap_or_default();
                shared.relay.publish(events, Vec::new(), now).await;
            }
        }
        Err(error) => {
            tracing::warn!(%request, error = error_chain(&error), "cannot store the result of a provisioning; it is repeated when its claim expires")
        }
    }
}

/// Logs an event: a first failure as a warning, an unconfirmed revocation as an error.
fn log_event(message: &contracts::envelope::Message, claimed: &Claimed) {
    let data = contracts::Envelope::read(&message.body)
        .ok()
        .and_then(|(envelope, _)| envelope.data::<contracts::events::ProvisioningStep>().ok());
    let Some(step) = data else { return };
    let (request, service_request, connector) = (step.request, &step.service_request, &claimed.connector);
    metrics::counter!("lockbox_provisionings_total", "event" => message.kind.key()).increment(1);
    match (step.alarm, step.error) {
        (Some(true), error) => {
            tracing::error!(%request, service_request, connector, error, "ALARM: the revocation of access is not confirmed");
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
