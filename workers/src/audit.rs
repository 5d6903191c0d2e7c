//! Role `audit`: writes every event to the audit log as the exact bytes that were published, a batch in one transaction.
//! It also moves messages from the dead-letter queue to the table of dead-letter messages.

use std::time::Instant;

use broker::Delivery;
use contracts::events::{self, Indexed};
use contracts::{Envelope, Malformed};
use store::{DeadLetter, WriteSet};

use crate::batches::Batches;
use crate::dead_letter::{describe_delivery, record_dead_letter};
use crate::error_chain::error_chain;
use crate::received::Source;
use crate::role_name::RoleName;
use crate::session::{Outage, SessionError, supervise};
use crate::shared::Shared;

/// Most events in one transaction.
const BATCH_LIMIT: usize = 500;
/// The dead-letter queue.
const DEAD_LETTER: &str = "dead-letter";
/// Most dead-letter messages in one transaction.
const DEAD_LETTER_LIMIT: usize = 50;

/// Runs the role until the stop.
pub async fn run(shared: Shared) {
    let dead_letter = shared.clone();
    shared
        .tasks
        .spawn(async move { supervise(&dead_letter, "dead-letter", || drain_dead_letter_queue(&dead_letter)).await });
    supervise(&shared, RoleName::Audit.as_str(), || session(&shared)).await;
}

async fn session(shared: &Shared) -> Result<(), SessionError> {
    let role = RoleName::Audit.as_str();
    let mut batches = Batches::open(shared, role, BATCH_LIMIT).await?;
    while let Some(batch) = batches.next().await? {
        let started = Instant::now();
        metrics::histogram!("lockbox_batch_size", "role" => role)
            .record(f64::from(u32::try_from(batch.deliveries.len()).unwrap_or(u32::MAX)));
        let mut outage = Outage::new(shared, role);
        while let Err(error) = append(shared, &batch.deliveries).await {
            outage.wait(error).await?;
        }
        outage.end(());
        metrics::histogram!("lockbox_handle_seconds", "role" => role).record(started.elapsed().as_secs_f64());
        metrics::counter!("lockbox_messages_total", "role" => role)
            .increment(u64::try_from(batch.deliveries.len()).unwrap_or_default());
        batch.done().await?;
    }
    batches.close().await;
    Ok(())
}

/// Appends a batch. If the database refuses it, the events are appended one by one and the refused one is dead-lettered.
async fn append(shared: &Shared, deliveries: &[Delivery]) -> Result<(), store::Error> {
    match append_all(shared, deliveries, None).await {
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            tracing::warn!(
                error = error_chain(&error),
                "the database refused a batch of events; appending them one by one"
            );
            for delivery in deliveries {
                let one = std::slice::from_ref(delivery);
                match append_all(shared, one, None).await {
                    Err(error) if error.is_transient() => return Err(error),
                    Err(error) => {
                        tracing::error!(error = error_chain(&error), "the database refused an event");
                        let detail =
                            "the database refused this event; the log of the audit role has the reason".to_owned();
                        let fault = Malformed { code: "store.refused", detail };
                        append_all(shared, one, Some(&fault)).await?;
                    }
                    Ok(()) => {}
                }
            }
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Reads an event and checks that our own login sent it.
fn read(delivery: &Delivery, shared: &Shared) -> Result<Indexed, Malformed> {
    let indexed = events::index(delivery.body())?;
    let source = Source::of(delivery, &shared.login);
    if !source.is_own {
        let detail = format!("the login {:?} sent an event that only Lockbox itself may send", source.login);
        return Err(Malformed { code: "auth.forged", detail });
    }
    Ok(indexed)
}

async fn append_all(shared: &Shared, deliveries: &[Delivery], refused: Option<&Malformed>) -> Result<(), store::Error> {
    let mut changes = WriteSet::default();
    let mut appended = Vec::with_capacity(deliveries.len());
    let mut clock = None;
    for delivery in deliveries {
        let read = refused.map_or_else(|| read(delivery, shared), |fault| Err(fault.clone()));
        match read {
            Ok(indexed) => {
                changes.consumed.push(indexed.id);
                appended.push((indexed, delivery.body()));
            }
            Err(fault) => {
                let now = match clock {
                    Some(now) => now,
                    None => *clock.insert(shared.store.clock().await?),
                };
                // A forged event marks nothing as consumed: the real event with this id is still to come.
                let source = Source::of(delivery, &shared.login);
                let read = Envelope::read(delivery.body()).ok().filter(|_| source.is_own);
                changes.consumed.extend(read.and_then(|(envelope, _)| envelope.own_id()));
                record_dead_letter(
                    &mut changes,
                    describe_delivery(delivery, RoleName::Audit.as_str(), source, &fault),
                    now,
                );
            }
        }
    }
    let now = clock.unwrap_or_default();
    let dead_letter: Vec<DeadLetter> = std::mem::take(&mut changes.dead_letter);
    let messages = changes.messages.clone();
    shared.store.append(&appended, dead_letter, changes).await?;
    shared.relay.publish(messages, Vec::new(), now).await;
    Ok(())
}

/// Why the broker dead-lettered a message.
fn dead_letter_cause(delivery: &Delivery, shared: &Shared) -> (Malformed, String, Source) {
    let mut source = Source::of(delivery, &shared.login);
    match delivery.first_death() {
        Some(death) => {
            source.exchange.clone_from(&death.exchange);
            let queue = death.queue.strip_prefix(shared.names.prefix()).unwrap_or(&death.queue);
            let detail = match death.reason.as_str() {
                "delivery_limit" => "it was delivered too often without an acknowledgement; a worker may crash on it",
                "rejected" => "a worker rejected it",
                _ => "the broker dead-lettered it",
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
                "no queue is bound for the routing key {:?} on the exchange {}; schemas/asyncapi.yaml lists the keys",
                delivery.routing_key(),
                delivery.exchange()
            );
            (Malformed { code: "broker.unroutable", detail }, DEAD_LETTER.to_owned(), source)
        }
    }
}

async fn drain_dead_letter_queue(shared: &Shared) -> Result<(), SessionError> {
    let mut batches = Batches::open(shared, DEAD_LETTER, DEAD_LETTER_LIMIT).await?;
    while let Some(batch) = batches.next().await? {
        let mut outage = Outage::new(shared, DEAD_LETTER);
        while let Err(error) = store_dead_letters(shared, &batch.deliveries).await {
            outage.wait(error).await?;
        }
        outage.end(());
        batch.done().await?;
    }
    batches.close().await;
    Ok(())
}

async fn store_dead_letters(shared: &Shared, deliveries: &[Delivery]) -> Result<(), store::Error> {
    let now = shared.store.clock().await?;
    let mut changes = WriteSet::default();
    for delivery in deliveries {
        let (fault, queue, source) = dead_letter_cause(delivery, shared);
        record_dead_letter(&mut changes, describe_delivery(delivery, &queue, source, &fault), now);
    }
    let dead_letter: Vec<DeadLetter> = std::mem::take(&mut changes.dead_letter);
    let messages = changes.messages.clone();
    shared.store.append(&[], dead_letter, changes).await?;
    shared.relay.publish(messages, Vec::new(), now).await;
    Ok(())
}
