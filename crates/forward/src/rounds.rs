//! Rounds over the logs: a batch of each. A log whose batch is not taken waits by itself; the others go on.

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
/// How often somebody who must change something first is asked again.
pub(super) const REFUSED_PAUSE: Duration = Duration::from_secs(30);
/// So many logs in a row whose batch is not taken, and the other end is away for all of them.
const AWAY_AFTER: usize = 2;

/// Why a round did not come to its end.
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

    /// How long to wait before the next try; `None` when trying again does not help by itself.
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

/// A log whose latest batch was not taken.
struct Failing {
    fault: Fault,
    attempt: u32,
    next_try: Instant,
}

/// What a round came to.
#[derive(Default)]
pub(super) struct Round {
    /// Entries that were taken.
    pub sent: u64,
    /// Entries that are still to be sent.
    pub behind: i64,
}

/// Where the logs stand, from round to round.
#[derive(Default)]
pub(super) struct Rounds {
    wanted: Vec<String>,
    /// By the log's name.
    failing: BTreeMap<String, Failing>,
    /// Gaps that were reported to the other end, by the log's name: how many entries.
    gaps: BTreeMap<String, i64>,
}

impl Rounds {
    /// Of these tenants' logs; of none, all logs.
    pub fn of(tenants: &[String]) -> Self {
        Self { wanted: tenants.to_vec(), ..Self::default() }
    }

    fn is_wanted(&self, head: &Head) -> bool {
        self.wanted.is_empty() || head.tenant.as_ref().is_some_and(|tenant| self.wanted.contains(tenant))
    }

    /// A batch of each log.
    pub async fn round(
        &mut self,
        store: &Store,
        right: &mut Forwarding,
        destination: &Destination,
    ) -> Result<Round, Stop> {
        let (mut round, mut newly_failing) = (Round::default(), 0);
        let mut heads = store.log_heads().await?;
        heads.retain(|head| self.is_wanted(head));
        // Those that fail come last, so that they keep nobody waiting.
        heads.sort_by_key(|head| self.failing.get(&head.origin).map_or(0, |failing| failing.attempt));
        for head in heads {
            let next = right.place(head.id).await?;
            let known = self.failing.get(&head.origin);
            let is_put_off = known.is_some_and(|failing| failing.next_try > Instant::now());
            if next >= head.size || is_put_off {
                round.behind += (head.size - next).max(0);
                continue;
            }
            let is_known = known.is_some();
            match self.batch(store, right, destination, &head, next).await {
                Ok((sent, after)) => {
                    if self.failing.remove(&head.origin).is_some() {
                        tracing::info!(log = head.origin, "the log is forwarded again");
                    }
                    round.sent += sent;
                    round.behind += head.size - after;
                }
                Err(Stop::Fault(fault)) => {
                    round.behind += head.size - next;
                    newly_failing += usize::from(!is_known);
                    self.fail(&head.origin, fault.clone());
                    if newly_failing >= AWAY_AFTER && round.sent == 0 {
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
            tracing::warn!(log, why = fault.words(), "a log is not forwarded; the others are, and it is tried again");
        }
        let attempt = before.map_or(0, |before| before.attempt) + 1;
        let next_try = Instant::now() + fault.pause(attempt - 1).unwrap_or(REFUSED_PAUSE);
        self.failing.insert(log.to_owned(), Failing { fault, attempt, next_try });
    }

    async fn batch(
        &mut self,
        store: &Store,
        right: &mut Forwarding,
        destination: &Destination,
        head: &Head,
        from: i64,
    ) -> Result<(u64, i64), Stop> {
        let end = head.size.min(from + BATCH);
        let all = items::read(store, head, from, end).await?;
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
            if let Some(last) = batch.last() {
                right.taken(head.id, last.end()).await?;
            }
            let gaps: i64 = batch.iter().map(Item::missing).sum();
            if gaps > 0 {
                *self.gaps.entry(head.origin.clone()).or_default() += gaps;
                metrics::counter!("lockbox_forward_gaps_total").increment(u64::try_from(gaps).unwrap_or_default());
            }
            let entries = batch.iter().filter(|item| matches!(item, Item::Entry(_))).count() as u64;
            sent += entries;
            metrics::counter!("lockbox_forwarded_total").increment(entries);
            left = rest;
        }
        // What is left before the end are entries whose month was moved away.
        right.taken(head.id, end).await?;
        Ok((sent, end))
    }

    /// When the first failing log is to be tried again, of those tried fewer times than this; and why it failed.
    pub fn next_try(&self, tries: u32) -> Option<(Duration, &str)> {
        let again = self.failing.values().filter(|one| one.attempt < tries && one.fault.pause(0).is_some());
        let first = again.min_by_key(|one| one.next_try)?;
        Some((first.next_try.saturating_duration_since(Instant::now()), first.fault.words()))
    }

    /// What is wrong with each log that is not forwarded.
    pub fn troubles(&self) -> Option<String> {
        let words: Vec<_> = self.failing.iter().map(|(log, one)| format!("{log}: {}", one.fault.words())).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// What was reported to the other end as missing.
    pub fn gaps(&self) -> Option<String> {
        let words: Vec<_> = self.gaps.iter().map(|(log, entries)| format!("{entries} of {log}")).collect();
        (!words.is_empty()).then(|| {
            format!(
                "entries cannot be read and were reported to the other end as missing: {}; `lockbox audit verify` says more",
                words.join(", ")
            )
        })
    }

    /// Why something was left behind, if something was.
    pub fn failure(mut self) -> Option<Failure> {
        let gaps = self.gaps();
        let (log, failing) = self.failing.pop_first().unzip();
        match (failing, log) {
            (Some(failing), Some(log)) => Some(failing.fault.about(&log).failure()),
            _ => gaps.map(Failure::Failed),
        }
    }
}
