//! Questions for the database, asked together: while a statement is under way the next questions gather, so that an idle
//! gate asks one at a time and a busy one asks many at the price of few.
//!
//! Every question is answered by a statement that began after it was asked. Deliberately absent: any answer that is
//! given twice, or kept.

use std::sync::Arc;

use store::Store;
use store::gate::{PolicyStatus, TokenHash};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::code::Code;
use super::limits::DATABASE_LIMIT;

/// Most questions in one statement: more would make the first of them wait for the last.
const TOGETHER: usize = 256;
/// Questions that may wait; beyond that the answer would come too late anyway.
const WAITING: usize = 8192;
/// Statements under way at once. Two keep the database busy while one answer is on its way; more only make each smaller.
const LANES: usize = 2;

struct Question {
    asked: TokenHash,
    answer: oneshot::Sender<Result<PolicyStatus, Code>>,
}

/// Where questions are put.
#[derive(Clone, Debug)]
pub(super) struct Questions(mpsc::Sender<Question>);

impl Questions {
    /// Takes questions until nobody is left who could ask.
    pub fn take(store: &Store, tasks: &TaskTracker) -> Self {
        let (sender, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..LANES {
            tasks.spawn(lane(store.clone(), waiting.clone()));
        }
        Self(sender)
    }

    /// How the grant of an access token stands; why not, when that is not known in time.
    pub async fn ask(&self, asked: TokenHash) -> Result<PolicyStatus, Code> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Question { asked, answer }).map_err(|_| Code::Slow)?;
        match timeout(DATABASE_LIMIT, answered).await {
            Ok(Ok(policy_status)) => policy_status,
            Ok(Err(_)) => Err(Code::Unreachable),
            Err(_) => Err(Code::Slow),
        }
    }
}

async fn lane(store: Store, waiting: Arc<Mutex<mpsc::Receiver<Question>>>) {
    loop {
        let mut together = Vec::new();
        if waiting.lock().await.recv_many(&mut together, TOGETHER).await == 0 {
            return;
        }
        // Whoever gave up was refused.
        together.retain(|question| !question.answer.is_closed());
        if !together.is_empty() {
            answer(&store, together).await;
        }
    }
}

async fn answer(store: &Store, together: Vec<Question>) {
    let (asked, answers): (Vec<TokenHash>, Vec<_>) =
        together.into_iter().map(|question| (question.asked, question.answer)).unzip();
    metrics::histogram!("lockbox_gate_batch_size").record(f64::from(u32::try_from(asked.len()).unwrap_or(u32::MAX)));
    let code = match timeout(DATABASE_LIMIT, store.standings(&asked)).await {
        Ok(Ok(standings)) => {
            for (answer, policy_status) in answers.into_iter().zip(standings) {
                // A failed send: whoever asked has given up meanwhile, and was refused.
                drop(answer.send(Ok(policy_status)));
            }
            return;
        }
        Ok(Err(error)) => {
            let (count, error) = (asked.len(), workers::error_chain(&error));
            tracing::warn!(count, error, "questions could not be answered; refused");
            Code::Unreachable
        }
        Err(_) => Code::Slow,
    };
    for answer in answers {
        drop(answer.send(Err(code)));
    }
}
