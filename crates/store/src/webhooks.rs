//! Webhooks: who wants events over HTTP, and what is still to be delivered. The audit log's own trigger adds deliveries
//! (migration 13); here they are claimed, settled and put off. Nothing here calls anybody.

use chrono::{DateTime, Utc};
use contracts::Kind;
use contracts::envelope::{About, Message, message};
use contracts::events::{Actor, ConsentChanged, DirectoryChanged};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::changes_outbox;
use crate::error::Error;
use crate::pool::Store;

/// A webhook to add.
#[derive(Clone, Copy, Debug)]
pub struct NewWebhook<'a> {
    /// Tenant; the vendor's own when absent.
    pub tenant: Option<Uuid>,
    /// What its owner calls it.
    pub name: &'a str,
    /// Where events go.
    pub url: &'a str,
    /// Beginning of the types it wants; empty is all.
    pub types: &'a str,
    /// Secret that signs.
    pub secret: &'a str,
}

/// A webhook in a list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WebhookView {
    /// Id.
    pub id: Uuid,
    /// Tenant's short name.
    pub tenant: Option<String>,
    /// What its owner calls it.
    pub name: String,
    /// Where events go.
    pub url: String,
    /// Beginning of the types it wants.
    pub types: String,
    /// Nothing was taken since.
    pub failing_since: Option<DateTime<Utc>>,
    /// Switched off.
    pub off_at: Option<DateTime<Utc>>,
    /// Why it is off.
    pub off_why: Option<String>,
    /// Events not taken yet.
    pub waiting: i64,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// One event to deliver, claimed for a minute.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Delivery {
    /// To which webhook.
    pub webhook: Uuid,
    /// The event.
    pub event: Uuid,
    /// How often it was tried.
    pub attempt: i32,
    /// Where.
    pub url: String,
    /// Secret that signs.
    pub secret: String,
    /// The event's exact bytes.
    pub body: Vec<u8>,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

const ADD: &str = "insert into webhooks (id, tenant, name, url, types, secret) \
                   values ($1, $2, $3, $4, $5, $6)";
const LIST: &str = "select w.id, t.name as tenant, w.name, w.url, w.types, w.failing_since, w.off_at, w.off_why, \
                    (select count(*) from webhook_deliveries d where d.webhook = w.id) as waiting, \
                    (select last_error from webhook_deliveries d where d.webhook = w.id and last_error is not null \
                    order by due_at desc limit 1) as last_error \
                    from webhooks w left join tenants t on t.id = w.tenant \
                    where $1::uuid is null or w.tenant = $1 order by w.added_at, w.id";
const REMOVE: &str = "delete from webhooks where id = $1 and ($2::uuid is null or tenant = $2) returning tenant, name";
const FORGET: &str =
    "delete from webhook_deliveries d where not exists (select from webhooks w where w.id = d.webhook)";
const SWITCH: &str = "update webhooks set off_at = case when $2 then null else clock_timestamp() end, off_why = $3, \
                      failing_since = null where id = $1 and (off_at is null) <> $2 returning tenant, name";
const RESUME: &str = "update webhook_deliveries set attempt = 0, due_at = clock_timestamp() where webhook = $1";
const CLAIM: &str = "with due as (select d.webhook, d.event from webhook_deliveries d \
                     join webhooks w on w.id = d.webhook and w.off_at is null where d.due_at <= clock_timestamp() \
                     order by d.due_at, d.event limit $1 for update of d skip locked) \
                     update webhook_deliveries d set due_at = clock_timestamp() + interval '60 seconds' \
                     from due, webhooks w, audit_events e \
                     where d.webhook = due.webhook and d.event = due.event and w.id = d.webhook and e.id = d.event \
                     returning d.webhook, d.event, d.attempt, w.url, w.secret, e.body, clock_timestamp() as now";
const DONE: &str = "delete from webhook_deliveries where webhook = $1 and event = $2";
const WELL: &str = "update webhooks set failing_since = null where id = $1 and failing_since is not null";
const FAILED: &str =
    "update webhook_deliveries set attempt = attempt + 1, last_error = $3 where webhook = $1 and event = $2";
const FAILING: &str = "update webhooks set failing_since = coalesce(failing_since, clock_timestamp()) where id = $1";
// Everything for it waits: an end that is down is asked once a pause, not once an event.
const PAUSE: &str = "update webhook_deliveries set due_at = greatest(due_at, clock_timestamp() + make_interval(secs => $2)) \
                     where webhook = $1";
const CLOCK: &str = "select clock_timestamp()";

type Tx = Transaction<'static, Postgres>;

impl Store {
    /// Adds a webhook. Answers with its id and the messages to publish.
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
        let change = format!("webhook {} added: {what} goes to {}", new.name, new.url);
        Ok((id, say(tx, new.tenant, change, (by, actor)).await?))
    }

    /// Webhooks of a tenant, or all of them, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn webhooks(&self, tenant: Option<Uuid>) -> Result<Vec<WebhookView>, Error> {
        let listing = sqlx::query_as(LIST).bind(tenant).fetch_all(&self.pool);
        listing.await.map_err(Error::at("listing webhooks"))
    }

    /// Removes a webhook, of this tenant if one is given, with what waits for it.
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
        say(tx, of, format!("webhook {name} removed"), (by, actor)).await
    }

    /// Switches a webhook off with a reason, or on again with everything that waited.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none that could be, or when the database does not answer.
    pub async fn switch_webhook(
        &self,
        id: Uuid,
        off_why: Option<&str>,
        by: &str,
        actor: Actor,
    ) -> Result<Vec<Message>, Error> {
        let doing = "switching a webhook";
        let on = off_why.is_none();
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let switching = sqlx::query_as(SWITCH).bind(id).bind(on).bind(off_why);
        let switched: Option<(Option<Uuid>, String)> =
            switching.fetch_optional(&mut *tx).await.map_err(Error::at(doing))?;
        let (tenant, name) = switched.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let change = match off_why {
            None => {
                sqlx::query(RESUME).bind(id).execute(&mut *tx).await.map_err(Error::at(doing))?;
                format!("webhook {name} is on again")
            }
            Some(why) => format!("webhook {name} is off: {why}"),
        };
        say(tx, tenant, change, (by, actor)).await
    }

    /// Claims up to `limit` events that are due for a minute: who dies with them leaves them to others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_deliveries(&self, limit: i64) -> Result<Vec<Delivery>, Error> {
        let claiming = sqlx::query_as(CLAIM).bind(limit).fetch_all(&self.pool);
        claiming.await.map_err(Error::at("claiming what webhooks wait for"))
    }

    /// An event was taken.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delivered(&self, webhook: Uuid, event: Uuid) -> Result<(), Error> {
        let doing = "noting that a webhook took an event";
        sqlx::query(DONE).bind(webhook).bind(event).execute(&self.pool).await.map_err(Error::at(doing))?;
        sqlx::query(WELL).bind(webhook).execute(&self.pool).await.map_err(Error::at(doing))?;
        Ok(())
    }

    /// An event was not taken: it and everything behind it wait.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn not_delivered(&self, webhook: Uuid, event: Uuid, error: &str, pause: f64) -> Result<(), Error> {
        let doing = "noting that a webhook did not take an event";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        sqlx::query(FAILED).bind(webhook).bind(event).bind(error).execute(&mut *tx).await.map_err(Error::at(doing))?;
        sqlx::query(FAILING).bind(webhook).execute(&mut *tx).await.map_err(Error::at(doing))?;
        sqlx::query(PAUSE).bind(webhook).bind(pause).execute(&mut *tx).await.map_err(Error::at(doing))?;
        tx.commit().await.map_err(Error::at(doing))
    }
}

/// The event of a change; a tenant's approvers are told by mail too.
async fn say(
    mut tx: Tx,
    tenant: Option<Uuid>,
    change: String,
    (by, actor): (&str, Actor),
) -> Result<Vec<Message>, Error> {
    let doing = "keeping a change of webhooks";
    let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
    let messages = if let Some(tenant) = tenant {
        crate::settings::told(&mut tx, tenant, (by, actor), &[change], now, Vec::new()).await?
    } else {
        let data = DirectoryChanged { changes: vec![change], consent: ConsentChanged::default(), actor };
        vec![message(Kind::DirectoryChanged, now, About::default(), &data)]
    };
    changes_outbox(&mut tx, &messages).await?;
    tx.commit().await.map_err(Error::at(doing))?;
    Ok(messages)
}
