//! Runs the roles that work on the database: connects, consumes, passes batches to the engine, and acknowledges what was
//! committed. After a failure it drops the connection and connects again. On a stop it finishes the current batch.

use std::time::Duration;

use store::TimerWakeUp;
use tokio::sync::mpsc;

use crate::batches::Batches;
use crate::engine::Engine;
use crate::error_chain::error_chain;
use crate::expiry::Expiry;
use crate::item::Item;
use crate::received::{Received, Source};
use crate::role::Role;
use crate::session::{Outage, SessionError, supervise};
use crate::shared::Shared;

/// Most deliveries in one transaction.
pub const BATCH_LIMIT: usize = 256;
/// How often the recovery scan reads overdue timers from the table.
const RECOVERY_PERIOD: Duration = Duration::from_secs(1);

/// Runs [`Engine::process`], and waits for the end of every outage.
async fn process<R: Role>(
    shared: &Shared,
    engine: &Engine<R>,
    items: &[Item<R::Message>],
) -> Result<Vec<TimerWakeUp>, store::Error> {
    let mut outage = Outage::new(shared, engine.role.name().as_str());
    loop {
        match engine.process(items).await {
            Ok(later) => return Ok(outage.end(later)),
            Err(error) => outage.wait(error).await?,
        }
    }
}

/// Runs a role until the stop.
pub async fn run<R: Role + Clone>(shared: Shared, role: R) {
    let part = role.name().as_str();
    supervise(&shared, part, || session(&shared, role.clone(), None)).await;
}

/// Runs the role `expiry` with its recovery scan and its in-process timers.
pub async fn run_expiry(shared: Shared) {
    shared.tasks.spawn(run_recovery_scan(shared.clone()));
    let (sender, mut receiver) = mpsc::channel(10_000);
    let mut attempt = 0;
    while !shared.stop.is_cancelled() {
        let timers = ShortTimers { sender: &sender, receiver: &mut receiver };
        match session(&shared, Expiry { is_recovery_scan: false }, Some(timers)).await {
            Ok(()) => return,
            Err(error) => {
                shared.health.set("expiry", Err(error_chain(&error)));
                tracing::warn!(role = "expiry", error = error_chain(&error), "reconnecting");
            }
        }
        attempt += 1;
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(broker::backoff(attempt.min(6))) => {}
        }
    }
}

/// Timers that are due in less than a second: they wait in this process.
struct ShortTimers<'a> {
    sender: &'a mpsc::Sender<TimerWakeUp>,
    receiver: &'a mut mpsc::Receiver<TimerWakeUp>,
}

async fn session<R: Role>(shared: &Shared, role: R, mut timers: Option<ShortTimers<'_>>) -> Result<(), SessionError> {
    let part = role.name().as_str();
    let mut batches = Batches::open(shared, part, BATCH_LIMIT).await?;
    let engine = Engine { role, store: shared.store.clone(), relay: shared.relay.clone(), login: shared.login.clone() };
    loop {
        let short_timer = async {
            match &mut timers {
                Some(timers) => timers.receiver.recv().await,
                None => std::future::pending().await,
            }
        };
        let later = tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            wake_up = short_timer => {
                let mut wake_ups = Vec::from_iter(wake_up);
                while wake_ups.len() < BATCH_LIMIT && let Some(Ok(more)) = timers.as_mut().map(|timers| timers.receiver.try_recv()) {
                    wake_ups.push(more);
                }
                let items: Vec<_> = wake_ups.into_iter().filter_map(|wake_up| item_of(&engine, wake_up)).collect();
                process(shared, &engine, &items).await?
            }
            batch = batches.next() => {
                let Some(batch) = batch? else { break };
                let items: Vec<_> = batch.deliveries.iter().map(|delivery| engine.read_delivery(delivery)).collect();
                let later = process(shared, &engine, &items).await?;
                batch.done().await?;
                later
            }
        };
        if let Some(timers) = &timers {
            schedule_again(shared, later, timers.sender).await?;
        }
    }
    batches.close().await;
    Ok(())
}

/// Publishes early wake-ups to the delay levels again. Less than a second is waited for in this process.
async fn schedule_again(
    shared: &Shared,
    later: Vec<TimerWakeUp>,
    sender: &mpsc::Sender<TimerWakeUp>,
) -> Result<(), SessionError> {
    if later.is_empty() {
        return Ok(());
    }
    let now = shared.store.clock().await?;
    for wake_up in later {
        let remaining = crate::context::remaining(wake_up.due_at, now);
        if broker::delay_levels::delay_level_for(remaining).is_some() {
            shared.relay.publish(Vec::new(), vec![wake_up], now).await;
            continue;
        }
        let (sender, stop) = (sender.clone(), shared.stop.clone());
        shared.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(remaining) => drop(sender.send(wake_up).await),
            }
        });
    }
    Ok(())
}

/// A timer as the item that its wake-up message would be.
fn item_of<R: Role>(engine: &Engine<R>, wake_up: TimerWakeUp) -> Option<Item<R::Message>> {
    let data = contracts::commands::TimerDue {
        request: wake_up.request,
        timer: wake_up.kind.to_owned(),
        generation: wake_up.generation,
        due_at: wake_up.due_at,
    };
    let about = contracts::envelope::About { request: Some(wake_up.request), ..Default::default() };
    let message = contracts::envelope::message(contracts::Kind::TimerDue, wake_up.due_at, about, &data);
    let read = |kind, envelope: &contracts::Envelope| engine.role.read(kind, envelope);
    let received = Received::read(&message.body, Source::default(), read).ok()?;
    Some(Item::Good(Box::new(received)))
}

/// The recovery scan: processes overdue timers from the table, whether or not the broker is available.
async fn run_recovery_scan(shared: Shared) {
    let engine = Engine {
        role: Expiry { is_recovery_scan: true },
        store: shared.store.clone(),
        relay: shared.relay.clone(),
        login: shared.login.clone(),
    };
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(RECOVERY_PERIOD) => {}
        }
        apply_statements(&shared).await;
        let overdue = match shared.store.overdue(500).await {
            Ok(overdue) => overdue,
            Err(error) => {
                tracing::warn!(error = error_chain(&error), "cannot read the overdue timers; trying again");
                continue;
            }
        };
        if overdue.is_empty() {
            continue;
        }
        let items: Vec<_> = overdue.into_iter().filter_map(|wake_up| item_of(&engine, wake_up)).collect();
        if let Err(error) = engine.process(&items).await {
            tracing::warn!(error = error_chain(&error), "cannot fire the overdue timers; trying again");
        }
    }
}

/// Applies signed statements whose time has come, and closes proposals that expired.
async fn apply_statements(shared: &Shared) {
    match shared.store.apply_due_statements().await {
        Ok(applied) => {
            for authority in applied {
                tracing::info!(authority, "a signed statement took effect");
            }
        }
        Err(error) => tracing::warn!(error = error_chain(&error), "cannot apply a signed statement; trying again"),
    }
    if let Err(error) = shared.store.expire_changes().await {
        tracing::warn!(error = error_chain(&error), "cannot close expired proposals; trying again");
    }
}
