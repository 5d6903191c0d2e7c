//! Lookups of grants in batches. While a statement runs, the next lookups gather, so that an idle gate runs one lookup per
//! statement and a busy gate runs many.
//!
//! The statement of a lookup always starts after the lookup. Deliberately absent: reusing or caching a result.

use std::sync::Arc;

use store::Store;
use store::gate::{TokenHash, TokenStatus};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::code::Code;
use super::limits::DATABASE_LIMIT;

/// Most lookups in one statement. More would delay the first result.
const TOGETHER: usize = 256;
/// Most lookups that wait. With more, the results would come too late.
const WAITING: usize = 8192;
/// Statements at the same time. Two keep the database busy while one result is in transit; more only make each smaller.
const LANES: usize = 2;

struct Lookup {
    token: TokenHash,
    reply: oneshot::Sender<Result<TokenStatus, Code>>,
}

/// Accepts lookups.
#[derive(Clone, Debug)]
pub(super) struct Lookups(mpsc::Sender<Lookup>);

impl Lookups {
    /// Runs lookups until every sender is dropped.
    pub fn start(store: &Store, tasks: &TaskTracker) -> Self {
        let (sender, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..LANES {
            tasks.spawn(lane(store.clone(), waiting.clone()));
        }
        Self(sender)
    }

    /// The grant of an access token with the database's clock, or a code when the database does not respond in time.
    pub async fn grant(&self, token: TokenHash) -> Result<TokenStatus, Code> {
        let (reply, response) = oneshot::channel();
        self.0.try_send(Lookup { token, reply }).map_err(|_| Code::Slow)?;
        match timeout(DATABASE_LIMIT, response).await {
            Ok(Ok(status)) => status,
            Ok(Err(_)) => Err(Code::Unreachable),
            Err(_) => Err(Code::Slow),
        }
    }
}

async fn lane(store: Store, waiting: Arc<Mutex<mpsc::Receiver<Lookup>>>) {
    loop {
        let mut together = Vec::new();
        if waiting.lock().await.recv_many(&mut together, TOGETHER).await == 0 {
            return;
        }
        // These checks reached their time limit and were refused.
        together.retain(|lookup| !lookup.reply.is_closed());
        if !together.is_empty() {
            run_batch(&store, together).await;
        }
    }
}

async fn run_batch(store: &Store, together: Vec<Lookup>) {
    let (tokens, replies): (Vec<TokenHash>, Vec<_>) =
        together.into_iter().map(|lookup| (lookup.token, lookup.reply)).unzip();
    metrics::histogram!("lockbox_gate_batch_size").record(f64::from(u32::try_from(tokens.len()).unwrap_or(u32::MAX)));
    let code = match timeout(DATABASE_LIMIT, store.token_statuses(&tokens)).await {
        Ok(Ok(statuses)) => {
            for (reply, status) in replies.into_iter().zip(statuses) {
                // A failed send means that the check reached its time limit and was refused.
                drop(reply.send(Ok(status)));
            }
            return;
        }
        Ok(Err(error)) => {
            let (count, error) = (tokens.len(), workers::error_chain(&error));
            tracing::warn!(count, error, "cannot look up grants; the checks were refused");
            Code::Unreachable
        }
        Err(_) => Code::Slow,
    };
    for reply in replies {
        drop(reply.send(Err(code)));
    }
}
