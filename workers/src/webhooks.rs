//! Webhooks: events over HTTP for programs without AMQP, signed as Standard Webhooks (<https://www.standardwebhooks.com>).
//! They run in the processes of the role `mail`. Pending deliveries are in a table, so that none is lost and any number of
//! processes can deliver. Each webhook has its own queue: a slow or failing receiver delays no other.
//!
//! Deliberately absent: redirects, proxies, and addresses in the internal network that the settings do not allow.

use std::sync::Arc;
use std::time::Duration;

use contracts::events::Actor;
use reqwest::redirect::Policy;
use store::webhooks::Delivery;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::error_chain::error_chain;
use crate::session::{SessionError, supervise};
use crate::shared::Shared;

mod address;
mod call;
mod retry;

pub use address::{Inside, check_url};
pub use call::{secret, sign};
pub use retry::OVERLAP_LIMIT;

use call::DELIVERY_LIMIT;
use retry::Verdict;

/// How often the table is read while no delivery ends.
const POLL_PERIOD: Duration = Duration::from_millis(250);
/// Deliveries in progress at the same time, for all webhooks together. One webhook has at most eight, so that thirty slow
/// receivers still leave capacity for others.
const CONCURRENT: usize = 256;
/// Outcomes that are stored at the same time. The role `mail` shares the database connections of this process.
const STORING: usize = 4;
/// How long a stop waits for deliveries in progress. An outcome that is not stored by then is delivered again.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);
/// A receiver that responds within this time can have more deliveries in progress.
const QUICK: Duration = Duration::from_secs(1);
/// How often old attempts are deleted.
const TRIM_PERIOD: Duration = Duration::from_secs(600);

/// Delivers until the stop.
pub async fn run(shared: Shared, inside: Inside) {
    let inside = Arc::new(inside);
    supervise(&shared, "webhooks", || session(&shared, &inside)).await;
}

async fn session(shared: &Shared, inside: &Arc<Inside>) -> Result<(), SessionError> {
    shared.store.check_schema().await?;
    // No proxy: it would resolve names itself, without the check of addresses.
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(address::PublicResolver(inside.clone())))
        .connect_timeout(Duration::from_secs(5))
        .timeout(DELIVERY_LIMIT)
        .user_agent("lockbox")
        .build();
    let client = match client {
        Ok(client) => client,
        Err(fault) => {
            tracing::error!(error = error_chain(&fault), "cannot deliver to webhooks: no HTTP client");
            shared.stop.cancelled().await;
            return Ok(());
        }
    };
    shared.health.set("webhooks", Ok(()));
    let sender =
        Sender { shared: shared.clone(), client, inside: inside.clone(), storing: Arc::new(Semaphore::new(STORING)) };
    let mut open = JoinSet::new();
    let ended = deliver_until_stop(&sender, &mut open).await;
    // Wait for the deliveries in progress in any case: other processes would deliver them again only after a minute.
    let drained = async { while open.join_next().await.is_some() {} };
    drop(tokio::time::timeout(DRAIN_LIMIT, drained).await);
    shared.health.set("webhooks", Err("stopping".to_owned()));
    ended
}

/// What every delivery needs. A delivery is a task of its own: when it waits for the database, it must not wait for the loop,
/// which can wait for the same connections.
#[derive(Clone)]
struct Sender {
    shared: Shared,
    client: reqwest::Client,
    inside: Arc<Inside>,
    storing: Arc<Semaphore>,
}

async fn deliver_until_stop(sender: &Sender, open: &mut JoinSet<Result<(), SessionError>>) -> Result<(), SessionError> {
    let (store, stop) = (&sender.shared.store, &sender.shared.stop);
    let mut trim = tokio::time::interval(TRIM_PERIOD);
    while !stop.is_cancelled() {
        let free = i64::try_from(CONCURRENT.saturating_sub(open.len())).unwrap_or_default();
        if free > 0 {
            for one in store.claim_deliveries(free).await? {
                let sender = sender.clone();
                open.spawn(async move { sender.deliver(one).await });
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            Some(done) = open.join_next() => {
                join_result(done)?;
                // Free the capacity of all deliveries that have ended.
                while let Some(done) = open.try_join_next() {
                    join_result(done)?;
                }
            }
            _ = trim.tick() => store.trim_attempts().await?,
            () = tokio::time::sleep(POLL_PERIOD) => {}
        }
    }
    Ok(())
}

/// The result of a delivery task. After a panic the event is delivered again with the next claim.
fn join_result(done: Result<Result<(), SessionError>, tokio::task::JoinError>) -> Result<(), SessionError> {
    match done {
        Ok(settled) => settled,
        Err(fault) => {
            tracing::error!(
                error = error_chain(&fault),
                "a delivery to a webhook failed because of a bug in Lockbox; it is repeated"
            );
            Ok(())
        }
    }
}

impl Sender {
    async fn deliver(&self, one: Delivery) -> Result<(), SessionError> {
        let shared = &self.shared;
        let (response, attempt) = call::call(&self.client, &self.inside, &one).await;
        let Ok(_permit) = self.storing.acquire().await else { return Ok(()) };
        let verdict = retry::verdict(&one, &response, fastrand::f64());
        metrics::counter!("lockbox_webhook_total", "outcome" => verdict.outcome()).increment(1);
        let why = attempt.error.clone().unwrap_or_default();
        let reason = match verdict {
            Verdict::Delivered => {
                return Ok(shared.store.delivered(&one, &attempt, attempt.took < QUICK).await?);
            }
            Verdict::Retry(_, next) => {
                shared.store.not_delivered(&one, &attempt, next).await?;
                // Every attempt is in the delivery log. Log only that a webhook started to fail, and that an event failed.
                if next.event.is_none() {
                    tracing::warn!(webhook = %one.webhook, event = %one.event, why, "an event could not be delivered to a webhook; Lockbox no longer retries");
                } else if one.failing_since.is_none() {
                    tracing::warn!(webhook = %one.webhook, event = %one.event, why, "a webhook started to fail; Lockbox retries");
                }
                return Ok(());
            }
            Verdict::Disable(next, reason) => {
                shared.store.not_delivered(&one, &attempt, next).await?;
                reason
            }
        };
        // Its pending events stay, and are delivered when it is enabled again.
        match shared.store.switch_webhook(one.webhook, Some(&reason), "Lockbox", Actor::lockbox()).await {
            Ok(messages) => {
                tracing::error!(webhook = %one.webhook, why = reason, "a webhook was disabled");
                shared.relay.publish(messages, Vec::new(), one.now).await;
                Ok(())
            }
            // Another delivery disabled it already.
            Err(store::Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
