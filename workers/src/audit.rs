//! Role `audit`: writes every event to the audit log as the exact bytes that were published, whole batches at a time,
//! and empties the parking queue into the table of parked messages.

use std::time::Instant;

use broker::Delivery;
use contracts::events::{self, Indexed};
use contracts::{Envelope, Malformed};
use store::{DeadLetter, WriteSet};

use crate::batches::Batches;
use crate::engine::{chain, dead_letter_into, dead_letter_message};
use crate::role::{RoleName, Source};
use crate::supervisor::{Outage, SessionError, Surroundings, keep};

/// Most events in one transaction.
const BATCH_LIMIT: usize = 500;
/// The queue for what nobody took.
const DEAD_LETTER: &str = "dead-letter";
/// Most parked messages in one transaction.
const DEAD_LETTER_LIMIT: usize = 50;

/// Runs the role until the stop.
pub async fn run(around: Surroundings) {
    let dead_letter = around.clone();
    around.tasks.spawn(async move { keep(&dead_letter, "dead-letter", || drain_dead_letter(&dead_letter)).await });
    keep(&around, RoleName::Audit.as_str(), || session(&around)).await;
}

async fn session(around: &Surroundings) -> Result<(), SessionError> {
    let role = RoleName::Audit.as_str();
    let mut batches = Batches::open(around, role, BATCH_LIMIT).await?;
    while let Some(batch) = batches.next().await? {
        let started = Instant::now();
        metrics::histogram!("lockbox_batch_size", "role" => role)
            .record(f64::from(u32::try_from(batch.deliveries.len()).unwrap_or(u32::MAX)));
        let mut outage = Outage::new(around, role);
        while let Err(error) = append(around, &batch.deliveries).await {
            outage.wait(error).await?;
        }
        outage.over(());
        metrics::histogram!("lockbox_handle_seconds", "role" => role).record(started.elapsed().as_secs_f64());
        metrics::counter!("lockbox_messages_total", "role" => role)
            .increment(u64::try_from(batch.deliveries.len()).unwrap_or_default());
        batch.done().await?;
    }
    batches.close().await;
    Ok(())
}

/// Appends a batch; one that the database refuses is appended one by one, and the culprit parked.
async fn append(around: &Surroundings, deliveries: &[Delivery]) -> Result<(), store::Error> {
    match append_all(around, deliveries, None).await {
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            tracing::warn!(error = chain(&error), "a batch of events was refused; appending one by one");
            for delivery in deliveries {
                let one = std::slice::from_ref(delivery);
                match append_all(around, one, None).await {
                    Err(error) if error.is_transient() => return Err(error),
                    Err(error) => {
                        tracing::error!(error = chain(&error), "the database refused an event");
                        let detail = "the database refused this event; the log of the worker says why".to_owned();
                        let fault = Malformed { code: "store.refused", detail };
                        append_all(around, one, Some(&fault)).await?;
                    }
                    Ok(()) => {}
                }
            }
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Whether an event may be trusted to be Lockbox' own: sent by our own login through the exchange of events.
fn read(delivery: &Delivery, around: &Surroundings) -> Result<Indexed, Malformed> {
    let indexed = events::index(delivery.body())?;
    let source = Source::of(delivery, &around.login);
    if !source.is_own {
        let detail = format!("an event that claims to be Lockbox' own was sent by the login {:?}", source.login);
        return Err(Malformed { code: "auth.forged", detail });
    }
    Ok(indexed)
}

async fn append_all(
    around: &Surroundings,
    deliveries: &[Delivery],
    refused: Option<&Malformed>,
) -> Result<(), store::Error> {
    let mut changes = WriteSet::default();
    let mut appended = Vec::with_capacity(deliveries.len());
    let mut clock = None;
    for delivery in deliveries {
        let read = refused.map_or_else(|| read(delivery, around), |fault| Err(fault.clone()));
        match read {
            Ok(indexed) => {
                changes.taken.push(indexed.id);
                appended.push((indexed, delivery.body()));
            }
            Err(fault) => {
                let now = match clock {
                    Some(now) => now,
                    None => *clock.insert(around.store.clock().await?),
                };
                // Forged, it takes nothing: the real event is still to come.
                let source = Source::of(delivery, &around.login);
                let read = Envelope::read(delivery.body()).ok().filter(|_| source.is_own);
                changes.taken.extend(read.and_then(|(envelope, _)| envelope.own_id()));
                dead_letter_into(
                    &mut changes,
                    dead_letter_message(delivery, RoleName::Audit.as_str(), source, &fault),
                    now,
                );
            }
        }
    }
    let now = clock.unwrap_or_default();
    let dead_letter: Vec<DeadLetter> = std::mem::take(&mut changes.dead_letter);
    let messages = changes.messages.clone();
    around.store.append(&appended, dead_letter, changes).await?;
    around.relay.hand_over(messages, Vec::new(), now).await;
    Ok(())
}

/// Why the broker gave a message up.
fn cause(delivery: &Delivery, around: &Surroundings) -> (Malformed, String, Source) {
    let mut source = Source::of(delivery, &around.login);
    match delivery.first_death() {
        Some(death) => {
            source.exchange.clone_from(&death.exchange);
            let queue = death.queue.strip_prefix(around.names.prefix()).unwrap_or(&death.queue);
            let detail = match death.reason.as_str() {
                "delivery_limit" => "it was delivered too often without being taken; a worker may be crashing on it",
                "rejected" => "a worker refused it",
                _ => "the broker gave it up",
            };
            let code = match death.reason.as_str() {
                "delivery_limit" => "broker.delivery_limit",
                "rejected" => "broker.rejected",
                _ => "broker.dead_letter",
            };
            (Malformed { code, detail: detail.to_owned() }, queue.trim_start_matches('.').to_owned(), source)
        }
        None => {
            let detail = format!(
                "no queue takes {:?} on the exchange {}; see schemas/asyncapi.yaml",
                delivery.routing_key(),
                delivery.exchange()
            );
            (Malformed { code: "broker.unroutable", detail }, DEAD_LETTER.to_owned(), source)
        }
    }
}

async fn drain_dead_letter(around: &Surroundings) -> Result<(), SessionError> {
    let mut batches = Batches::open(around, DEAD_LETTER, DEAD_LETTER_LIMIT).await?;
    while let Some(batch) = batches.next().await? {
        let mut outage = Outage::new(around, DEAD_LETTER);
        while let Err(error) = dead_letter_all(around, &batch.deliveries).await {
            outage.wait(error).await?;
        }
        outage.over(());
        batch.done().await?;
    }
    batches.close().await;
    Ok(())
}

async fn dead_letter_all(around: &Surroundings, deliveries: &[Delivery]) -> Result<(), store::Error> {
    let now = around.store.clock().await?;
    let mut changes = WriteSet::default();
    for delivery in deliveries {
        let (fault, queue, source) = cause(delivery, around);
        dead_letter_into(&mut changes, dead_letter_message(delivery, &queue, source, &fault), now);
    }
    let dead_letter: Vec<DeadLetter> = std::mem::take(&mut changes.dead_letter);
    let messages = changes.messages.clone();
    around.store.append(&[], dead_letter, changes).await?;
    around.relay.hand_over(messages, Vec::new(), now).await;
    Ok(())
}
