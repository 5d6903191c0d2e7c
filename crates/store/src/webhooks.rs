//! Webhooks: the receivers of events over HTTP. A trigger on the audit log adds deliveries (migration 8).

use chrono::{DateTime, Utc};
use contracts::Kind;
use contracts::envelope::{About, Message, message};
use contracts::events::{Actor, DirectoryChanged, PolicyChanged};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;

mod queue;

pub use queue::{Attempt, AttemptView, Delivery, Next, REFUSALS, WebhookDepth};

/// A webhook to add.
#[derive(Clone, Copy, Debug)]
pub struct NewWebhook<'a> {
    /// Tenant; the vendor's own when absent.
    pub tenant: Option<Uuid>,
    /// The owner's name for it.
    pub name: &'a str,
    /// URL of the receiver.
    pub url: &'a str,
    /// Prefix of the event types to deliver; empty is all.
    pub types: &'a str,
    /// Signing secret.
    pub secret: &'a str,
}

/// A webhook in a list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WebhookView {
    /// Id.
    pub id: Uuid,
    /// Tenant's short name.
    pub tenant: Option<String>,
    /// The owner's name for it.
    pub name: String,
    /// URL of the receiver.
    pub url: String,
    /// Prefix of the event types.
    pub types: String,
    /// Since when no event was accepted.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it was disabled.
    pub off_at: Option<DateTime<Utc>>,
    /// Why it is disabled.
    pub off_why: Option<String>,
    /// Nothing is sent until then.
    pub paused_until: Option<DateTime<Utc>>,
    /// Until when the previous secret also signs.
    pub secret_before_until: Option<DateTime<Utc>>,
    /// Events that are not delivered yet.
    pub waiting: i64,
    /// Events whose delivery failed after the last attempt.
    pub failed: i64,
    /// The last error.
    pub last_error: Option<String>,
}

impl WebhookView {
    /// `on`, `failing` or `off`.
    pub fn state(&self) -> &'static str {
        match (self.off_at, self.failing_since) {
            (Some(_), _) => "off",
            (None, Some(_)) => "failing",
            (None, None) => "on",
        }
    }
}

const ADD: &str = "insert into webhooks (id, tenant, name, url, types, secret) \
                   values ($1, $2, $3, $4, $5, $6)";
const LIST: &str = "select w.id, t.name as tenant, w.name, w.url, w.types, w.failing_since, w.off_at, w.off_why, \
                    case when w.paused_until > clock_timestamp() then w.paused_until end as paused_until, \
                    case when w.secret_before_until > clock_timestamp() then w.secret_before_until end as secret_before_until, \
                    (select count(*) from webhook_deliveries d where d.webhook = w.id and d.failed_at is null) as waiting, \
                    (select count(*) from webhook_deliveries d where d.webhook = w.id and d.failed_at is not null) as failed, \
                    (select a.error from webhook_attempts a where a.webhook = w.id order by a.id desc limit 1) as last_error \
                    from webhooks w left join tenants t on t.id = w.tenant \
                    where $1::uuid is null or w.tenant = $1 order by w.added_at, w.id";
const REMOVE: &str = "delete from webhooks where id = $1 and ($2::uuid is null or tenant = $2) returning tenant, name";
const FORGET: &str =
    "delete from webhook_deliveries d where not exists (select from webhooks w where w.id = d.webhook)";
const FORGET_LOG: &str = "delete from webhook_attempts where webhook = $1";
const SWITCH: &str = "update webhooks set off_at = case when $2 then null else clock_timestamp() end, off_why = $3, \
                      failing_since = null, paused_until = null, failures = 0 \
                      where id = $1 and (off_at is null) <> $2 returning tenant, name";
const RESUME: &str = "update webhook_deliveries set attempt = 0, due_at = clock_timestamp() \
                      where webhook = $1 and failed_at is null";
const ROTATE: &str = "update webhooks set secret_before = case when $4::float8 > 0 then secret end, \
                      secret_before_until = case when $4::float8 > 0 then clock_timestamp() + make_interval(secs => $4) end, \
                      secret = $3 where id = $1 and ($2::uuid is null or tenant = $2) \
                      returning tenant, name, secret_before_until";
const CLOCK: &str = "select clock_timestamp()";

type Tx = Transaction<'static, Postgres>;

impl Store {
    /// Adds a webhook. Returns its id and the messages to publish.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_webhook(
        &self,
        new: NewWebhook<'_>,
        by: &str,
        actor: Actor,
    ) -> Result<(Uuid, Vec<Message>), Error> {
        let doing = "adding a webhook";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let id = Uuid::now_v7();
        sqlx::query(ADD)
            .bind(id)
            .bind(new.tenant)
            .bind(new.name)
            .bind(new.url)
            .bind(new.types)
            .bind(new.secret)
            .execute(&mut *tx)
            .await
            .map_err(Error::at(doing))?;
        let what = if new.types.is_empty() { "every event" } else { new.types };
        let change = format!("webhook {} added: {what} is sent to {}", new.name, new.url);
        Ok((id, commit_change(tx, new.tenant, change, (by, actor)).await?))
    }

    /// Webhooks of a tenant, or all of them, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn webhooks(&self, tenant: Option<Uuid>) -> Result<Vec<WebhookView>, Error> {
        let listing = sqlx::query_as(LIST).bind(tenant).fetch_all(&self.pool);
        listing.await.map_err(Error::at("listing webhooks"))
    }

    /// Removes a webhook, of this tenant if one is given, with its pending deliveries.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or when the database does not answer.
    pub async fn remove_webhook(
        &self,
        id: Uuid,
        tenant: Option<Uuid>,
        by: &str,
        actor: Actor,
    ) -> Result<Vec<Message>, Error> {
        let doing = "removing a webhook";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let removed: Option<(Option<Uuid>, String)> =
            sqlx::query_as(REMOVE).bind(id).bind(tenant).fetch_optional(&mut *tx).await.map_err(Error::at(doing))?;
        let (of, name) = removed.ok_or_else(|| Error::NotFound(id.to_string()))?;
        sqlx::query(FORGET).execute(&mut *tx).await.map_err(Error::at(doing))?;
        sqlx::query(FORGET_LOG).bind(id).execute(&mut *tx).await.map_err(Error::at(doing))?;
        commit_change(tx, of, format!("webhook {name} removed"), (by, actor)).await
    }

    /// Disables a webhook with a reason, or enables it again with all pending deliveries.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no webhook in the other state, or when the database does not answer.
    pub async fn switch_webhook(
        &self,
        id: Uuid,
        off_why: Option<&str>,
        by: &str,
        actor: Actor,
    ) -> Result<Vec<Message>, Error> {
        let doing = "enabling or disabling a webhook";
        let on = off_why.is_none();
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let switching = sqlx::query_as(SWITCH).bind(id).bind(on).bind(off_why);
        let switched: Option<(Option<Uuid>, String)> =
            switching.fetch_optional(&mut *tx).await.map_err(Error::at(doing))?;
        let (tenant, name) = switched.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let change = match off_why {
            None => {
                sqlx::query(RESUME).bind(id).execute(&mut *tx).await.map_err(Error::at(doing))?;
                format!("webhook {name} enabled")
            }
            Some(why) => format!("webhook {name} disabled: {why}"),
        };
        commit_change(tx, tenant, change, (by, actor)).await
    }

    /// Sets a new secret for a webhook. The previous secret also signs for `overlap_seconds`; one from an earlier rotation
    /// becomes invalid. Returns the messages to publish, and the end of the overlap.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or when the database does not answer.
    pub async fn rotate_webhook(
        &self,
        (id, tenant): (Uuid, Option<Uuid>),
        (secret, overlap_seconds): (&str, f64),
        by: &str,
        actor: Actor,
    ) -> Result<(Vec<Message>, Option<DateTime<Utc>>), Error> {
        let doing = "rotating the secret of a webhook";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let rotating = sqlx::query_as(ROTATE).bind(id).bind(tenant).bind(secret).bind(overlap_seconds);
        let rotated: Option<(Option<Uuid>, String, Option<DateTime<Utc>>)> =
            rotating.fetch_optional(&mut *tx).await.map_err(Error::at(doing))?;
        let (of, name, until) = rotated.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let until_text = until.map_or_else(
            || "the previous secret is no longer used".to_owned(),
            |until| format!("the previous secret also signs until {}", until.format("%Y-%m-%d %H:%M UTC")),
        );
        let change = format!("webhook {name} has a new secret; {until_text}");
        Ok((commit_change(tx, of, change, (by, actor)).await?, until))
    }
}

/// The event of a change; a tenant's approvers are also notified by mail.
async fn commit_change(
    mut tx: Tx,
    tenant: Option<Uuid>,
    change: String,
    (by, actor): (&str, Actor),
) -> Result<Vec<Message>, Error> {
    let doing = "storing a change of webhooks";
    let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
    let messages = if let Some(tenant) = tenant {
        crate::settings::change_messages(&mut tx, tenant, (by, actor), &[change], now, Vec::new()).await?
    } else {
        let data = DirectoryChanged { changes: vec![change], policy: PolicyChanged::default(), actor };
        vec![message(Kind::DirectoryChanged, now, About::default(), &data)]
    };
    insert_outbox(&mut tx, &messages).await?;
    tx.commit().await.map_err(Error::at(doing))?;
    Ok(messages)
}
