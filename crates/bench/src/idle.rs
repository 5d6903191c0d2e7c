//! Latency of one request on an idle system.

use std::time::{Duration, Instant};

use broker::{Consumer, Exchange, Publisher};
use contracts::Kind;
use uuid::Uuid;
use workers::relay::outgoing;

use super::lifecycle::{ROLES, approval, sink, submission};
use super::rig::{Rig, print_metric, quantile};
use runtime::outcome::Failure;

/// Number of requests, one after another.
const TRIES: usize = 200;

pub(super) async fn measure(rig: &Rig) -> Result<(), Failure> {
    let stop = rig.work(&ROLES).await?;
    sink(rig, &stop).await?;
    let (link, publishing) =
        (runtime::connect::open_link(&rig.settings).await?, runtime::connect::open_link(&rig.settings).await?);
    let mut publisher = Publisher::open(&publishing, &rig.settings.names).await?;
    let mut events =
        Consumer::subscribe(&link, &rig.settings.names, Exchange::Events, &[Kind::RequestSubmitted.key()]).await?;
    let mut notifications =
        Consumer::subscribe(&link, &rig.settings.names, Exchange::Notifications, &["mail.#"]).await?;
    let (mut decided, mut submitted) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        let begun = Instant::now();
        publisher.publish(&[submission(&Uuid::now_v7().to_string(), 60, "contoso")]).await?;
        let event = events.next_batch(1).await?;
        submitted.push(begun.elapsed().as_secs_f64() * 1000.0);
        // Wait for the mail to the manager, and until the system is idle again before the approval.
        notifications.next_batch(1).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = rig.store.clock().await?;
        let command = event.deliveries.first().and_then(|delivery| approval(delivery.body(), now));
        let command = command.ok_or_else(|| Failure::Failed("the event is not a submission".to_owned()))?;
        rig.store.enqueue(std::slice::from_ref(&command)).await?;
        let begun = Instant::now();
        publisher.publish(&[outgoing(command)]).await?;
        notifications.next_batch(1).await?;
        decided.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    submitted.sort_by(f64::total_cmp);
    decided.sort_by(f64::total_cmp);
    let shown = |values: &[f64], share| format!("{:.1} ms", quantile(values, share));
    print_metric("idle: submission to request.submitted, p50", &shown(&submitted, 0.5), "")?;
    print_metric("idle: submission to request.submitted, p99", &shown(&submitted, 0.99), "")?;
    print_metric("idle: approval to pending_customer and mail, p50", &shown(&decided, 0.5), "goal: 10 ms or less")?;
    print_metric("idle: approval to pending_customer and mail, p99", &shown(&decided, 0.99), "goal: 30 ms or less")?;
    stop.cancel();
    Ok(())
}
