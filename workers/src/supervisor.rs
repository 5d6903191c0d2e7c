//! Keeps a role at work: opens a link, consumes, hands batches to the engine, acknowledges what was committed; when
//! anything fails it drops everything and begins afresh. On a stop it finishes the batch in hand.

use std::time::Duration;

use broker::Names;
use store::{Store, TimerWakeUp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::batches::Batches;
use crate::engine::{Engine, Item, chain};
use crate::expiry::Expiry;
use crate::health::Health;
use crate::relay::Relay;
use crate::role::{Received, Role, Source};

/// Most deliveries in one transaction.
pub const BATCH_LIMIT: usize = 256;
/// How often overdue timers are looked for in the table.
const RECOVERY_PERIOD: Duration = Duration::from_secs(1);

/// What every role of a process shares.
#[derive(Clone)]
pub struct Surroundings {
    /// The broker.
    pub broker: broker::Config,
    /// Our own login at the broker.
    pub login: String,
    /// Names on it.
    pub names: Names,
    /// The database.
    pub store: Store,
    /// The relay of this process.
    pub relay: Relay,
    /// Where readiness is noted.
    pub health: Health,
    /// Told to stop.
    pub stop: CancellationToken,
    /// Everything that draining waits for.
    pub tasks: TaskTracker,
}

/// Runs `session` again and again until the stop, with growing pauses after failures.
pub async fn keep<F, E>(around: &Surroundings, part: &'static str, mut session: impl FnMut() -> F)
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error,
{
    let mut attempt = 0;
    while !around.stop.is_cancelled() {
        let started = std::time::Instant::now();
        match session().await {
            Ok(()) => return,
            Err(error) => {
                around.health.set(part, Err(chain(&error)));
                tracing::warn!(role = part, error = chain(&error), "reconnecting");
            }
        }
        attempt = if started.elapsed() > Duration::from_secs(30) { 0 } else { attempt + 1 };
        tokio::select! {
            () = around.stop.cancelled() => return,
            () = tokio::time::sleep(broker::backoff(attempt)) => {}
        }
    }
}

/// Work with the database that is tried until it is done or refused, however long the database is away: deliveries in hand
/// are kept meanwhile, since each time that one is given back counts as an attempt. A stop ends the wait.
pub(crate) struct Outage<'a> {
    around: &'a Surroundings,
    part: &'static str,
    tries: u32,
}

impl<'a> Outage<'a> {
    pub fn new(around: &'a Surroundings, part: &'static str) -> Self {
        Self { around, part, tries: 0 }
    }

    /// Waits until the database takes writes again.
    ///
    /// # Errors
    /// The error itself when it is no outage, or when the process stops.
    pub async fn wait(&mut self, mut error: store::Error) -> Result<(), store::Error> {
        let Self { around, part, .. } = *self;
        while error.is_outage() && !around.stop.is_cancelled() {
            // One connection that broke is no reason to be taken out of service.
            if self.tries > 0 {
                around.health.set(part, Err(chain(&error)));
            }
            tracing::warn!(role = part, error = chain(&error), "waiting for the database");
            tokio::select! {
                () = around.stop.cancelled() => return Err(error),
                () = tokio::time::sleep(broker::backoff(self.tries)) => {}
            }
            self.tries += 1;
            match around.store.check_writable().await {
                Ok(()) => return Ok(()),
                Err(still) => error = still,
            }
        }
        Err(error)
    }

    /// The work is done.
    pub fn over<T>(&self, done: T) -> T {
        if self.tries > 0 {
            self.around.health.set(self.part, Ok(()));
            tracing::info!(role = self.part, "the database takes work again");
        }
        done
    }
}

/// [`Engine::process`], through every outage.
async fn process<R: Role>(
    around: &Surroundings,
    engine: &Engine<R>,
    items: &[Item<R::Message>],
) -> Result<Vec<TimerWakeUp>, store::Error> {
    let mut outage = Outage::new(around, engine.role.name().as_str());
    loop {
        match engine.process(items).await {
            Ok(later) => return Ok(outage.over(later)),
            Err(error) => outage.wait(error).await?,
        }
    }
}

/// A failure of a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The broker's side.
    #[error("the broker failed")]
    Broker(#[from] broker::Error),
    /// The database's side.
    #[error("the database failed")]
    Store(#[from] store::Error),
}

/// Runs a role until the stop.
pub async fn run<R: Role + Clone>(around: Surroundings, role: R) {
    let part = role.name().as_str();
    keep(&around, part, || session(&around, role.clone(), None)).await;
}

/// Runs the expiry role with its sweeper and its alarm clock.
pub async fn run_expiry(around: Surroundings) {
    let sweeper = around.clone();
    around.tasks.spawn(async move { recovery_scan(sweeper).await });
    let (alarm, mut delay_level) = mpsc::channel(10_000);
    let mut clock = Some(alarm);
    let alarm = clock.take();
    let mut attempt = 0;
    while !around.stop.is_cancelled() {
        let waker = alarm.as_ref().map(|sender| Alarm { sender, receiver: &mut delay_level });
        match session(&around, Expiry { sweeping: false }, waker).await {
            Ok(()) => return,
            Err(error) => {
                around.health.set("expiry", Err(chain(&error)));
                tracing::warn!(role = "expiry", error = chain(&error), "reconnecting");
            }
        }
        attempt += 1;
        tokio::select! {
            () = around.stop.cancelled() => return,
            () = tokio::time::sleep(broker::backoff(attempt.min(6))) => {}
        }
    }
}

/// Timers that are due in less than a second wait in process.
struct Alarm<'a> {
    sender: &'a mpsc::Sender<TimerWakeUp>,
    receiver: &'a mut mpsc::Receiver<TimerWakeUp>,
}

async fn session<R: Role>(around: &Surroundings, role: R, mut alarm: Option<Alarm<'_>>) -> Result<(), SessionError> {
    let part = role.name().as_str();
    let mut batches = Batches::open(around, part, BATCH_LIMIT).await?;
    let engine = Engine { role, store: around.store.clone(), relay: around.relay.clone(), login: around.login.clone() };
    loop {
        let delay_level = async {
            match &mut alarm {
                Some(alarm) => alarm.receiver.recv().await,
                None => std::future::pending().await,
            }
        };
        let later = tokio::select! {
            biased;
            () = around.stop.cancelled() => break,
            wake_up = delay_level => {
                let mut wake_ups = Vec::from_iter(wake_up);
                while wake_ups.len() < BATCH_LIMIT && let Some(Ok(more)) = alarm.as_mut().map(|alarm| alarm.receiver.try_recv()) {
                    wake_ups.push(more);
                }
                let items: Vec<_> = wake_ups.into_iter().filter_map(|wake_up| item_of(&engine, wake_up)).collect();
                process(around, &engine, &items).await?
            }
            batch = batches.next() => {
                let Some(batch) = batch? else { break };
                let items: Vec<_> = batch.deliveries.iter().map(|delivery| engine.item(delivery)).collect();
                let later = process(around, &engine, &items).await?;
                batch.done().await?;
                later
            }
        };
        if let Some(alarm) = &alarm {
            wait_again(around, later, alarm.sender).await?;
        }
    }
    batches.close().await;
    Ok(())
}

/// Early hints go back on the ladder; the last part of a second is waited for here.
async fn wait_again(
    around: &Surroundings,
    later: Vec<TimerWakeUp>,
    alarm: &mpsc::Sender<TimerWakeUp>,
) -> Result<(), SessionError> {
    if later.is_empty() {
        return Ok(());
    }
    let now = around.store.clock().await?;
    for wake_up in later {
        let remaining = crate::context::remaining(wake_up.due_at, now);
        if broker::delay_levels::delay_level_for(remaining).is_some() {
            around.relay.hand_over(Vec::new(), vec![wake_up], now).await;
            continue;
        }
        let (alarm, stop) = (alarm.clone(), around.stop.clone());
        around.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(remaining) => drop(alarm.send(wake_up).await),
            }
        });
    }
    Ok(())
}

/// A timer from the table as if a hint had come for it.
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

/// Brings overdue timers from the table, broker up or down.
async fn recovery_scan(around: Surroundings) {
    let engine = Engine {
        role: Expiry { sweeping: true },
        store: around.store.clone(),
        relay: around.relay.clone(),
        login: around.login.clone(),
    };
    loop {
        tokio::select! {
            () = around.stop.cancelled() => return,
            () = tokio::time::sleep(RECOVERY_PERIOD) => {}
        }
        let overdue = match around.store.overdue(500).await {
            Ok(overdue) => overdue,
            Err(error) => {
                tracing::warn!(error = chain(&error), "overdue timers could not be looked for");
                continue;
            }
        };
        if overdue.is_empty() {
            continue;
        }
        let items: Vec<_> = overdue.into_iter().filter_map(|wake_up| item_of(&engine, wake_up)).collect();
        if let Err(error) = engine.process(&items).await {
            tracing::warn!(error = chain(&error), "overdue timers could not be fired");
        }
    }
}
