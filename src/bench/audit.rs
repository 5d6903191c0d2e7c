//! How fast one audit worker writes events that wait for it.

use std::time::{Duration, Instant};

use broker::{Outgoing, Publisher};
use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{Actor, NoticeResult};
use uuid::Uuid;
use workers::RoleName;
use workers::relay::outgoing;

use super::{Rig, figure, number, wait_for};
use crate::outcome::Failure;

pub(super) async fn measure(rig: &Rig, events: usize) -> Result<(), Failure> {
    let link = crate::cli::open_link(&rig.settings).await?;
    let mut publisher = Publisher::open(&link, &rig.settings.names).await?;
    let now = rig.store.clock().await?;
    let before = rig.store.audit_count().await?;
    let event = |_| {
        let request = Uuid::now_v7();
        let data = NoticeResult {
            request,
            service_request: "SR-2026-004711".to_owned(),
            notice: Uuid::now_v7(),
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
        outgoing(message(Kind::NoticeSent, now, about, &data))
    };
    let mut left = events;
    while left > 0 {
        let batch: Vec<Outgoing> = (0..left.min(500)).map(event).collect();
        left -= batch.len();
        publisher.publish(&batch).await?;
    }
    let goal = before + i64::try_from(events).unwrap_or(i64::MAX);
    let started = Instant::now();
    let stop = rig.work(&[RoleName::Audit]).await?;
    wait_for("every event to be on record", Duration::from_secs(120), async || {
        tokio::time::sleep(Duration::from_millis(40)).await;
        Ok((rig.store.audit_count().await? >= goal).then_some(()))
    })
    .await?;
    let per_second = number(events) / started.elapsed().as_secs_f64();
    figure("audit: events a second, one worker", &format!("{per_second:.0}"), "goal: 10000 or more")?;
    stop.cancel();
    link.close().await;
    Ok(())
}
