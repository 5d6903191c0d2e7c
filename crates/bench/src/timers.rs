//! Delay of timers with deadlines of one to thirty seconds.

use std::time::Duration;

use broker::Publisher;
use contracts::directory::Directory;
use metrics_exporter_prometheus::PrometheusHandle;
use store::views::RequestFilter;
use uuid::Uuid;
use workers::RoleName;

use super::lifecycle::{submission, total};
use super::rig::{Rig, number, print_metric, quantile, wait_for};
use runtime::outcome::Failure;

/// Tenants with review deadlines of one to thirty seconds.
fn directory() -> Result<Directory, Failure> {
    let mut text = String::from("tenants:\n");
    for seconds in 1..=30 {
        text.push_str(&format!(
            "  - name: wait{seconds}\n    display_name: Wait {seconds}\n    \
             people: [{{name: alex{seconds}, display_name: Alex, email: alex{seconds}@contoso.example}}]\n    \
             approvers: [{{person: alex{seconds}}}]\n    rules: {{review_deadline: {seconds}s}}\n"
        ));
    }
    serde_saphyr::from_str(&text).map_err(|fault| Failure::Failed(fault.to_string()))
}

pub(super) async fn measure(rig: &Rig, timers: usize, metrics: &PrometheusHandle) -> Result<(), Failure> {
    rig.store.apply(&directory()?, "bench").await?;
    let stop = rig.work(&[RoleName::Intake, RoleName::Expiry, RoleName::Audit]).await?;
    let link = runtime::connect::open_link(&rig.settings).await?;
    let mut publisher = Publisher::open(&link, &rig.settings.names).await?;
    let all: Vec<_> = (0..timers)
        .map(|index| submission(&Uuid::now_v7().to_string(), 60, &format!("wait{}", index % 30 + 1)))
        .collect();
    for batch in all.chunks(500) {
        publisher.publish(batch).await?;
    }
    wait_for("every timer to fire", Duration::from_secs(180), async || {
        let counts = rig.store.request_counts().await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let expired = counts.iter().find(|(state, _)| state == "expired").map_or(0, |(_, count)| *count);
        Ok((usize::try_from(expired).ok() == Some(timers)).then_some(()))
    })
    .await?;
    let limit = i64::try_from(timers).unwrap_or(i64::MAX);
    let views = rig.store.list_requests(&RequestFilter { limit, ..RequestFilter::default() }).await?;
    let late = |view: &store::views::RequestView| {
        let micros = (view.finished_at? - view.review_deadline).num_microseconds()?;
        Some(number(usize::try_from(micros.max(0)).ok()?) / 1e6)
    };
    let early = views.iter().filter(|view| view.finished_at.is_some_and(|over| over < view.review_deadline)).count();
    let mut lateness: Vec<f64> = views.iter().filter_map(late).collect();
    lateness.sort_by(f64::total_cmp);
    print_metric("timers: fired", &lateness.len().to_string(), &format!("goal: {timers}"))?;
    print_metric("timers: early", &early.to_string(), "goal: 0")?;
    print_metric("timers: delay, p50", &format!("{:.1} ms", 1000.0 * quantile(&lateness, 0.5)), "")?;
    print_metric(
        "timers: delay, p99",
        &format!("{:.1} ms", 1000.0 * quantile(&lateness, 0.99)),
        "goal: 1000 ms or less",
    )?;
    let fired = |by: &str| total(metrics, "lockbox_timers_fired_total", by);
    let (wake_up, recovery_scan) = (fired("by=\"wake_up\""), fired("by=\"recovery_scan\""));
    let share = 100.0 * recovery_scan / (wake_up + recovery_scan).max(1.0);
    print_metric("timers: fired by the recovery scan", &format!("{share:.2} %"), "goal: near 0")?;
    stop.cancel();
    Ok(())
}
