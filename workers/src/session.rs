//! Sessions of a role with the broker and the database: how they fail, and how they begin again.

use std::time::Duration;

use crate::error_chain::error_chain;
use crate::shared::Shared;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The broker failed.
    #[error("the broker failed")]
    Broker(#[from] broker::Error),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] store::Error),
}

/// Runs `session` until the stop. After a failure it starts again, with growing pauses.
pub async fn supervise<F, E>(shared: &Shared, part: &'static str, mut session: impl FnMut() -> F)
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error,
{
    let mut attempt = 0;
    while !shared.stop.is_cancelled() {
        let started = std::time::Instant::now();
        match session().await {
            Ok(()) => return,
            Err(error) => {
                shared.health.set(part, Err(error_chain(&error)));
                tracing::warn!(role = part, error = error_chain(&error), "reconnecting");
            }
        }
        attempt = if started.elapsed() > Duration::from_secs(30) { 0 } else { attempt + 1 };
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(broker::backoff(attempt)) => {}
        }
    }
}

/// Retries work on the database until it succeeds or is refused, however long an outage lasts. The current deliveries stay
/// unacknowledged meanwhile, because every redelivery counts as an attempt. A stop ends the wait.
pub(crate) struct Outage<'a> {
    shared: &'a Shared,
    part: &'static str,
    tries: u32,
}

impl<'a> Outage<'a> {
    pub fn new(shared: &'a Shared, part: &'static str) -> Self {
        Self { shared, part, tries: 0 }
    }

    /// Waits until the database takes writes again.
    ///
    /// # Errors
    /// The error itself when it is no outage, or when the process stops.
    pub async fn wait(&mut self, mut error: store::Error) -> Result<(), store::Error> {
        let Self { shared, part, .. } = *self;
        while error.is_outage() && !shared.stop.is_cancelled() {
            // A single broken connection must not make the process unready.
            if self.tries > 0 {
                shared.health.set(part, Err(error_chain(&error)));
            }
            tracing::warn!(role = part, error = error_chain(&error), "waiting for the database");
            tokio::select! {
                () = shared.stop.cancelled() => return Err(error),
                () = tokio::time::sleep(broker::backoff(self.tries)) => {}
            }
            self.tries += 1;
            match shared.store.check_writable().await {
                Ok(()) => return Ok(()),
                Err(still) => error = still,
            }
        }
        Err(error)
    }

    /// Ends the outage, if there was one: the work is done.
    pub fn end<T>(&self, done: T) -> T {
        if self.tries > 0 {
            self.shared.health.set(self.part, Ok(()));
            tracing::info!(role = self.part, "the database is available again");
        }
        done
    }
}
