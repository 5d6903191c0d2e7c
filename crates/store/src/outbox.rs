//! The outbox: recovery of messages that were not consumed, deferral of messages that must be retried, and the inbox.

use contracts::Kind;
use contracts::envelope::Message;
use uuid::Uuid;

use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;
use crate::write_set::WriteSet;

/// A message that is not consumed yet and must be published again.
#[derive(Debug)]
pub struct Recovered {
    /// The message.
    pub message: Message,
    /// The role that has not consumed it.
    pub consumer: String,
    /// How often its consumer deferred it.
    pub attempt: i32,
}

#[derive(sqlx::FromRow)]
struct RecoveredRow {
    message_id: Uuid,
    consumer: String,
    kind: String,
    request: Option<Uuid>,
    traceparent: Option<String>,
    body: Vec<u8>,
    attempt: i32,
}

/// State of the outbox for people and metrics.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Depth {
    /// Messages that their role has not consumed, without those that wait for a retry.
    pub waiting: i64,
    /// For how long the oldest of them could have been consumed, in seconds.
    pub oldest_seconds: f64,
    /// Messages that wait for a retry that their role scheduled, such as mails that the mail server did not accept.
    pub deferred: i64,
    /// Age of the oldest of them in seconds.
    pub deferred_oldest_seconds: f64,
    /// Why the latest of them waits.
    pub deferred_reason: Option<String>,
}

// The pause doubles with each recovery, up to an hour, so that a role that is switched off does not get too many copies.
const RECOVER: &str = "with due as (select message_id, consumer from outbox where publish_after <= clock_timestamp() \
                     order by publish_after limit $1 for update skip locked) \
                     update outbox o set recoveries = o.recoveries + 1, \
                     publish_after = clock_timestamp() + make_interval(secs => least(30.0 * 2 ^ least(o.recoveries, 10), 3600)) \
                     from due where o.message_id = due.message_id and o.consumer = due.consumer \
                     returning o.message_id, o.consumer, o.kind, o.request, o.traceparent, o.body, o.attempt";
const CONFIRMED: &str = "update outbox set publish_after = clock_timestamp() + interval '60 seconds' \
                         where message_id = any($1) and recoveries = 0 and attempt = 0";
const DEFER: &str = "update outbox set attempt = attempt + 1, last_error = $3, recoveries = 0, \
                     publish_after = clock_timestamp() + make_interval(secs => $4), \
                     retry_at = clock_timestamp() + make_interval(secs => $4) \
                     where message_id = $1 and consumer = $2 returning attempt";
const DEFERRAL: &str = "select attempt, last_error from outbox where message_id = $1 and consumer = $2";
const RESUME: &str = "update outbox set publish_after = clock_timestamp(), retry_at = clock_timestamp() \
                      where consumer = $1 and retry_at > clock_timestamp() and starts_with(last_error, $2)";
// A message that waits for its retry is deferred; one whose retry is due counts from then on like any other.
const DEPTH: &str = "select count(*) filter (where not d) as waiting, \
                     coalesce(extract(epoch from now - min(since) filter (where not d)), 0)::float8 as oldest_seconds, \
                     count(*) filter (where d) as deferred, \
                     coalesce(extract(epoch from now - min(created_at) filter (where d)), 0)::float8 as deferred_oldest_seconds, \
                     (array_agg(last_error order by retry_at desc) filter (where d))[1] as deferred_reason \
                     from (select clock_timestamp() as now) clock left join lateral \
                     (select created_at, last_error, retry_at, coalesce(retry_at, created_at) as since, \
                     coalesce(retry_at > now, false) as d from outbox) o on true group by now";
const RESEND: &str = "update outbox set publish_after = clock_timestamp()";
// Two minutes are long for an event in transit, and an hour, to which pauses grow, is too long for the audit log.
const RESEND_UNRECORDED: &str = "update outbox set publish_after = clock_timestamp() where consumer = 'audit' \
                                 and created_at < clock_timestamp() - interval '2 minutes' \
                                 and publish_after > clock_timestamp() + interval '1 minute'";
const TAKEN_BEFORE: &str = "select exists (select from inbox where consumer = $1 and key = $2)";
const TAKE: &str = "insert into inbox (consumer, key) values ($1, $2) on conflict do nothing";
const COUNT_MAIL: &str = "insert into mail_counts (address, hour, mails) \
                          values (lower($1), date_trunc('hour', clock_timestamp()), 1) on conflict (address, hour) \
                          do update set mails = mail_counts.mails + 1 where mail_counts.mails < $2 returning mails";
const FORGET_COUNTS: &str = "delete from mail_counts where hour < clock_timestamp() - interval '1 day'";
const FORGET: &str = "delete from inbox where received_at < clock_timestamp() - make_interval(days => $1)";

impl Store {
    /// Returns up to `limit` messages that are due to be published again, and schedules their next recovery.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recover_outbox(&self, limit: i64) -> Result<Vec<Recovered>, Error> {
        let rows: Vec<RecoveredRow> = sqlx::query_as(RECOVER)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::at("recovering messages of the outbox"))?;
        let recovered = |row: RecoveredRow| {
            let kind = Kind::ALL.iter().copied().find(|kind| kind.key() == row.kind)?;
            let message = Message {
                id: row.message_id,
                kind,
                request: row.request,
                traceparent: row.traceparent,
                body: row.body,
                // Stored when the message was written.
                texts: Vec::new(),
            };
            Some(Recovered { message, consumer: row.consumer, attempt: row.attempt })
        };
        Ok(rows.into_iter().filter_map(recovered).collect())
    }

    /// Records that the broker has confirmed these messages, so that they are not recovered for a minute.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn confirmed(&self, ids: &[Uuid]) -> Result<(), Error> {
        sqlx::query(CONFIRMED).bind(ids).execute(&self.pool).await.map_err(Error::at("storing confirms"))?;
        Ok(())
    }

    /// Defers a message after an external failure. The recovery scan publishes it again. Returns the number of attempts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn defer(&self, id: Uuid, consumer: &str, error: &str, pause_seconds: f64) -> Result<Option<i32>, Error> {
        sqlx::query_scalar(DEFER)
            .bind(id)
            .bind(consumer)
            .bind(error)
            .bind(pause_seconds)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::at("deferring a message"))
    }

    /// How often a message was deferred, and why the last time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn deferral(&self, id: Uuid, consumer: &str) -> Result<(i32, Option<String>), Error> {
        let reading = sqlx::query_as(DEFERRAL).bind(id).bind(consumer).fetch_optional(&self.pool).await;
        let found: Option<(i32, Option<String>)> =
            reading.map_err(Error::at("reading how often a message was deferred"))?;
        Ok(found.unwrap_or_default())
    }

    /// Makes deferred messages due now whose reason begins with this text, because the reason no longer applies. Returns
    /// how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resume_deferred(&self, consumer: &str, reason: &str) -> Result<u64, Error> {
        let resuming = sqlx::query(RESUME).bind(consumer).bind(reason).execute(&self.pool).await;
        Ok(resuming.map_err(Error::at("resuming deferred messages"))?.rows_affected())
    }

    /// Number and age of the pending messages.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn outbox_depth(&self) -> Result<Depth, Error> {
        sqlx::query_as(DEPTH).fetch_one(&self.pool).await.map_err(Error::at("reading the state of the outbox"))
    }

    /// Makes all messages that are not consumed due now, for a broker that lost its data.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resend_all(&self) -> Result<u64, Error> {
        let done = sqlx::query(RESEND).execute(&self.pool).await.map_err(Error::at("publishing all messages again"))?;
        Ok(done.rows_affected())
    }

    /// Makes events due that the audit role has not consumed for minutes. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resend_unrecorded(&self) -> Result<u64, Error> {
        let sending = sqlx::query(RESEND_UNRECORDED).execute(&self.pool).await;
        Ok(sending.map_err(Error::at("publishing events for the audit log again"))?.rows_affected())
    }

    /// Writes messages that do not result from a batch, such as a command from the portal.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enqueue(&self, messages: &[Message]) -> Result<(), Error> {
        let mut tx = self.pool.begin().await.map_err(Error::at("writing the outbox"))?;
        insert_outbox(&mut tx, messages).await?;
        tx.commit().await.map_err(Error::at("writing the outbox"))
    }

    /// Whether a role has already processed a message.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn was_processed(&self, consumer: &str, key: Uuid) -> Result<bool, Error> {
        sqlx::query_scalar(TAKEN_BEFORE)
            .bind(consumer)
            .bind(key)
            .fetch_one(&self.pool)
            .await
            .map_err(Error::at("reading the inbox"))
    }

    /// Records that a role has processed a message and writes the resulting messages, in one transaction.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record_processed(
        &self,
        consumer: &str,
        key: Uuid,
        id: Option<Uuid>,
        follow: &[Message],
    ) -> Result<(), Error> {
        let doing = "storing that a message was processed";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        sqlx::query(TAKE).bind(consumer).bind(key).execute(&mut *tx).await.map_err(Error::at(doing))?;
        crate::delete_outbox(&mut tx, consumer, id.as_slice()).await?;
        insert_outbox(&mut tx, follow).await?;
        tx.commit().await.map_err(Error::at(doing))
    }

    /// Counts a mail to an address in this hour; `false` when the address has already reached `cap`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn may_mail(&self, address: &str, cap: i32) -> Result<bool, Error> {
        let counting = sqlx::query_scalar(COUNT_MAIL).bind(address).bind(cap).fetch_optional(&self.pool).await;
        let count: Option<i32> = counting.map_err(Error::at("counting mails"))?;
        Ok(count.is_some())
    }

    /// Records that a role has consumed wake-ups. They need no inbox, because processing one twice only checks the rows twice. Also
    /// stores dead-letter messages.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consume_wake_ups(&self, consumer: &str, changes: WriteSet) -> Result<(), Error> {
        let doing = "consuming wake-ups";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        crate::delete_outbox(&mut tx, consumer, &changes.consumed).await?;
        crate::insert_dead_letters(&mut tx, &changes.dead_letter).await?;
        insert_outbox(&mut tx, &changes.messages).await?;
        tx.commit().await.map_err(Error::at(doing))
    }

    /// Deletes inbox rows older than this, and the mail counts of earlier days.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_old_inbox_rows(&self, days: i32) -> Result<u64, Error> {
        sqlx::query(FORGET_COUNTS).execute(&self.pool).await.map_err(Error::at("deleting mail counts"))?;
        let done =
            sqlx::query(FORGET).bind(days).execute(&self.pool).await.map_err(Error::at("deleting inbox rows"))?;
        Ok(done.rows_affected())
    }
}
