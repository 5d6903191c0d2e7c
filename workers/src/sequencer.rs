//! Role `sequencer`: gives recorded events their places in the logs, whole batches at a time, and keeps the logs alive with
//! heartbeats. Runs inside the role `audit`, or alone. Any number may run; one at a time is at work.

use std::time::{Duration, Instant};

use store::log::sequence::{Sequencer, Turn};

use crate::supervisor::{SessionError, Surroundings, keep};

/// Name in health, logs and on the command line.
pub const NAME: &str = "sequencer";
/// Most events in one transaction.
const BATCH_LIMIT: i64 = 1000;
/// Pause after a batch that was not full: long enough to make the next one worth its commit, short against the two
/// seconds in which an event is to be proved.
const PAUSE: Duration = Duration::from_millis(250);
/// Pause while there is nothing to do, or another one does it.
const IDLE_PAUSE: Duration = Duration::from_millis(500);
/// How often heartbeats are looked after.
const UPKEEP_PERIOD: Duration = Duration::from_secs(30);
/// How old the latest heartbeat of a log may become.
const HEARTBEAT_SECONDS: f64 = 300.0;
/// An event that waits longer than this for its place is an alarm.
const ALARM_SECONDS: f64 = 30.0;

/// Runs the role until the stop; logs that begin are named under `authority`.
pub async fn run(around: Surroundings, authority: String) {
    around.health.set(NAME, Err("starting".to_owned()));
    keep(&around, NAME, || session(&around, &authority)).await;
}

async fn session(around: &Surroundings, authority: &str) -> Result<(), SessionError> {
    around.store.check_schema().await?;
    let mut sequencer = Sequencer::new(around.store.clone(), authority);
    around.health.set(NAME, Ok(()));
    let mut upkeep: Option<Instant> = None;
    while !around.stop.is_cancelled() {
        if upkeep.is_none_or(|last| last.elapsed() >= UPKEEP_PERIOD) {
            look_after(around, &sequencer).await?;
            upkeep = Some(Instant::now());
        }
        let pause = match sequencer.turn(BATCH_LIMIT).await {
            Ok(Turn::Done { placed, held, quarantined }) => {
                metrics::counter!("lockbox_audit_placed_total").increment(u64::try_from(placed).unwrap_or_default());
                if quarantined > 0 {
                    watch_quarantine(around).await?;
                }
                match placed + held + quarantined {
                    0 => IDLE_PAUSE,
                    full if i64::try_from(full).unwrap_or(i64::MAX) >= BATCH_LIMIT => continue,
                    _ => PAUSE,
                }
            }
            Ok(Turn::Elsewhere) => IDLE_PAUSE,
            // Somebody who did not ask for the lock was faster; nothing was written here.
            Err(store::Error::Outrun) => PAUSE,
            Err(error) if error.is_transient() && !error.is_outage() => PAUSE,
            Err(error) => return Err(error.into()),
        };
        tokio::select! {
            () = around.stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    around.health.set(NAME, Err("stopping".to_owned()));
    Ok(())
}

async fn look_after(around: &Surroundings, sequencer: &Sequencer) -> Result<(), SessionError> {
    sequencer.beat(HEARTBEAT_SECONDS).await?;
    let resent = around.store.resend_unrecorded().await?;
    if resent > 0 {
        tracing::warn!(events = resent, "events that the audit log never received are sent again");
    }
    watch_quarantine(around).await?;
    let oldest = around.store.staged_seconds().await?;
    metrics::gauge!("lockbox_audit_staged_oldest_seconds").set(oldest);
    if oldest > ALARM_SECONDS {
        let error = format!("an event waits for its place for {oldest:.0} s; a step before it may be missing");
        tracing::error!("{error}");
    }
    Ok(())
}

/// Tells metrics and readiness how many events are quarantined. The role goes on: its other events are as good as ever.
async fn watch_quarantine(around: &Surroundings) -> Result<(), SessionError> {
    let count = around.store.quarantined_count().await?;
    #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
    metrics::gauge!("lockbox_audit_quarantined").set(count as f64);
    let warning = format!("{count} events are quarantined and in no log; `lockbox audit check` lists them");
    around.health.warn(NAME, (count > 0).then_some(warning));
    Ok(())
}
