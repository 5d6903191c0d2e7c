//! The queues of webhooks: claims of due deliveries, and the results of attempts. This module calls no receiver.
//!
//! Every write locks the webhook first and its deliveries afterwards, so that two attempts of one webhook never wait for
//! each other.

use chrono::{DateTime, Utc};
use contracts::events::{Actor, Operation};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::operations::record_operation;
use crate::pool::Store;

/// A claim expires after this many seconds: another process may then send the event.
pub const CLAIM_SECONDS: f64 = 60.0;
/// Days for which attempts and failed deliveries are stored.
const LOG_DAYS: i32 = 30;
/// Most stored attempts of one webhook.
const LOG_ROWS: i64 = 10_000;
/// Events that a receiver refuses in sequence, such as with 400, before the whole webhook is paused.
pub const REFUSALS: i32 = 5;

/// One event to deliver, claimed for [`CLAIM_SECONDS`].
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Delivery {
    /// The webhook.
    pub webhook: Uuid,
    /// The event.
    pub event: Uuid,
    /// Its type.
    #[sqlx(rename = "type")]
    pub type_name: String,
    /// Attempts that count towards failure.
    pub attempt: i32,
    /// All attempts.
    pub tries: i32,
    /// URL of the receiver.
    pub url: String,
    /// Signing secret.
    pub secret: String,
    /// The previous secret, while it also signs.
    pub secret_before: Option<String>,
    /// The event's exact bytes.
    pub body: Vec<u8>,
    /// Failures of the webhook since it last accepted an event.
    pub failures: i32,
    /// Since when no event was accepted.
    pub failing_since: Option<DateTime<Utc>>,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

/// Result of an attempt, for the delivery log.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// How long it took.
    pub took: std::time::Duration,
    /// The HTTP status, if there was a response.
    pub status: Option<u16>,
    /// The error, if any.
    pub error: Option<String>,
}

/// What follows from a failed attempt. Times are seconds from now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Next {
    /// When the event is due again; `None` makes its delivery fail.
    pub event: Option<f64>,
    /// How long the webhook is paused; `None` continues with its other events.
    pub rest: Option<f64>,
    /// How long it is paused once it has refused [`REFUSALS`] events in sequence.
    pub rest_when_refusing: f64,
    /// Whether it counts towards failure.
    pub counts: bool,
    /// Whether the webhook failed. A receiver that names the time of the next attempt did not.
    pub is_failure: bool,
}

/// An attempt in the delivery log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AttemptView {
    /// When it began.
    pub at: DateTime<Utc>,
    /// The event.
    pub event: Uuid,
    /// Its type.
    #[sqlx(rename = "type")]
    pub type_name: String,
    /// Number of this event's attempt; the first is 1.
    pub attempt: i32,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// The HTTP status, if there was a response.
    pub status: Option<i16>,
    /// The error, if any.
    pub error: Option<String>,
}

/// Pending deliveries of webhooks, for metrics.
#[derive(Clone, Copy, Debug, Default, sqlx::FromRow)]
pub struct WebhookDepth {
    /// Enabled webhooks that accept nothing.
    pub failing: i64,
    /// Disabled webhooks.
    pub off: i64,
    /// Pending events of working webhooks.
    pub waiting: i64,
    /// Age of the oldest due event of a working webhook, in seconds.
    pub oldest_seconds: f64,
}

// A paused webhook gets one event, the one with the fewest attempts: an event that the receiver cannot read
// must not block the others. Rows that another process has locked are skipped.
const CLAIM: &str = include_str!("queue/claim.sql");
const LOCK: &str = "select id from webhooks where id = $1 for update";
const LOG: &str = "insert into webhook_attempts (webhook, event, type, attempt, at, duration_ms, status, error) \
                   values ($1, $2, $3, $4, $5, $6, $7, $8)";
const DONE: &str = "delete from webhook_deliveries where webhook = $1 and event = $2";
// Written only when something changes: a busy and working receiver costs no update of its row.
const WELL: &str = "update webhooks set failing_since = null, paused_until = null, failures = 0, \
                    slots = case when $2 then least(slots + 1, 8) else 2 end where id = $1 and (failing_since is not null \
                    or paused_until is not null or failures > 0 or slots <> case when $2 then least(slots + 1, 8) else 2 end)";
const AGAIN: &str = "update webhook_deliveries set attempt = attempt + $3, tries = tries + 1, claimed_until = null, \
                     due_at = clock_timestamp() + make_interval(secs => coalesce($4, 0)), \
                     failed_at = case when $4::float8 is null then clock_timestamp() end where webhook = $1 and event = $2";
// A receiver that refuses many events in sequence is failing too. Requests that were in progress when it began to fail
// count as one failure.
const FAILING: &str = "update webhooks set failing_since = coalesce(failing_since, clock_timestamp()), slots = 2, \
                       failures = case when paused_until > clock_timestamp() then failures else failures + $2 end, \
                       paused_until = case when $3::float8 is not null \
                       then greatest(paused_until, clock_timestamp() + make_interval(secs => $3)) \
                       when failures + 1 >= $4 then clock_timestamp() + make_interval(secs => $5) else paused_until end \
                       where id = $1";
const AGE: &str = "delete from webhook_attempts where at < clock_timestamp() - make_interval(days => $1)";
const FORGET_FAILED: &str =
    "delete from webhook_deliveries where failed_at < clock_timestamp() - make_interval(days => $1)";
const TRIM: &str = "delete from webhook_attempts a using (select w.id as webhook, (select x.id from webhook_attempts x \
                    where x.webhook = w.id order by x.id desc offset $1 limit 1) as oldest from webhooks w) cut \
                    where a.webhook = cut.webhook and a.id <= cut.oldest";
const ATTEMPTS: &str = "select at, event, type, attempt, duration_ms, status, error from webhook_attempts \
                        where webhook = $1 and ($2::uuid is null or event = $2) order by id desc limit $3";
// An event of this webhook's tenant, whatever its type, because it was requested by id.
const REDELIVER: &str = "insert into webhook_deliveries (webhook, event) select w.id, a.id from webhooks w \
                         left join tenants t on t.id = w.tenant join audit_events a on a.id = $2 \
                         and (w.tenant is null or t.name = a.tenant) where w.id = $1 \
                         and ($3::uuid is null or w.tenant = $3) on conflict (webhook, event) do update \
                         set due_at = clock_timestamp(), attempt = 0, failed_at = null";
const REDELIVER_FAILED: &str = "update webhook_deliveries set due_at = clock_timestamp(), attempt = 0, failed_at = null \
                                where webhook = $1 and failed_at is not null \
                                and exists (select from audit_events a where a.id = event)";
const NAMES: &str = "select w.name, t.name from webhooks w left join tenants t on t.id = w.tenant where w.id = $1";
const RESUME: &str = "update webhooks set paused_until = clock_timestamp() \
                      where id = $1 and paused_until > clock_timestamp()";
const DEPTH: &str = "select count(*) filter (where w.off_at is null and w.failing_since is not null) as failing, \
                     count(*) filter (where w.off_at is not null) as off, coalesce(sum(q.waiting), 0)::bigint as waiting, \
                     coalesce(extract(epoch from clock_timestamp() - min(q.oldest)), 0)::float8 as oldest_seconds \
                     from webhooks w cross join lateral (select count(*) as waiting, min(d.due_at) as oldest \
                     from webhook_deliveries d where d.webhook = w.id and d.failed_at is null \
                     and d.due_at <= clock_timestamp() and w.off_at is null and w.failing_since is null) q";

type Tx = Transaction<'static, Postgres>;

/// Records a redelivery in the log of the webhook's tenant, or in the operator log.
async fn record_redelivery(
    tx: &mut Transaction<'static, Postgres>,
    webhook: Uuid,
    detail: &str,
    actor: Actor,
) -> Result<(), Error> {
    let reading = sqlx::query_as(NAMES).bind(webhook).fetch_one(&mut **tx);
    let (name, tenant): (String, Option<String>) = reading.await.map_err(Error::at("reading the name of a webhook"))?;
    let details = vec![format!("webhook {name}: {detail}")];
    record_operation(tx, Operation::WebhookRedeliver, tenant, details, actor).await
}

impl Store {
    /// Claims up to `limit` due events, for each webhook no more than it may have in progress at once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_deliveries(&self, limit: i64) -> Result<Vec<Delivery>, Error> {
        let claiming = sqlx::query_as(CLAIM).bind(limit).bind(CLAIM_SECONDS).fetch_all(&self.pool);
        claiming.await.map_err(Error::at("claiming events for webhooks"))
    }

    /// Stores that the receiver accepted an event; `quickly` lets it have more requests in progress.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delivered(&self, one: &Delivery, attempt: &Attempt, quickly: bool) -> Result<(), Error> {
        let doing = "storing that a webhook accepted an event";
        let mut tx = self.begin_attempt(one, attempt, doing).await?;
        sqlx::query(WELL).bind(one.webhook).bind(quickly).execute(&mut *tx).await.map_err(Error::at(doing))?;
        sqlx::query(DONE).bind(one.webhook).bind(one.event).execute(&mut *tx).await.map_err(Error::at(doing))?;
        tx.commit().await.map_err(Error::at(doing))
    }

    /// Stores that the receiver did not accept an event.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn not_delivered(&self, one: &Delivery, attempt: &Attempt, next: Next) -> Result<(), Error> {
        let doing = "storing that a webhook did not accept an event";
        let mut tx = self.begin_attempt(one, attempt, doing).await?;
        let failing = sqlx::query(FAILING).bind(one.webhook).bind(i32::from(next.is_failure));
        let failing = failing.bind(next.rest).bind(REFUSALS).bind(next.rest_when_refusing);
        failing.execute(&mut *tx).await.map_err(Error::at(doing))?;
        let event = sqlx::query(AGAIN).bind(one.webhook).bind(one.event).bind(i32::from(next.counts)).bind(next.event);
        event.execute(&mut *tx).await.map_err(Error::at(doing))?;
        tx.commit().await.map_err(Error::at(doing))
    }

    /// Locks the webhook and logs an attempt.
    async fn begin_attempt(&self, one: &Delivery, attempt: &Attempt, doing: &'static str) -> Result<Tx, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let locked = sqlx::query(LOCK).bind(one.webhook).fetch_optional(&mut *tx).await.map_err(Error::at(doing))?;
        if locked.is_some() {
            let status = attempt.status.and_then(|status| i16::try_from(status).ok());
            sqlx::query(LOG)
                .bind(one.webhook)
                .bind(one.event)
                .bind(&one.type_name)
                .bind(one.tries + 1)
                .bind(one.now)
                .bind(i32::try_from(attempt.took.as_millis()).unwrap_or(i32::MAX))
                .bind(status)
                .bind(&attempt.error)
                .execute(&mut *tx)
                .await
                .map_err(Error::at(doing))?;
        }
        Ok(tx)
    }

    /// Attempts of a webhook, newest first; of one event if it is given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn webhook_attempts(
        &self,
        webhook: Uuid,
        event: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<AttemptView>, Error> {
        let reading = sqlx::query_as(ATTEMPTS).bind(webhook).bind(event).bind(limit).fetch_all(&self.pool);
        reading.await.map_err(Error::at("reading the delivery log of a webhook"))
    }

    /// Sends a recorded event to a webhook again, of this tenant if one is given, immediately.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such webhook or event of its tenant, or when the database does not answer.
    pub async fn redeliver(&self, webhook: Uuid, event: Uuid, tenant: Option<Uuid>, actor: Actor) -> Result<(), Error> {
        let doing = "sending an event to a webhook again";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        sqlx::query(RESUME).bind(webhook).execute(&mut *tx).await.map_err(Error::at(doing))?;
        let asking = sqlx::query(REDELIVER).bind(webhook).bind(event).bind(tenant);
        let asked = asking.execute(&mut *tx).await.map_err(Error::at(doing))?;
        if asked.rows_affected() == 0 {
            return Err(Error::NotFound(event.to_string()));
        }
        record_redelivery(&mut tx, webhook, &format!("event {event} is sent again"), actor).await?;
        tx.commit().await.map_err(Error::at(doing))
    }

    /// Sends every failed event of a webhook again. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn redeliver_failed(&self, webhook: Uuid, actor: Actor) -> Result<u64, Error> {
        let doing = "sending failed events to a webhook again";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let asking = sqlx::query(REDELIVER_FAILED).bind(webhook).execute(&mut *tx);
        let count = asking.await.map_err(Error::at(doing))?.rows_affected();
        if count > 0 {
            let detail = format!("{count} events whose delivery failed are sent again");
            record_redelivery(&mut tx, webhook, &detail, actor).await?;
        }
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(count)
    }

    /// Deletes old rows, and rows over the limit, of the delivery log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn trim_attempts(&self) -> Result<(), Error> {
        let doing = "trimming the delivery log of webhooks";
        for query in [sqlx::query(AGE).bind(LOG_DAYS), sqlx::query(FORGET_FAILED).bind(LOG_DAYS)] {
            query.execute(&self.pool).await.map_err(Error::at(doing))?;
        }
        sqlx::query(TRIM).bind(LOG_ROWS).execute(&self.pool).await.map_err(Error::at(doing)).map(drop)
    }

    /// Pending deliveries of webhooks.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn webhook_depth(&self) -> Result<WebhookDepth, Error> {
        sqlx::query_as(DEPTH).fetch_one(&self.pool).await.map_err(Error::at("counting pending deliveries of webhooks"))
    }
}
