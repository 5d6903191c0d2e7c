//! `lockbox audit forward`: forwards log entries to a receiver as they are placed, each log in its order, each entry at least
//! once. The position of a receiver is in the database and advances only after it accepted what was sent. A log that cannot be
//! forwarded delays no other. An unreadable entry is reported to the receiver as a gap.
//!
//! Deliberately absent: a filter. Every entry is forwarded, and the receiver filters.

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
use runtime::output::{line, print_message};

mod collector;
mod credentials;
mod destination;
mod fault;
mod items;
mod rounds;
mod syslog;

/// Name in health.
const PART: &str = "forward";
/// How often new entries are read.
const POLL_PERIOD: Duration = Duration::from_secs(1);
/// How often a standby process checks whether it must take over.
const STANDBY_PERIOD: Duration = Duration::from_secs(5);
/// Attempts of `--once` before it fails.
const ATTEMPTS: u32 = 5;

/// The receiver, and the logs to forward.
#[derive(Args, Clone, Debug)]
pub struct Forward {
    /// Receiver: syslog+tls://host:6514 (RFC 5424 with RFC 5425 framing), or https://… (OCSF, JSON arrays by POST)
    #[arg(long, env = "LOCKBOX_FORWARD_TO", value_name = "URL")]
    to: Url,
    /// Forward only this tenant's log; can be repeated. Default: all logs, including the operator's
    #[arg(long)]
    tenant: Vec<String>,
    /// Forward all existing entries and exit
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    trusted: Trusted,
}

impl Forward {
    /// Whether it runs until stopped.
    pub fn stays(&self) -> bool {
        !self.once
    }

    /// Forwards until stopped, or with `--once` until the receiver has all entries.
    ///
    /// # Errors
    /// When the URL or its files cannot be used; with `--once` also when the receiver does not accept an entry.
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
        let mut forwarding = store.forward_to(self.to.as_str()).await?.ok_or_else(|| Failure::Refused {
            code: "already_running".to_owned(),
            message: format!("another process forwards to {}; stop it first", self.to),
        })?;
        let mut rounds = Rounds::of(&self.tenant);
        let (mut total, mut attempt) = (0, 0);
        loop {
            let (pause, words) = match rounds.round(store, &mut forwarding, destination).await {
                Ok(round) if round.sent > 0 => {
                    (total, attempt) = (total + round.sent, 0);
                    continue;
                }
                Ok(round) => match rounds.next_try(ATTEMPTS) {
                    Some((pause, words)) => (pause, words.to_owned()),
                    None if round.behind == 0 || rounds.troubles().is_some() => break,
                    // This round sent only a gap.
                    None => continue,
                },
                Err(stop) => match stop.pause(attempt).filter(|_| attempt + 1 < ATTEMPTS) {
                    Some(pause) => {
                        attempt += 1;
                        (pause, stop.words())
                    }
                    None => return Err(stop.failure()),
                },
            };
            print_message(&format!("{words}; retrying in {:.1} s", pause.as_secs_f64()));
            tokio::time::sleep(pause).await;
        }
        forwarding.release().await;
        if let Some(failure) = rounds.failure() {
            print_message(&format!("{total} entries forwarded to {}", self.to));
            return Err(failure);
        }
        line(&format!("{total} entries forwarded to {}; the receiver has all entries", self.to))
    }

    async fn stay(&self, settings: &Settings, store: &Store, destination: &Destination) -> Result<(), Failure> {
        let metrics = runtime::admin::record_metrics()?;
        let (health, stop, tasks) = (Health::default(), CancellationToken::new(), TaskTracker::new());
        health.set(PART, Err("starting".to_owned()));
        let admin = runtime::admin::serve(settings.admin_listen, health.clone(), metrics, stop.clone(), &tasks).await?;
        tracing::info!(to = %self.to, %admin, "forwarding of the audit log started");
        tokio::select! {
            () = self.forward_until_stop(store, destination, &health) => {}
            () = runtime::serve::stop_requested() => {}
        }
        stop.cancel();
        Ok(())
    }

    async fn forward_until_stop(&self, store: &Store, destination: &Destination, health: &Health) {
        let (mut forwarding, mut attempt, mut rounds) = (None, 0, Rounds::of(&self.tenant));
        loop {
            let round = self.turn(store, &mut forwarding, destination, &mut rounds).await;
            let pause = match round {
                Ok(None) => {
                    // A standby process is ready, not faulty.
                    health.set(PART, Ok(()));
                    STANDBY_PERIOD
                }
                Ok(Some(round)) => {
                    attempt = 0;
                    health.set(PART, rounds.troubles().map_or(Ok(()), Err));
                    health.warn(PART, rounds.gaps());
                    #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
                    metrics::gauge!("lockbox_forward_behind").set(round.behind as f64);
                    if round.sent > 0 { Duration::ZERO } else { POLL_PERIOD }
                }
                Err(stop) => {
                    let pause = stop.pause(attempt).unwrap_or(REFUSED_PAUSE);
                    attempt += 1;
                    metrics::counter!("lockbox_forward_failed_total").increment(1);
                    health.set(PART, Err(stop.words()));
                    tracing::warn!(to = %self.to, why = stop.words(), "forwarding failed; retrying");
                    // The lock belongs to a connection that may have failed.
                    if matches!(stop, Stop::Store(_)) {
                        forwarding = None;
                    }
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// One round, or `None` while another process forwards.
    async fn turn(
        &self,
        store: &Store,
        forwarding: &mut Option<Forwarding>,
        destination: &Destination,
        rounds: &mut Rounds,
    ) -> Result<Option<Round>, Stop> {
        if forwarding.is_none() {
            *forwarding = store.forward_to(self.to.as_str()).await?;
        }
        match forwarding {
            Some(forwarding) => rounds.round(store, forwarding, destination).await.map(Some),
            None => Ok(None),
        }
    }
}
