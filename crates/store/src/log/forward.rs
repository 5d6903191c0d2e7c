//! How many entries of each log other systems have accepted. This module sends nothing.

use crate::error::Error;
use crate::pool::Store;

/// With the destination's name, the key of the lock that lets only one process forward to it.
const LOCK_SEED: i64 = 7_305_181_403;

const HOLD: &str = "select pg_try_advisory_lock(hashtextextended($1, $2))";
const BEGIN: &str = "insert into audit_forwards (destination, log) values ($1, $2) on conflict do nothing";
const PLACE: &str = "select next from audit_forwards where destination = $1 and log = $2";
const MOVE: &str = "update audit_forwards set next = $3, moved_at = clock_timestamp() \
                    where destination = $1 and log = $2 and next < $3";

/// The right to forward to one destination. It is a lock on a connection of its own. The positions are updated on the same
/// connection, so that a process that loses the lock cannot update them.
#[derive(Debug)]
pub struct Forwarding {
    held: sqlx::PgConnection,
    destination: String,
}

impl Store {
    /// Makes this process the one that forwards to a destination; `None` when another process does.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forward_to(&self, destination: &str) -> Result<Option<Forwarding>, Error> {
        let doing = "locking a destination";
        self.check_sessions().await?;
        let mut held = self.pool.acquire().await.map_err(Error::at(doing))?.detach();
        let holding = sqlx::query_scalar(HOLD).bind(destination).bind(LOCK_SEED).fetch_one(&mut held);
        let is_ours: bool = holding.await.map_err(Error::at(doing))?;
        Ok(is_ours.then(|| Forwarding { held, destination: destination.to_owned() }))
    }
}

impl Forwarding {
    /// Index of the first entry of a log that the destination has not accepted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn place(&mut self, log: i32) -> Result<i64, Error> {
        let doing = "reading how far a log was forwarded";
        let beginning = sqlx::query(BEGIN).bind(&self.destination).bind(log).execute(&mut self.held);
        beginning.await.map_err(Error::at(doing))?;
        let reading = sqlx::query_scalar(PLACE).bind(&self.destination).bind(log).fetch_one(&mut self.held);
        reading.await.map_err(Error::at(doing))
    }

    /// Records that the destination has accepted everything before `next`.
    ///
    /// # Errors
    /// When the database does not answer; then it is sent again.
    pub async fn taken(&mut self, log: i32, next: i64) -> Result<(), Error> {
        let moving = sqlx::query(MOVE).bind(&self.destination).bind(log).bind(next).execute(&mut self.held);
        moving.await.map(drop).map_err(Error::at("storing how far a log was forwarded"))
    }

    /// Releases the right and closes its connection.
    pub async fn release(self) {
        drop(sqlx::Connection::close(self.held).await);
    }
}
