//! Dead-letter messages: list, show, replay, discard.

use chrono::{DateTime, Utc};
use contracts::envelope::Message;
use contracts::events::{self, Actor};
use uuid::Uuid;

use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;

/// A dead-letter message.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DeadLetterRow {
    /// Id.
    pub id: Uuid,
    /// When it was dead-lettered.
    pub dead_lettered_at: DateTime<Utc>,
    /// Stable code.
    pub reason: String,
    /// Explanation for people.
    pub detail: String,
    /// Queue it was consumed from.
    pub queue: String,
    /// Exchange it was published to.
    pub exchange: String,
    /// Routing key.
    pub routing_key: String,
    /// Id its sender gave it.
    pub message_id: Option<String>,
    /// Type its sender gave it.
    pub message_type: Option<String>,
    /// Broker login that sent it.
    pub login: Option<String>,
    /// Its bytes, at most 64 KiB.
    pub body: Vec<u8>,
    /// Full size.
    pub size_bytes: i64,
    /// `dead_lettered`, `replayed` or `discarded`.
    pub status: String,
    /// Note of the operator.
    pub note: Option<String>,
    /// The operator who resolved it.
    pub resolved_by: Option<String>,
}

/// Conditions of a list.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterFilter {
    /// Only this reason code.
    pub reason: Option<String>,
    /// Also resolved messages.
    pub all: bool,
    /// At most this many.
    pub limit: i64,
}

const LIST: &str = "select id, dead_lettered_at, reason, detail, queue, exchange, routing_key, message_id, message_type, login, \
                    body, size_bytes, status, note, resolved_by from dead_letters \
                    where ($1::text is null or reason = $1) and ($2 or status = 'dead_lettered') order by dead_lettered_at desc limit $3";
const SHOW: &str = "select id, dead_lettered_at, reason, detail, queue, exchange, routing_key, message_id, message_type, login, \
                    body, size_bytes, status, note, resolved_by from dead_letters where id = $1";
const RESOLVE: &str = "update dead_letters set status = $2, resolved_by = $3, note = $4, resolved_at = clock_timestamp() \
                       where id = $1 and status = 'dead_lettered' returning clock_timestamp()";
const COUNT: &str = "select count(*) from dead_letters where status = 'dead_lettered'";

impl Store {
    /// Dead-letter messages, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterRow>, Error> {
        sqlx::query_as(LIST)
            .bind(&filter.reason)
            .bind(filter.all)
            .bind(filter.limit)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::at("listing dead-letter messages"))
    }

    /// One dead-letter message.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when the database does not answer.
    pub async fn find_dead_letter(&self, id: Uuid) -> Result<DeadLetterRow, Error> {
        let row: Option<DeadLetterRow> = sqlx::query_as(SHOW)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::at("reading a dead-letter message"))?;
        row.ok_or_else(|| Error::NotFound(id.to_string()))
    }

    /// Number of unresolved dead-letter messages.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn dead_letter_count(&self) -> Result<i64, Error> {
        sqlx::query_scalar(COUNT).fetch_one(&self.pool).await.map_err(Error::at("counting dead-letter messages"))
    }

    /// Marks a dead-letter message as `replayed` or `discarded`, with its event. Returns `false` when it is already
    /// resolved.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resolve_dead_letter(
        &self,
        id: Uuid,
        resolution: &str,
        by: &str,
        note: Option<&str>,
    ) -> Result<bool, Error> {
        let doing = "resolving a dead-letter message";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let at: Option<DateTime<Utc>> = sqlx::query_scalar(RESOLVE)
            .bind(id)
            .bind(resolution)
            .bind(by)
            .bind(note)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::at(doing))?;
        let Some(at) = at else { return Ok(false) };
        let actor = Actor { kind: "operator".to_owned(), name: Some(by.to_owned()), ..Actor::lockbox() };
        let event: Message = events::resolved(id, resolution, note, actor, at);
        insert_outbox(&mut tx, &[event]).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(true)
    }
}
