//! `lockbox audit forward`: entries go on to another system as they get their places, each log in its order, each entry at
//! least once. How far the other end has come stands in the database and moves only after it took what was sent.
//!
//! Deliberately absent: deciding what is worth sending. Everything goes, and whoever collects it filters.

use std::time::Duration;

use clap::Args;
use evidence::{Entry, Event};
use serde_json::Value;
use store::Store;
use store::log::Head;
use store::log::forward::Forwarding;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use workers::Health;

use destination::{Destination, Fault, Trusted};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{line, tell};

mod collector;
mod destination;
mod syslog;

/// Most entries in a batch.
const BATCH: i64 = 500;
/// How often it is looked whether there is more.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// How often one that stands by asks for the right.
const STANDBY_PERIOD: Duration = Duration::from_secs(5);
/// How often somebody who must be mended first is asked again.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);
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

/// An entry on its way out.
pub(crate) struct Sent {
    log: String,
    index: u64,
    seq: u64,
    prev: String,
    leaf: String,
    event: Event,
    bytes: Vec<u8>,
}

impl Sent {
    /// Takes an event and its place apart; `None` when it lacks what every event has.
    fn read(log: &str, index: u64, bytes: &[u8], (seq, prev, leaf): (u64, &str, &str)) -> Option<Self> {
        let event = Event::read(serde_json::from_slice(bytes).ok()?)?;
        let (prev, leaf) = (prev.to_owned(), leaf.to_owned());
        Some(Self { log: log.to_owned(), index, seq, prev, leaf, event, bytes: bytes.to_vec() })
    }

    fn ocsf(&self) -> Value {
        evidence::views::ocsf(&self.log, self.index, &self.bytes, &self.event)
    }

    fn is_refusal(&self) -> bool {
        evidence::views::is_refusal(&self.event)
    }
}

/// Why a round did not come to its end.
enum Stop {
    Fault(Fault),
    Store(store::Error),
    /// An entry that cannot be sent, and must not be left out.
    Broken(String),
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl Stop {
    fn words(&self) -> String {
        match self {
            Self::Fault(Fault::Away(words, _) | Fault::TooLarge(words) | Fault::Refused(words))
            | Self::Broken(words) => words.clone(),
            Self::Store(error) => workers::engine::chain(error),
        }
    }

    /// How long to wait before the next try; `None` when trying again does not help by itself.
    fn pause(&self, attempt: u32) -> Option<Duration> {
        match self {
            Self::Fault(Fault::Away(_, Some(pause))) => Some(*pause),
            Self::Fault(Fault::Away(_, None)) | Self::Store(_) => Some(broker::backoff(attempt)),
            Self::Fault(Fault::TooLarge(_) | Fault::Refused(_)) | Self::Broken(_) => None,
        }
    }

    fn failure(self) -> Failure {
        match self {
            Self::Fault(Fault::Away(words, _)) => Failure::Unreachable(words),
            Self::Fault(Fault::TooLarge(message) | Fault::Refused(message)) => {
                Failure::Refused { code: "not_taken".to_owned(), message }
            }
            Self::Store(error) => error.into(),
            Self::Broken(words) => Failure::Failed(words),
        }
    }
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
        let (mut total, mut attempt) = (0, 0);
        loop {
            match self.round(store, &mut right, destination).await {
                Ok(0) => break,
                Ok(sent) => (total, attempt) = (total + sent, 0),
                Err(stop) => match stop.pause(attempt).filter(|_| attempt + 1 < TRIES) {
                    Some(pause) => {
                        tell(&format!("{}; again in {:.1} s", stop.words(), pause.as_secs_f64()));
                        tokio::time::sleep(pause).await;
                        attempt += 1;
                    }
                    None => return Err(stop.failure()),
                },
            }
        }
        right.release().await;
        line(&format!("{total} entries sent to {}; it has all there is", self.to))
    }

    async fn stay(&self, settings: &Settings, store: &Store, destination: &Destination) -> Result<(), Failure> {
        let metrics = runtime::admin::record_metrics()?;
        let (health, stop, tasks) = (Health::default(), CancellationToken::new(), TaskTracker::new());
        health.set("forward", Err("starting".to_owned()));
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
        let (mut right, mut attempt) = (None, 0);
        loop {
            let round = self.turn(store, &mut right, destination).await;
            let pause = match round {
                Ok(None) => {
                    // Standing by is what a second one is for.
                    health.set("forward", Ok(()));
                    STANDBY_PERIOD
                }
                Ok(Some(sent)) => {
                    attempt = 0;
                    health.set("forward", Ok(()));
                    if sent > 0 { Duration::ZERO } else { LOOK_PERIOD }
                }
                Err(stop) => {
                    let pause = stop.pause(attempt).unwrap_or(REFUSED_PAUSE);
                    attempt += 1;
                    metrics::counter!("lockbox_forward_failed_total").increment(1);
                    health.set("forward", Err(stop.words()));
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
    ) -> Result<Option<u64>, Stop> {
        if right.is_none() {
            *right = store.forward_to(self.to.as_str()).await?;
        }
        match right {
            Some(right) => self.round(store, right, destination).await.map(Some),
            None => Ok(None),
        }
    }

    /// A batch of each log; answers with how many entries were taken.
    async fn round(&self, store: &Store, right: &mut Forwarding, destination: &Destination) -> Result<u64, Stop> {
        let (mut sent, mut behind) = (0, 0);
        for head in store.log_heads().await? {
            let is_wanted = head
                .tenant
                .as_ref()
                .map_or(self.tenant.is_empty(), |tenant| self.tenant.is_empty() || self.tenant.contains(tenant));
            if !is_wanted {
                continue;
            }
            let next = right.place(head.id).await?;
            let end = head.size.min(next + BATCH);
            if next < end {
                sent += self.batch(store, right, destination, &head, (next, end)).await?;
            }
            behind += head.size - end;
        }
        #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
        metrics::gauge!("lockbox_forward_behind").set(behind as f64);
        Ok(sent)
    }

    async fn batch(
        &self,
        store: &Store,
        right: &mut Forwarding,
        destination: &Destination,
        head: &Head,
        (mut next, end): (i64, i64),
    ) -> Result<u64, Stop> {
        let all = entries(store, head, next, end).await?;
        let (mut left, mut sent) = (all.as_slice(), 0);
        let mut most = left.len();
        while !left.is_empty() {
            let (batch, rest) = left.split_at(most.min(left.len()));
            match destination.take(batch).await {
                Ok(()) => {}
                Err(Fault::TooLarge(_)) if batch.len() > 1 => {
                    most = batch.len() / 2;
                    continue;
                }
                Err(fault) => return Err(Stop::Fault(fault)),
            }
            next = batch.last().map_or(next, |last| i64::try_from(last.index).unwrap_or(i64::MAX) + 1);
            right.taken(head.id, next).await?;
            sent += batch.len() as u64;
            metrics::counter!("lockbox_forwarded_total").increment(batch.len() as u64);
            left = rest;
        }
        if next < end {
            // Only entries whose month was moved away are left before the end.
            right.taken(head.id, end).await?;
        }
        Ok(sent)
    }
}

/// The entries of a stretch, all but those whose month was moved away.
async fn entries(store: &Store, head: &Head, from: i64, to: i64) -> Result<Vec<Sent>, Stop> {
    let rows = store.log_entries(head, from, to).await?;
    let broken = |index: i64| {
        let words =
            format!("entry {index} of {} is missing or cannot be read; `lockbox audit verify` says more", head.origin);
        Stop::Broken(words)
    };
    let (mut found, mut away) = (Vec::with_capacity(rows.len()), 0_u32);
    let mut expected = from;
    for row in rows {
        if row.index != expected {
            return Err(broken(expected));
        }
        expected += 1;
        let Some(bytes) = row.bytes else {
            away += 1;
            continue;
        };
        let sent = Entry::read(&bytes).and_then(|entry| {
            let place = (entry.seq, hex::encode(entry.prev.0), hex::encode(&row.leaf));
            Sent::read(&head.origin, u64::try_from(row.index).ok()?, entry.event, (place.0, &place.1, &place.2))
        });
        found.push(sent.ok_or_else(|| broken(row.index))?);
    }
    if expected != to {
        return Err(broken(expected));
    }
    if away > 0 {
        tracing::warn!(
            log = head.origin,
            entries = away,
            "entries were moved to the archive before they were forwarded"
        );
    }
    Ok(found)
}
