//! Rounds over the logs, with a batch of each. A log whose batch is not accepted is deferred; the others continue.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use store::Store;
use store::log::Head;
use store::log::forward::Forwarding;

use super::destination::Destination;
use super::fault::Fault;
use super::items::{self, Item};
use runtime::outcome::Failure;

/// Most entries in a batch.
const BATCH: i64 = 500;
/// Pause before the next attempt after a refusal that an operator must fix.
pub(super) const REFUSED_PAUSE: Duration = Duration::from_secs(30);
/// After this many newly failing logs in a round, the receiver counts as unavailable for all logs.
const UNAVAILABLE_AFTER: usize = 2;

/// Why a round stopped.
pub(super) enum Stop {
    Fault(Fault),
    Store(store::Error),
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl Stop {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Fault(fault) => fault.words().to_owned(),
            Self::Store(error) => workers::error_chain(error),
        }
    }

    /// The pause before the next attempt; `None` when a retry alone does not help.
    pub(super) fn pause(&self, attempt: u32) -> Option<Duration> {
        match self {
            Self::Fault(fault) => fault.pause(attempt),
            Self::Store(_) => Some(broker::backoff(attempt)),
        }
    }

    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Fault(fault) => fault.failure(),
            Self::Store(error) => error.into(),
        }
    }
}

/// A log whose latest batch was not accepted.
struct Failing {
    fault: Fault,
    attempt: u32,
    next_try: Instant,
}

/// The result of a round.
#[derive(Default)]
pub(super) struct Round {
    /// Entries that were accepted.
    pub sent: u64,
    /// Entries that are not forwarded yet.
    pub behind: i64,
}

/// The state of the logs between rounds.
#[derive(Default)]
pub(super) struct Rounds {
    wanted: Vec<String>,
    /// By the log's name.
    failing: BTreeMap<String, Failing>,
    /// Number of entries that were reported as gaps, by the log's name.
    gaps: BTreeMap<String, i64>,
}

impl Rounds {
    /// Rounds over these tenants' logs, or over all logs when the list is empty.
    pub fn of(tenants: &[String]) -> Self {
        Self { wanted: tenants.to_vec(), ..Self::default() }
    }

    fn is_wanted(&self, head: &Head) -> bool {
        self.wanted.is_empty() || head.tenant.as_ref().is_some_and(|tenant| self.wanted.contains(tenant))
    }

    /// Sends a batch of each log.
    pub async fn round(
        &mut self,
        store: &Store,
        forwarding: &mut Forwarding,
        destination: &Destination,
    ) -> Result<Round, Stop> {
        let (mut round, mut newly_failing) = (Round::default(), 0);
        let mut heads = store.log_heads().await?;
        heads.retain(|head| self.is_wanted(head));
        // Failing logs come last, so that they delay no other.
        heads.sort_by_key(|head| self.failing.get(&head.origin).map_or(0, |failing| failing.attempt));
        for head in heads {
            let next = forwarding.place(head.id).await?;
            let known = self.failing.get(&head.origin);
            let is_deferred = known.is_some_and(|failing| failing.next_try > Instant::now());
            if next >= head.size || is_deferred {
                round.behind += (head.size - next).max(0);
                continue;
            }
            let is_known = known.is_some();
            match self.send_batch(store, forwarding, destination, &head, next).await {
                Ok((sent, after)) => {
                    if self.failing.remove(&head.origin).is_some() {
                        tracing::info!(log = head.origin, "a log is forwarded again");
                    }
                    round.sent += sent;
                    round.behind += head.size - after;
                }
                Err(Stop::Fault(fault)) => {
                    round.behind += head.size - next;
                    newly_failing += usize::from(!is_known);
                    self.fail(&head.origin, fault.clone());
                    if newly_failing >= UNAVAILABLE_AFTER && round.sent == 0 {
                        return Err(Stop::Fault(fault));
                    }
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(round)
    }

    fn fail(&mut self, log: &str, fault: Fault) {
        let before = self.failing.get(log);
        if before.is_none_or(|before| before.fault.words() != fault.words()) {
            tracing::warn!(
                log,
                why = fault.words(),
                "a log cannot be forwarded; retrying it while the others continue"
            );
        }
        let attempt = before.map_or(0, |before| before.attempt) + 1;
        let next_try = Instant::now() + fault.pause(attempt - 1).unwrap_or(REFUSED_PAUSE);
        self.failing.insert(log.to_owned(), Failing { fault, attempt, next_try });
    }

    async fn send_batch(
        &mut self,
        store: &Store,
        forwarding: &mut Forwarding,
        destination: &Destination,
        head: &Head,
        from: i64,
    ) -> Result<(u64, i64), Stop> {
        let end = head.size.min(from + BATCH);
        let all = items::read(store, head, from, end).await?;
        let (mut pending, mut sent) = (all.as_slice(), 0);
        let mut most = pending.len();
        while !pending.is_empty() {
            let (batch, rest) = pending.split_at(most.min(pending.len()));
            match destination.send(batch).await {
                Ok(()) => {}
                Err(Fault::TooLarge(_)) if batch.len() > 1 => {
                    most = batch.len() / 2;
                    continue;
                }
                Err(fault) => return Err(Stop::Fault(fault)),
            }
            if let Some(last) = batch.last() {
                forwarding.taken(head.id, last.end()).await?;
            }
            let gaps: i64 = batch.iter().map(Item::missing).sum();
            if gaps > 0 {
                *self.gaps.entry(head.origin.clone()).or_default() += gaps;
                metrics::counter!("lockbox_forward_gaps_total").increment(u64::try_from(gaps).unwrap_or_default());
            }
            let entries = batch.iter().filter(|item| matches!(item, Item::Entry(_))).count() as u64;
            sent += entries;
            metrics::counter!("lockbox_forwarded_total").increment(entries);
            pending = rest;
        }
        // The remaining entries before the end are in the archive.
        forwarding.taken(head.id, end).await?;
        Ok((sent, end))
    }

    /// The pause until the next attempt for a failing log with fewer attempts than this, and why it failed.
    pub fn next_try(&self, attempts: u32) -> Option<(Duration, &str)> {
        let again = self.failing.values().filter(|one| one.attempt < attempts && one.fault.pause(0).is_some());
        let first = again.min_by_key(|one| one.next_try)?;
        Some((first.next_try.saturating_duration_since(Instant::now()), first.fault.words()))
    }

    /// The fault of each log that cannot be forwarded.
    pub fn troubles(&self) -> Option<String> {
        let words: Vec<_> = self.failing.iter().map(|(log, one)| format!("{log}: {}", one.fault.words())).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// The entries that were reported to the receiver as gaps.
    pub fn gaps(&self) -> Option<String> {
        let words: Vec<_> = self.gaps.iter().map(|(log, entries)| format!("{entries} of {log}")).collect();
        (!words.is_empty()).then(|| {
            format!(
                "entries cannot be read and were reported to the receiver as gaps: {}; run `lockbox audit verify` for the details",
                words.join(", ")
            )
        })
    }

    /// Why entries were not forwarded, if any.
    pub fn failure(mut self) -> Option<Failure> {
        let gaps = self.gaps();
        let (log, failing) = self.failing.pop_first().unzip();
        match (failing, log) {
            (Some(failing), Some(log)) => Some(failing.fault.about(&log).failure()),
            _ => gaps.map(Failure::Failed),
        }
    }
}
