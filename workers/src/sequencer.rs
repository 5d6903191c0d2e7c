//! Role `sequencer`: places recorded events in the logs, a batch in one transaction, and writes heartbeats. It runs inside
//! the role `audit`, or alone. Any number of sequencers can run; one at a time is active.

use std::time::{Duration, Instant};

use store::log::sequence::{Sequencer, Turn};

use crate::role_name::RoleName;
use crate::session::{SessionError, supervise};
use crate::shared::Shared;

/// Name in health, logs and on the command line.
pub const NAME: &str = RoleName::Sequencer.as_str();
/// Most events in one transaction.
const BATCH_LIMIT: i64 = 1000;
/// Pause after a batch that was not full: long enough to gather events for the next commit, and short compared with the two
/// seconds in which an event must be provable.
const PAUSE: Duration = Duration::from_millis(250);
/// Pause while there is nothing to do, or while another sequencer is active.
const IDLE_PAUSE: Duration = Duration::from_millis(500);
/// How often heartbeats are written and lost events are published again.
const UPKEEP_PERIOD: Duration = Duration::from_secs(30);
/// Longest age of a log's latest heartbeat, in seconds.
const HEARTBEAT_SECONDS: f64 = 300.0;
/// An event that waits longer than this to be placed raises an alarm, in seconds.
const ALARM_SECONDS: f64 = 30.0;

/// Runs the role until the stop. New logs get names under `authority`.
pub async fn run(shared: Shared, authority: String) {
    shared.health.set(NAME, Err("starting".to_owned()));
    supervise(&shared, NAME, || session(&shared, &authority)).await;
}

async fn session(shared: &Shared, authority: &str) -> Result<(), SessionError> {
    shared.store.check_schema().await?;
    let mut sequencer = Sequencer::new(shared.store.clone(), authority);
    shared.health.set(NAME, Ok(()));
    let mut upkeep: Option<Instant> = None;
    while !shared.stop.is_cancelled() {
        if upkeep.is_none_or(|last| last.elapsed() >= UPKEEP_PERIOD) {
            run_upkeep(shared, &sequencer).await?;
            upkeep = Some(Instant::now());
        }
        let pause = match sequencer.turn(BATCH_LIMIT).await {
            Ok(Turn::Done { placed, held, quarantined }) => {
                metrics::counter!("lockbox_audit_placed_total").increment(u64::try_from(placed).unwrap_or_default());
                if quarantined > 0 {
                    report_quarantine(shared).await?;
                }
                match placed + held + quarantined {
                    0 => IDLE_PAUSE,
                    full if i64::try_from(full).unwrap_or(i64::MAX) >= BATCH_LIMIT => continue,
                    _ => PAUSE,
                }
            }
            Ok(Turn::Elsewhere) => IDLE_PAUSE,
            // Another process wrote without the lock; this transaction wrote nothing.
            Err(store::Error::SequencedElsewhere) => PAUSE,
            Err(error) if error.is_transient() && !error.is_outage() => PAUSE,
            Err(error) => return Err(error.into()),
        };
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    shared.health.set(NAME, Err("stopping".to_owned()));
    Ok(())
}

async fn run_upkeep(shared: &Shared, sequencer: &Sequencer) -> Result<(), SessionError> {
    sequencer.beat(HEARTBEAT_SECONDS).await?;
    let resent = shared.store.resend_unrecorded().await?;
    if resent > 0 {
        tracing::warn!(events = resent, "the audit log never received some events; publishing them again");
    }
    report_quarantine(shared).await?;
    let oldest = shared.store.staged_seconds().await?;
    metrics::gauge!("lockbox_audit_staged_oldest_seconds").set(oldest);
    if oldest > ALARM_SECONDS {
        let error = format!(
            "ALARM: an event has waited {oldest:.0} s for its place in the log; an earlier event may be missing"
        );
        tracing::error!("{error}");
    }
    Ok(())
}

/// Reports the number of quarantined events in the metrics and in readiness. The role continues with all other events.
async fn report_quarantine(shared: &Shared) -> Result<(), SessionError> {
    let count = shared.store.quarantined_count().await?;
    #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
    metrics::gauge!("lockbox_audit_quarantined").set(count as f64);
    let warning = format!("{count} events are quarantined and in no log; `lockbox audit check` lists them");
    shared.health.warn(NAME, (count > 0).then_some(warning));
    Ok(())
}
