//! Webhooks: events over HTTP, signed as Standard Webhooks (<https://www.standardwebhooks.com>), for programs that do not
//! speak AMQP. Runs beside the role `mail`; what is to be delivered is in a table, so that nothing is lost and any
//! number of processes may deliver. Each webhook has its own queue: a receiver that is slow or fails delays no other.
//!
//! Deliberately absent: redirects, proxies, and addresses inside the house that nobody allowed.

use std::sync::Arc;
use std::time::Duration;

use contracts::events::Actor;
use reqwest::redirect::Policy;
use store::webhooks::Delivery;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::engine::chain;
use crate::supervisor::{SessionError, Surroundings, keep};

mod address;
mod call;
mod retry;

pub use address::{Inside, check_url};
pub use call::{secret, sign};
pub use retry::OVERLAP_LIMIT;

use retry::Verdict;

/// How often the table is read when no request ends.
const LOOK_PERIOD: Duration = Duration::from_millis(250);
/// Requests that may be open at once, of all webhooks together. One webhook has at most eight, so this leaves room for
/// the others beside more than thirty receivers that take as long as they may.
const CONCURRENT: usize = 256;
/// Attempts whose outcome is stored at once: the role `mail` shares this process' connections to the database.
const SETTLING: usize = 4;
/// Time for one request, all in all.
const DELIVERY_LIMIT: Duration = Duration::from_secs(10);
/// How long open requests are waited for at the end; what is not stored by then is sent again.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);
/// A receiver that answers in this time may have more requests open at once.
const QUICK: Duration = Duration::from_secs(1);
/// How often old attempts are deleted.
const TRIM_PERIOD: Duration = Duration::from_secs(600);

/// Delivers until the stop.
pub async fn run(around: Surroundings, inside: Inside) {
    let inside = Arc::new(inside);
    keep(&around, "webhooks", || session(&around, &inside)).await;
}

async fn session(around: &Surroundings, inside: &Arc<Inside>) -> Result<(), SessionError> {
    around.store.check_schema().await?;
    // No proxy either: it would look names up itself, past the check.
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(address::Guarded(inside.clone())))
        .connect_timeout(Duration::from_secs(5))
        .timeout(DELIVERY_LIMIT)
        .user_agent("lockbox")
        .build();
    let client = match client {
        Ok(client) => client,
        Err(fault) => {
            tracing::error!(error = chain(&fault), "webhooks cannot be called from here");
            around.stop.cancelled().await;
            return Ok(());
        }
    };
    around.health.set("webhooks", Ok(()));
    let sender =
        Sender { around: around.clone(), client, inside: inside.clone(), settling: Arc::new(Semaphore::new(SETTLING)) };
    let mut open = JoinSet::new();
    let ended = keep_sending(&sender, &mut open).await;
    // Whatever ended it, requests that are open have an outcome to store: nobody else would send them for a minute.
    let drained = async { while open.join_next().await.is_some() {} };
    drop(tokio::time::timeout(DRAIN_LIMIT, drained).await);
    around.health.set("webhooks", Err("stopping".to_owned()));
    ended
}

/// What every attempt needs. Attempts are tasks of their own: one that waits for the database must not wait for the
/// loop, which may wait for the same connections.
#[derive(Clone)]
struct Sender {
    around: Surroundings,
    client: reqwest::Client,
    inside: Arc<Inside>,
    settling: Arc<Semaphore>,
}

async fn keep_sending(sender: &Sender, open: &mut JoinSet<Result<(), SessionError>>) -> Result<(), SessionError> {
    let (store, stop) = (&sender.around.store, &sender.around.stop);
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
                settled(done)?;
                // Requests that ended together free their places together.
                while let Some(done) = open.try_join_next() {
                    settled(done)?;
                }
            }
            _ = trim.tick() => store.trim_attempts().await?,
            () = tokio::time::sleep(LOOK_PERIOD) => {}
        }
    }
    Ok(())
}

/// The outcome of an attempt. One that panicked leaves its event to the next claim.
fn settled(done: Result<Result<(), SessionError>, tokio::task::JoinError>) -> Result<(), SessionError> {
    match done {
        Ok(settled) => settled,
        Err(fault) => {
            tracing::error!(error = chain(&fault), "an attempt to deliver to a webhook failed within Lockbox");
            Ok(())
        }
    }
}

impl Sender {
    async fn deliver(&self, one: Delivery) -> Result<(), SessionError> {
        let around = &self.around;
        let (answer, attempt) = call::call(&self.client, &self.inside, &one).await;
        let Ok(_turn) = self.settling.acquire().await else { return Ok(()) };
        let verdict = retry::verdict(&one, &answer, fastrand::f64());
        metrics::counter!("lockbox_webhook_total", "outcome" => verdict.outcome()).increment(1);
        let why = attempt.error.clone().unwrap_or_default();
        let off = match verdict {
            Verdict::Delivered => {
                return Ok(around.store.delivered(&one, &attempt, attempt.took < QUICK).await?);
            }
            Verdict::Again(_, next) => {
                around.store.not_delivered(&one, &attempt, next).await?;
                // Every attempt is in the delivery log; this line tells that a webhook began to fail, and what is given up.
                if next.event.is_none() {
                    tracing::warn!(webhook = %one.webhook, event = %one.event, why, "an event was given up for a webhook");
                } else if one.failing_since.is_none() {
                    tracing::warn!(webhook = %one.webhook, event = %one.event, why, "a webhook fails");
                }
                return Ok(());
            }
            Verdict::Off(next, off) => {
                around.store.not_delivered(&one, &attempt, next).await?;
                off
            }
        };
        // What it has not accepted stays, and is sent when somebody switches it on again.
        match around.store.switch_webhook(one.webhook, Some(&off), "Lockbox", Actor::lockbox()).await {
            Ok(messages) => {
                tracing::error!(webhook = %one.webhook, why = off, "a webhook was switched off");
                around.relay.hand_over(messages, Vec::new(), one.now).await;
                Ok(())
            }
            // Another delivery has done it.
            Err(store::Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
