//! `lockbox audit forward`: entries go on to another system as they get their places, each log in its order, each entry at
//! least once. How far the other end has come stands in the database and moves only after it took what was sent. A log that
//! cannot be sent waits by itself; an entry that cannot be read is sent as a gap that says so.
//!
//! Deliberately absent: deciding what is worth sending. Everything goes, and whoever collects it filters.

use std::time::Duration;

use clap::Args;
use store::Store;
use store::log::forward::Forwarding;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use workers::Health;

use destination::{Destination, Trusted};
use rounds::{REFUSED_PAUSE, Round, Rounds, Stop};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{line, tell};

mod collector;
mod destination;
mod fault;
mod items;
mod rounds;
mod syslog;
mod token;

/// Name in health.
const PART: &str = "forward";
/// How often it is looked whether there is more.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// How often one that stands by asks for the right.
const STANDBY_PERIOD: Duration = Duration::from_secs(5);
/// Tries of `--once` before it gives up.
const TRIES: u32 = 5;

/// Where to, and what.
#[derive(Args, Clone, Debug)]
pub struct Forward {
    /// The other end: syslog+tls://host:6514 (RFC 5424 in the frames of RFC 5425), or https://… (OCSF, JSON arrays by POST).
    #[arg(long, env = "LOCKBOX_FORWARD_TO", value_name = "URL")]
    to: Url,
    /// Only this tenant's log; may be given several times. Without it, every log and the operator's.
    #[arg(long)]
    tenant: Vec<String>,
    /// Send what there is and end.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    trusted: Trusted,
}

impl Forward {
    /// Whether it stays up.
    pub fn stays(&self) -> bool {
        !self.once
    }

    /// Sends until asked to stop, or what there is.
    ///
    /// # Errors
    /// When the address or its files cannot be used; with `--once` also when the other end does not take it.
    pub async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let destination = Destination::new(&self.to, &self.trusted)?;
        let store = runtime::serve::open_store(settings).await?;
        store.check_schema().await?;
        for tenant in &self.tenant {
            if !store.tenants().await?.iter().any(|one| one.name == *tenant) {
                return Err(Failure::NotFound(format!("there is no tenant {tenant}")));
            }
        }
        if self.once { self.drain(&store, &destination).await } else { self.stay(settings, &store, &destination).await }
    }

    async fn drain(&self, store: &Store, destination: &Destination) -> Result<(), Failure> {
        let mut right = store.forward_to(self.to.as_str()).await?.ok_or_else(|| Failure::Refused {
            code: "at_work".to_owned(),
            message: format!("another process forwards to {}", self.to),
        })?;
        let mut rounds = Rounds::of(&self.tenant);
        let (mut total, mut attempt) = (0, 0);
        loop {
            let (pause, words) = match rounds.round(store, &mut right, destination).await {
                Ok(round) if round.sent > 0 => {
                    (total, attempt) = (total + round.sent, 0);
                    continue;
                }
                Ok(round) => match rounds.next_try(TRIES) {
                    Some((pause, words)) => (pause, words.to_owned()),
                    None if round.behind == 0 || rounds.troubles().is_some() => break,
                    // Only a gap was sent.
                    None => continue,
                },
                Err(stop) => match stop.pause(attempt).filter(|_| attempt + 1 < TRIES) {
                    Some(pause) => {
                        attempt += 1;
                        (pause, stop.words())
                    }
                    None => return Err(stop.failure()),
                },
            };
            tell(&format!("{words}; again in {:.1} s", pause.as_secs_f64()));
            tokio::time::sleep(pause).await;
        }
        right.release().await;
        if let Some(failure) = rounds.failure() {
            tell(&format!("{total} entries sent to {}", self.to));
            return Err(failure);
        }
        line(&format!("{total} entries sent to {}; it has all there is", self.to))
    }

    async fn stay(&self, settings: &Settings, store: &Store, destination: &Destination) -> Result<(), Failure> {
        let metrics = runtime::admin::record_metrics()?;
        let (health, stop, tasks) = (Health::default(), CancellationToken::new(), TaskTracker::new());
        health.set(PART, Err("starting".to_owned()));
        let admin = runtime::admin::serve(settings.admin_listen, health.clone(), metrics, stop.clone(), &tasks).await?;
        tracing::info!(to = %self.to, %admin, "the audit log is forwarded");
        tokio::select! {
            () = self.keep_sending(store, destination, &health) => {}
            () = runtime::serve::asked_to_stop() => {}
        }
        stop.cancel();
        Ok(())
    }

    async fn keep_sending(&self, store: &Store, destination: &Destination, health: &Health) {
        let (mut right, mut attempt, mut rounds) = (None, 0, Rounds::of(&self.tenant));
        loop {
            let round = self.turn(store, &mut right, destination, &mut rounds).await;
            let pause = match round {
                Ok(None) => {
                    // PolicyStatus by is what a second one is for.
                    health.set(PART, Ok(()));
                    STANDBY_PERIOD
                }
                Ok(Some(round)) => {
                    attempt = 0;
                    health.set(PART, rounds.troubles().map_or(Ok(()), Err));
                    health.warn(PART, rounds.gaps());
                    #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
                    metrics::gauge!("lockbox_forward_behind").set(round.behind as f64);
                    if round.sent > 0 { Duration::ZERO } else { LOOK_PERIOD }
                }
                Err(stop) => {
                    let pause = stop.pause(attempt).unwrap_or(REFUSED_PAUSE);
                    attempt += 1;
                    metrics::counter!("lockbox_forward_failed_total").increment(1);
                    health.set(PART, Err(stop.words()));
                    tracing::warn!(to = %self.to, why = stop.words(), "nothing more was taken; it is tried again");
                    // The lock hangs on a connection that may be gone.
                    if matches!(stop, Stop::Store(_)) {
                        right = None;
                    }
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// A round of the one that has the right; `None` while another one has it.
    async fn turn(
        &self,
        store: &Store,
        right: &mut Option<Forwarding>,
        destination: &Destination,
        rounds: &mut Rounds,
    ) -> Result<Option<Round>, Stop> {
        if right.is_none() {
            *right = store.forward_to(self.to.as_str()).await?;
        }
        match right {
            Some(right) => rounds.round(store, right, destination).await.map(Some),
            None => Ok(None),
        }
    }
}
