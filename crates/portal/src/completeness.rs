//! Whether a log is complete, in a sentence for the audit page.
//!
//! Counting the requests whose events are not all in the log reads every request of a tenant. The count therefore runs
//! in the background, and its result is cached for fifty times as long as the count took.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use store::Store;
use tokio_util::task::TaskTracker;

/// A page waits this long for a count that it started.
const WAIT: Duration = Duration::from_millis(50);
/// A count is cached for this many times as long as it took.
const CACHE_FACTOR: u32 = 50;

/// A count, and until when it is cached.
#[derive(Clone, Copy, Debug)]
struct Counted {
    requests: i64,
    fresh_until: Instant,
}

/// Number of requests with events that are missing in the log, by tenant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    known: Arc<Mutex<HashMap<String, Counted>>>,
    counting: Arc<tokio::sync::Mutex<()>>,
    tasks: TaskTracker,
}

impl Counts {
    fn known(&self, tenant: &str) -> Option<Counted> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).copied()
    }

    fn fresh(&self, tenant: &str) -> Option<i64> {
        self.known(tenant).filter(|counted| counted.fresh_until > Instant::now()).map(|counted| counted.requests)
    }

    /// Counts, one tenant at a time.
    async fn count(self, store: Store, tenant: String) {
        let _one_at_a_time = self.counting.lock().await;
        if self.fresh(&tenant).is_some() {
            return;
        }
        let started = Instant::now();
        match store.incomplete_requests(&tenant).await {
            Ok(requests) => {
                let fresh_until = Instant::now() + started.elapsed() * CACHE_FACTOR;
                let counted = Counted { requests, fresh_until };
                self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, counted);
            }
            Err(error) => {
                tracing::warn!(%error, tenant, "could not count the requests that are incomplete in the audit log")
            }
        }
    }

    /// Requests of a tenant with missing events; `None` while they are counted for the first time.
    async fn of(&self, store: &Store, tenant: &str) -> Option<i64> {
        if let Some(requests) = self.fresh(tenant) {
            return Some(requests);
        }
        let is_counting = self.counting.try_lock().is_err();
        let counting = self.tasks.spawn(self.clone().count(store.clone(), tenant.to_owned()));
        if !is_counting {
            drop(tokio::time::timeout(WAIT, counting).await);
        }
        self.known(tenant).map(|counted| counted.requests)
    }
}

/// Whether the log of this tenant is complete; without a tenant, the operator's log.
///
/// # Errors
/// When the database is not available.
pub(super) async fn sentence(store: &Store, counts: &Counts, tenant: Option<&str>) -> Result<String, store::Error> {
    let state = store.completeness(tenant).await?;
    let incomplete = match tenant {
        Some(tenant) => counts.of(store, tenant).await,
        None => Some(0),
    };
    let missing = match (incomplete, state.waiting) {
        (None, _) => "missing events are being counted".to_owned(),
        (Some(0), 0) if state.quarantined == 0 => "none missing".to_owned(),
        (Some(0), 0) => String::new(),
        (Some(0), waiting) => format!("{waiting}{} more to be added", if waiting < 1000 { "" } else { " or" }),
        (Some(requests), _) => format!("events of {requests} requests are not in it yet"),
    };
    let quarantined = match state.quarantined {
        0 => String::new(),
        count => format!("{count} quarantined, because no verifier would accept them"),
    };
    let missing = [missing, quarantined].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    let signed = state.checkpoint.map_or_else(
        || "not signed yet".to_owned(),
        |latest| {
            let root = state.root.unwrap_or_default();
            format!("tree root {root} over {}, signed at {}", latest.size, runtime::output::time(latest.signed_at))
        },
    );
    let whose = tenant.map_or_else(|| "the operator's log".to_owned(), |tenant| format!("the log of {tenant}"));
    let archived = store.archived_before().await?;
    let archived =
        archived.map(|moment| format!(" Events before {} are in the archive.", runtime::output::time(moment)));
    Ok(format!("{} events in {whose}, {missing}; {signed}.{}", state.entries, archived.unwrap_or_default()))
}
