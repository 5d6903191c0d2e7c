//! Throughput of one audit process, and latency from publishing an event to a signed checkpoint.

use std::time::{Duration, Instant};

use broker::{Outgoing, Publisher};
use chrono::{DateTime, Utc};
use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{Actor, NotificationResult};
use uuid::Uuid;
use workers::RoleName;
use workers::relay::outgoing;

use super::rig::{Rig, number, print_metric, quantile, wait_for};
use runtime::outcome::Failure;

pub(super) async fn measure(rig: &Rig, events: usize) -> Result<(), Failure> {
    let link = runtime::connect::open_link(&rig.settings).await?;
    let mut publisher = Publisher::open(&link, &rig.settings.names).await?;
    let now = rig.store.clock().await?;
    let before = placed(rig).await?;
    let mut left = events;
    while left > 0 {
        let batch: Vec<Outgoing> = (0..left.min(500)).map(|_| event(now)).collect();
        left -= batch.len();
        publisher.publish(&batch).await?;
    }
    let started = Instant::now();
    let stop = rig.work(&[RoleName::Audit]).await?;
    wait_for("all events to be in the log", Duration::from_secs(3600), async || {
        tokio::time::sleep(Duration::from_millis(40)).await;
        Ok((placed(rig).await? >= before + number(events)).then_some(()))
    })
    .await?;
    let per_second = number(events) / started.elapsed().as_secs_f64();
    print_metric("audit: events/s into entries, one process", &format!("{per_second:.0}"), "goal: 5000 or more")?;
    steady(rig, &mut publisher).await?;
    stop.cancel();
    link.close().await;
    Ok(())
}

/// A typical event, with a new request id.
pub(super) fn event(now: DateTime<Utc>) -> Outgoing {
    let request = Uuid::now_v7();
    let data = NotificationResult {
        request: Some(request),
        service_request: Some("SR-2026-004711".to_owned()),
        notification: Uuid::now_v7(),
        template: "decision_needed".to_owned(),
        recipient: "alex@contoso.example".to_owned(),
        mail_message_id: format!("<{request}@fabrikam.example>"),
        attempts: 1,
        error: None,
        actor: Actor::lockbox(),
    };
    let about = About {
        tenant: Some("contoso".to_owned()),
        request: Some(request),
        cause: Some(request.to_string()),
        ..About::default()
    };
    outgoing(message(Kind::NotificationSent, now, about, &data))
}

pub(super) async fn placed(rig: &Rig) -> Result<f64, Failure> {
    let heads = rig.store.log_heads().await?;
    Ok(number(usize::try_from(heads.iter().map(|head| head.size).sum::<i64>()).unwrap_or_default()))
}

/// Latency from publishing an event to a signed checkpoint that covers it, with batches of 100 events.
async fn steady(rig: &Rig, publisher: &mut Publisher) -> Result<(), Failure> {
    let mut waits = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        let now = rig.store.clock().await?;
        let batch: Vec<Outgoing> = (0..100).map(|_| event(now)).collect();
        publisher.publish(&batch).await?;
        let last: Uuid = batch.last().and_then(|last| last.message_id.parse().ok()).unwrap_or_default();
        wait_for("a checkpoint that covers the event", Duration::from_secs(30), async || {
            let Some((tenant, index)) = rig.store.log_place(last).await? else { return Ok(None) };
            let latest = rig.store.latest_checkpoint(tenant.as_deref()).await?;
            Ok(latest.filter(|latest| latest.size > index).map(drop))
        })
        .await?;
        waits.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    waits.sort_by(f64::total_cmp);
    let p99 = quantile(&waits, 0.99);
    print_metric("audit: published to signed, p99 ms", &format!("{p99:.0}"), "goal: 2000 or less")
}
