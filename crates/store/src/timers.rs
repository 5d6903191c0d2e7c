//! Timers: those that are due, for the recovery scan, and those that are armed, for wake-ups.

use chrono::{DateTime, Utc};
use domain::TimerKind;
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

/// A timer for which a worker must wake up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerWakeUp {
    /// When it is due.
    pub due_at: DateTime<Utc>,
    /// The request.
    pub request: Uuid,
    /// The timer's kind.
    pub kind: &'static str,
    /// Generation of the row.
    pub generation: i32,
}

const OVERDUE: &str = "select request, kind, generation, due_at from timers \
                       where due_at <= clock_timestamp() - interval '2 seconds' order by due_at limit $1";
const ARMED: &str = "select request, kind, generation, due_at from timers order by due_at limit $1";

impl Store {
    /// Timers that are overdue by more than two seconds, oldest first. Locks nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn overdue(&self, limit: i64) -> Result<Vec<TimerWakeUp>, Error> {
        self.wake_ups(OVERDUE, limit).await
    }

    /// All armed timers, soonest first, to publish wake-ups again after the broker lost its data.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn armed(&self, limit: i64) -> Result<Vec<TimerWakeUp>, Error> {
        self.wake_ups(ARMED, limit).await
    }

    async fn wake_ups(&self, statement: &'static str, limit: i64) -> Result<Vec<TimerWakeUp>, Error> {
        let rows: Vec<(Uuid, String, i32, DateTime<Utc>)> =
            sqlx::query_as(statement).bind(limit).fetch_all(&self.pool).await.map_err(Error::at("reading timers"))?;
        let wake_up = |(request, kind, generation, due_at): (Uuid, String, i32, DateTime<Utc>)| {
            let kind = TimerKind::parse(&kind)?.as_str();
            Some(TimerWakeUp { due_at, request, kind, generation })
        };
        Ok(rows.into_iter().filter_map(wake_up).collect())
    }
}
