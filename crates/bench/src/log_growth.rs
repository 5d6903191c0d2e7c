//! Processor time per event in an audit log of one million entries and in one of ten million.

use std::time::{Duration, Instant};

use broker::{Outgoing, Publisher};
use store::seed::log::Template;
use workers::RoleName;

use super::audit::{event, placed};
use super::cpu;
use super::rig::{Rig, number, print_metric, wait_for};
use runtime::outcome::Failure;
use runtime::output::print_message;

/// Number of events per run.
const EVENTS: usize = 20_000;
/// The tenant of [`super::rig::DIRECTORY`].
pub(super) const TENANT: &str = "contoso";

/// Fills the tenant's log up to this many entries.
pub(super) async fn fill(rig: &Rig, entries: u64) -> Result<(), Failure> {
    let moment = "2001-02-03T04:05:06.000007Z";
    let at = moment.parse().map_err(|fault| Failure::Failed(format!("{moment}: {fault}")))?;
    let model = event(at);
    let text = String::from_utf8_lossy(&model.body).into_owned();
    let request = model.correlation_id.clone().unwrap_or_default();
    let template = Template { event: text, id: model.message_id.clone(), request, time: moment.to_owned() };
    let entries = i64::try_from(entries).unwrap_or(i64::MAX);
    let mut printed_at = Instant::now();
    let progress = |done| {
        if printed_at.elapsed() >= Duration::from_secs(5) {
            print_message(&format!("added {done} of {entries} entries to the log"));
            printed_at = Instant::now();
        }
    };
    Ok(rig.store.seed_log(TENANT, &template, entries, progress).await?)
}

/// Processor milliseconds per event, from the queue to a signed entry: the median of five runs.
async fn cost(rig: &Rig) -> Result<f64, Failure> {
    let link = runtime::connect::open_link(&rig.settings).await?;
    let mut publisher = Publisher::open(&link, &rig.settings.names).await?;
    let mut runs = Vec::new();
    for round in 0..6 {
        let now = rig.store.clock().await?;
        for _ in 0..EVENTS / 500 {
            let batch: Vec<Outgoing> = (0..500).map(|_| event(now)).collect();
            publisher.publish(&batch).await?;
        }
        let (before, used) = (placed(rig).await?, cpu::seconds(rig));
        let stop = rig.work(&[RoleName::Audit]).await?;
        wait_for("all events to be in the log and signed", Duration::from_secs(600), async || {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let is_placed = placed(rig).await? >= before + number(EVENTS);
            Ok((is_placed && rig.store.unsigned_heads().await?.is_empty()).then_some(()))
        })
        .await?;
        let spent = cpu::seconds(rig).since(used).sum() * 1000.0 / number(EVENTS);
        stop.cancel();
        // The first run after a fill only warms the caches.
        if round > 0 {
            runs.push(spent);
        }
    }
    link.close().await;
    runs.sort_by(f64::total_cmp);
    Ok(runs[2])
}

pub(super) async fn measure(rig: &Rig, from: u64, to: u64) -> Result<(), Failure> {
    rig.begin_logs().await?;
    let started = Instant::now();
    fill(rig, from).await?;
    let before = cost(rig).await?;
    print_metric(&format!("log growth: per event with {from} entries"), &format!("{before:.3} ms"), "processor time")?;
    fill(rig, to).await?;
    let after = cost(rig).await?;
    print_metric(&format!("log growth: the same with {to} entries"), &format!("{after:.3} ms"), "")?;
    print_metric("log growth: ratio", &format!("{:.2}", after / before), "goal: 0.8 to 1.2")?;
    print_message(&format!("took {:.0} s", started.elapsed().as_secs_f64()));
    Ok(())
}
