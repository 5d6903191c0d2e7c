//! The upper limit of throughput: a bare loop that consumes, writes the same bulk SQL (inbox, outbox, consumed messages,
//! audit), commits, acknowledges, and publishes one message per consumed message with confirms, without any logic.

use std::time::{Duration, Instant};

use broker::{Consumer, Outgoing, Publisher};
use contracts::Kind;
use contracts::envelope::{About, Message, message};
use contracts::events::{Indexed, NotificationResult};
use store::{Lock, ReadSet, WriteSet};
use tokio::sync::mpsc;
use uuid::Uuid;
use workers::relay::outgoing;

use super::cpu;
use super::rig::{Rig, number};
use runtime::outcome::Failure;

/// Messages published for one request: the submission, two decisions, five steps, two events of its provisioning, three
/// timer wake-ups, and mails to the manager, the approver, two about the grant and three about the end.
pub(super) const MESSAGES_PER_REQUEST: usize = 20;

/// Number of concurrent loops. Three gave the highest throughput on two cores.
const LOOPS: usize = 3;
/// Number of messages in flight.
const WINDOW: usize = 3000;
/// Number of audit events among the messages of a lifecycle.
const EVENTS_PER_REQUEST: usize = 5;

fn notification(now: chrono::DateTime<chrono::Utc>) -> Message {
    let request = Uuid::now_v7();
    let data = NotificationResult {
        request: Some(request),
        service_request: Some("SR-2026-004711".to_owned()),
        notification: Uuid::now_v7(),
        template: "decision_needed".to_owned(),
        recipient: "alex@contoso.example".to_owned(),
        mail_message_id: "x".repeat(90),
        attempts: 1,
        error: None,
        actor: contracts::events::Actor::lockbox(),
    };
    let about = About { request: Some(request), tenant: Some("contoso".to_owned()), ..About::default() };
    message(Kind::Mail, now, about, &data)
}

/// Results of the bare loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceiling {
    /// Messages per second.
    pub per_second: f64,
    /// Processor seconds per message: program, database and broker.
    pub processor: f64,
}

/// Runs the bare loop for as many messages as this number of requests has.
pub(super) async fn measure(rig: &Rig, requests: usize) -> Result<Ceiling, Failure> {
    let total = requests * MESSAGES_PER_REQUEST;
    let link = runtime::connect::open_link(&rig.settings).await?;
    let mut publisher = Publisher::open(&link, &rig.settings.names).await?;
    let now = rig.store.clock().await?;
    let seeds: Vec<Message> = (0..WINDOW).map(|_| notification(now)).collect();
    rig.store.enqueue(&seeds).await?;
    let seeds: Vec<Outgoing> = seeds.into_iter().map(outgoing).collect();
    for batch in seeds.chunks(500) {
        publisher.publish(batch).await?;
    }
    let (started, used) = (Instant::now(), cpu::seconds(rig));
    let loops = (0..LOOPS).map(|_| bare(rig, total / LOOPS));
    for done in futures_util::future::join_all(loops).await {
        done?;
    }
    let per_second = number(total) / started.elapsed().as_secs_f64();
    let processor = cpu::seconds(rig).since(used).sum() / number(total);
    link.close().await;
    Ok(Ceiling { per_second, processor })
}

async fn bare(rig: &Rig, total: usize) -> Result<(), Failure> {
    let consuming = runtime::connect::open_link(&rig.settings).await?;
    let publishing = runtime::connect::open_link(&rig.settings).await?;
    let mut consumer = Consumer::open(&consuming, &rig.settings.names, "mail", 512, "bare").await?;
    let mut publisher = Publisher::open(&publishing, &rig.settings.names).await?;
    let (sender, mut queue) = mpsc::channel::<Vec<Outgoing>>(64);
    let publish = async {
        while let Some(batch) = queue.recv().await {
            publisher.publish(&batch).await?;
        }
        Ok::<(), Failure>(())
    };
    let work = async {
        let mut done = 0;
        while done < total {
            let next = tokio::time::timeout(Duration::from_secs(30), consumer.next_batch(256)).await;
            let batch =
                next.map_err(|_| Failure::TimedOut("the bare loop received no message for 30 s".to_owned()))??;
            done += batch.deliveries.len();
            let ids: Vec<Uuid> = batch
                .deliveries
                .iter()
                .filter_map(|delivery| delivery.message_id().and_then(|id| id.parse().ok()))
                .collect();
            let wanted = ReadSet { consumer: "mail", keys: ids.clone(), lock: Lock::Read, ..ReadSet::default() };
            let unit = rig.store.open_unit_of_work(wanted).await?;
            let now = unit.snapshot.now;
            let messages: Vec<Message> = ids.iter().map(|_| notification(now)).collect();
            unit.commit(&WriteSet { messages: messages.clone(), consumed: ids, ..WriteSet::default() }).await?;
            let share = messages.len() * EVENTS_PER_REQUEST / MESSAGES_PER_REQUEST;
            let events: Vec<(Indexed, &[u8])> =
                messages[..share].iter().map(|event| (index(event, now), event.body.as_slice())).collect();
            if !events.is_empty() {
                rig.store.append(&events, Vec::new(), WriteSet::default()).await?;
            }
            batch.done().await?;
            drop(sender.send(messages.into_iter().map(outgoing).collect()).await);
        }
        drop(sender);
        Ok::<(), Failure>(())
    };
    let (worked, published) = tokio::join!(work, publish);
    worked.and(published)?;
    consuming.close().await;
    publishing.close().await;
    Ok(())
}

fn index(event: &Message, now: chrono::DateTime<chrono::Utc>) -> Indexed {
    Indexed {
        id: event.id,
        type_name: "bench".to_owned(),
        at: now,
        tenant: Some("contoso".to_owned()),
        request: event.request,
        version: Some(1),
        service_request: Some("SR-2026-004711".to_owned()),
        person: None,
        cause: Some(event.id.to_string()),
        text: None,
    }
}
