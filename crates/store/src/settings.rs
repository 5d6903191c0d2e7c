//! A tenant's settings, changed by its own approvers: rules, notification recipients and delegations. Every change is
//! recorded as an event, and every approver is notified, in the same transaction.

use chrono::{DateTime, Utc};
use contracts::envelope::Message;
use contracts::events::{self, Actor, PolicyChanged};
use domain::{Person, Rules};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::authority::refuse_if_founded;
use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;
pub use crate::receipts::By;
use crate::receipts::{self, Party, RecordedChange};
use crate::sentences;

type Tx = Transaction<'static, Postgres>;

/// A delegation: one person decides for another.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Delegation {
    /// Id.
    pub id: Uuid,
    /// Short name of the person who is out of office.
    pub person: String,
    /// Display name of that person.
    pub person_name: String,
    /// Display name of the delegate.
    pub delegate_name: String,
    /// End of the delegation.
    pub until_at: DateTime<Utc>,
}

const BEFORE: &str = "select to_jsonb(t) from tenants t where id = $1 for update";
const CHANGE: &str = "update tenants set notification_recipients = $2, decision_deadline_seconds = $3, access_default_seconds = $4, \
                      access_ceiling_seconds = $5, required_approvals = $6, comment_required = $7, \
                      passkey_required = $8, reminders_seconds = $9, settings_owner = 'customer' where id = $1 \
                      returning to_jsonb(tenants)";
const REQUIRE: &str = "update tenants set witnesses_required = $2 where id = $1 returning to_jsonb(tenants)";
const WITNESSES: &str = "select witnesses_required, (select count(*) from witnesses w where w.tenant = t.id) \
                         from tenants t where id = $1";
const TENANT: &str = "select name from tenants where id = $1";
const APPROVER_COUNT: &str = "select count(distinct p.id) from people p join assignments a on a.person = p.id \
                              and a.role = 'approver' where p.tenant = $1 and p.enabled";
const DELEGATE: &str = "insert into delegations (id, person, delegate, until_at) \
                        select $1, $2, id, $4 from people where name = $3 and tenant = $5 and enabled";
const END: &str = "update delegations d set ended_at = clock_timestamp() from people p \
                   where d.person = $1 and d.ended_at is null and d.until_at > clock_timestamp() and p.id = d.delegate \
                   returning p.display_name, p.email";
const DELEGATIONS: &str = "select d.id, p.name as person, p.display_name as person_name, q.display_name as delegate_name, \
                           d.until_at from delegations d join people p on p.id = d.person join people q on q.id = d.delegate \
                           where p.tenant = $1 and d.ended_at is null and d.until_at > clock_timestamp() order by d.until_at";
const CLOCK: &str = "select clock_timestamp()";

pub(crate) fn tenant_of(by: &Person) -> Result<Uuid, Error> {
    by.tenant().map(|tenant| tenant.0).ok_or_else(|| Error::NotFound(by.name.clone()))
}

impl Store {
    /// Changes the rules of a person's own tenant for new requests. Returns the messages to publish.
    ///
    /// # Errors
    /// [`Error::TenantIsFounded`], or when the database refuses or does not answer.
    pub async fn change_settings(
        &self,
        by: By<'_>,
        rules: &Rules,
        notification_recipients: &[String],
    ) -> Result<Vec<Message>, Error> {
        let doing = "changing settings";
        let tenant = tenant_of(by.person)?;
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        refuse_if_founded(&mut tx, tenant).await?;
        let before: serde_json::Value =
            sqlx::query_scalar(BEFORE).bind(tenant).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        // A removed address is notified too.
        let listening = receipts::recipients(&mut tx, Some(tenant)).await?;
        let after: serde_json::Value = sqlx::query_scalar(CHANGE)
            .bind(tenant)
            .bind(notification_recipients)
            .bind(rules.decision_deadline_seconds)
            .bind(rules.access_default_seconds)
            .bind(rules.access_ceiling_seconds)
            .bind(rules.required_approvals)
            .bind(rules.comment_required)
            .bind(rules.passkey_required)
            .bind(&rules.reminders_seconds)
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::at(doing))?;
        let changes = sentences::changed_columns(&sentences::TENANT, &before, &after);
        self.commit_change(tx, tenant, by, changes, listening).await
    }

    /// Number of required witness signatures before access opens, and number of witnesses.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn witnesses_required(&self, tenant: Uuid) -> Result<(Option<i32>, i64), Error> {
        let reading = sqlx::query_as(WITNESSES).bind(tenant).fetch_one(&self.pool);
        reading.await.map_err(Error::at("reading the witnesses of a tenant"))
    }

    /// Sets how many witnesses of a person's own tenant must have signed before access opens; `None` requires no proof.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn require_witnesses(&self, by: By<'_>, required: Option<i32>) -> Result<Vec<Message>, Error> {
        let doing = "changing the number of witnesses";
        let tenant = tenant_of(by.person)?;
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        refuse_if_founded(&mut tx, tenant).await?;
        let before: serde_json::Value =
            sqlx::query_scalar(BEFORE).bind(tenant).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let changing = sqlx::query_scalar(REQUIRE).bind(tenant).bind(required).fetch_one(&mut *tx);
        let after: serde_json::Value = changing.await.map_err(Error::at(doing))?;
        let changes = sentences::changed_columns(&sentences::TENANT, &before, &after);
        self.commit_change(tx, tenant, by, changes, Vec::new()).await
    }

    /// Number of people in a tenant with the role approver of their own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn approver_count(&self, tenant: Uuid) -> Result<i64, Error> {
        let counting = sqlx::query_scalar(APPROVER_COUNT).bind(tenant).fetch_one(&self.pool);
        counting.await.map_err(Error::at("counting approvers"))
    }

    /// Lets another person of the tenant decide for an approver until the given time. Ends an earlier delegation.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no such person, or when the database refuses or does not answer.
    pub async fn delegate(&self, by: By<'_>, to: &str, until: DateTime<Utc>) -> Result<Vec<Message>, Error> {
        let doing = "creating a delegation";
        let tenant = tenant_of(by.person)?;
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        refuse_if_founded(&mut tx, tenant).await?;
        let ended = sqlx::query_as(END).bind(by.person.id.0).fetch_all(&mut *tx).await;
        let ended: Vec<Party> = ended.map_err(Error::at(doing))?;
        let naming = sqlx::query(DELEGATE).bind(Uuid::now_v7()).bind(by.person.id.0).bind(to).bind(until).bind(tenant);
        if naming.execute(&mut *tx).await.map_err(Error::at(doing))?.rows_affected() == 0 {
            return Err(Error::NotFound(to.to_owned()));
        }
        let change = format!("{to} is the delegate of {} until {}", by.person.name, until.format("%Y-%m-%d %H:%M UTC"));
        self.commit_change(tx, tenant, by, vec![change], ended).await
    }

    /// Ends the delegation of [`Self::delegate`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_delegation(&self, by: By<'_>) -> Result<Vec<Message>, Error> {
        let doing = "ending a delegation";
        let tenant = tenant_of(by.person)?;
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        refuse_if_founded(&mut tx, tenant).await?;
        let ended = sqlx::query_as(END).bind(by.person.id.0).fetch_all(&mut *tx).await;
        let ended: Vec<Party> = ended.map_err(Error::at(doing))?;
        let change = (!ended.is_empty()).then(|| format!("the delegation of {} ended", by.person.name));
        self.commit_change(tx, tenant, by, Vec::from_iter(change), ended).await
    }

    /// Current delegations in a tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delegations(&self, tenant: Uuid) -> Result<Vec<Delegation>, Error> {
        let reading = sqlx::query_as(DELEGATIONS).bind(tenant).fetch_all(&self.pool);
        reading.await.map_err(Error::at("reading delegations"))
    }

    pub(crate) async fn commit_change(
        &self,
        mut tx: Tx,
        tenant: Uuid,
        by: By<'_>,
        changes: Vec<String>,
        also: Vec<Party>,
    ) -> Result<Vec<Message>, Error> {
        let doing = "storing a change of settings";
        let mut messages = Vec::new();
        if !changes.is_empty() {
            let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
            messages =
                change_messages(&mut tx, tenant, (&by.person.display_name, by.actor()), &changes, now, also).await?;
            insert_outbox(&mut tx, &messages).await?;
        }
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(messages)
    }
}

/// The event of a change, and mails to the tenant's approvers, to its notification recipients, to the person who made the
/// change, and to `also`: those who were notified before the change.
pub(crate) async fn change_messages(
    tx: &mut Tx,
    tenant: Uuid,
    (by_name, actor): (&str, Actor),
    changes: &[String],
    now: DateTime<Utc>,
    also: Vec<Party>,
) -> Result<Vec<Message>, Error> {
    policy_change_messages(tx, tenant, (by_name, actor), (changes, &PolicyChanged::default()), now, also).await
}

/// The same for a change that may concern a break-glass policy.
pub(crate) async fn policy_change_messages(
    tx: &mut Tx,
    tenant: Uuid,
    (by_name, actor): (&str, Actor),
    (changes, policy): (&[String], &PolicyChanged),
    now: DateTime<Utc>,
    also: Vec<Party>,
) -> Result<Vec<Message>, Error> {
    let reading = sqlx::query_scalar(TENANT).bind(tenant).fetch_one(&mut **tx).await;
    let name: String = reading.map_err(Error::at("reading a tenant's name"))?;
    let mut messages = events::directory_changed(changes, policy, &actor, Some(&name), now);
    let event = messages.first().map(|event| event.id).unwrap_or_default();
    let template = if actor.kind == "operator" { "directory_changed" } else { "settings_changed" };
    let change_made = RecordedChange { template, changes, by_name, actor: &actor, subject: None, event, at: now };
    messages.extend(receipts::mails(tx, Some(tenant), &change_made, also).await?);
    Ok(messages)
}
