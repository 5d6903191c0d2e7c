//! Break-glass policies: created and revoked by a tenant's approvers, and read under the lock of the policy when break-glass
//! access is requested or decided on. Every change is recorded as an event, and every approver is notified.

use chrono::{DateTime, Utc};
use contracts::Kind;
use contracts::envelope::Message;
use contracts::events::{self, PolicyChanged};
use domain::{BreakGlassPolicy, PolicyUsage, TenantId};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;
use crate::receipts::By;
use crate::snapshot::Snapshot;

type Tx = Transaction<'static, Postgres>;

#[derive(sqlx::FromRow)]
struct PolicyRow {
    id: Uuid,
    tenant: Uuid,
    tenant_name: String,
    name: String,
    services: Vec<String>,
    ceiling_seconds: i64,
    quota: i32,
    until_at: DateTime<Utc>,
    ended: bool,
    used: i64,
}

impl PolicyRow {
    fn policy_usage(self) -> (String, PolicyUsage) {
        let policy = BreakGlassPolicy {
            id: self.id,
            tenant: TenantId(self.tenant),
            name: self.name,
            services: self.services,
            ceiling_seconds: self.ceiling_seconds,
            quota: self.quota,
            until: self.until_at,
        };
        (self.tenant_name, PolicyUsage { policy, used: self.used, ended: self.ended })
    }
}

// Locked, so that two requests cannot both use the last of a quota.
const LOAD: &str = "select c.id, c.tenant, t.name as tenant_name, c.name, c.services, c.ceiling_seconds, c.quota, c.until_at, \
                    c.ended_at is not null as ended, (select count(*) from break_glass_uses u where u.policy = c.id) as used \
                    from break_glass_policies c join tenants t on t.id = c.tenant \
                    where c.id = any($1) or (c.ended_at is null and (t.name, c.name) in (select * from unnest($2::text[], $3::text[]))) \
                    order by c.id for update of c";
const LIST: &str = "select c.id, c.tenant, t.name as tenant_name, c.name, c.services, c.ceiling_seconds, c.quota, c.until_at, \
                    false as ended, (select count(*) from break_glass_uses u where u.policy = c.id) as used \
                    from break_glass_policies c join tenants t on t.id = c.tenant \
                    where c.tenant = $1 and c.ended_at is null and c.until_at > clock_timestamp() order by c.name";
const GIVE: &str = "insert into break_glass_policies (id, tenant, name, document, digest, services, ceiling_seconds, quota, until_at, given_by) \
                    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const END: &str = "update break_glass_policies set ended_at = clock_timestamp(), ended_by = $3 \
                   where tenant = $1 and id = $2 and ended_at is null returning name, encode(digest, 'hex')";
const OVER: &str = "update break_glass_policies set ended_at = clock_timestamp() \
                    where tenant = $1 and name = $2 and ended_at is null and until_at <= clock_timestamp()";
const CLOCK: &str = "select clock_timestamp()";

/// Loads the policies that a batch needs.
pub(crate) async fn load(tx: &mut Tx, snapshot: &mut Snapshot, named: Vec<(String, String)>) -> Result<(), Error> {
    let of_requests = snapshot.requests.values().filter(|request| !request.state.is_final());
    let ids: Vec<Uuid> =
        of_requests.filter_map(|request| request.content.break_glass.as_ref().map(|asked| asked.policy)).collect();
    if ids.is_empty() && named.is_empty() {
        return Ok(());
    }
    let (tenants, names): (Vec<String>, Vec<String>) = named.into_iter().unzip();
    let rows: Vec<PolicyRow> = sqlx::query_as(LOAD)
        .bind(ids)
        .bind(tenants)
        .bind(names)
        .fetch_all(&mut **tx)
        .await
        .map_err(Error::at("reading break-glass policies"))?;
    snapshot.policies = rows.into_iter().map(PolicyRow::policy_usage).collect();
    Ok(())
}

impl Store {
    /// The valid break-glass policies of a tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn policies(&self, tenant: Uuid) -> Result<Vec<PolicyUsage>, Error> {
        let reading = sqlx::query_as(LIST).bind(tenant).fetch_all(&self.pool);
        let rows: Vec<PolicyRow> = reading.await.map_err(Error::at("reading break-glass policies"))?;
        Ok(rows.into_iter().map(|row| row.policy_usage().1).collect())
    }

    /// Creates a break-glass policy. The caller has checked it for faults.
    ///
    /// # Errors
    /// When the database refuses (the person is not an approver, the name is in use) or does not answer.
    pub async fn create_policy(&self, by: By<'_>, policy: &BreakGlassPolicy) -> Result<Vec<Message>, Error> {
        let doing = "creating a break-glass policy";
        let tenant = TenantId(crate::settings::tenant_of(by.person)?);
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        crate::authority::refuse_if_founded(&mut tx, tenant.0).await?;
        // A name can be used again when its policy is no longer valid.
        sqlx::query(OVER).bind(tenant.0).bind(&policy.name).execute(&mut *tx).await.map_err(Error::at(doing))?;
        sqlx::query(GIVE)
            .bind(policy.id)
            .bind(tenant.0)
            .bind(&policy.name)
            .bind(policy.to_bytes())
            .bind(policy.digest().0.to_vec())
            .bind(&policy.services)
            .bind(policy.ceiling_seconds)
            .bind(policy.quota)
            .bind(policy.until)
            .bind(by.person.id.0)
            .execute(&mut *tx)
            .await
            .map_err(Error::at(doing))?;
        let change = format!(
            "break-glass policy {} created: services {}, at most {} s each, at most {} uses, valid until {}, digest {}",
            policy.name,
            policy.services.join(", "),
            policy.ceiling_seconds,
            policy.quota,
            policy.until.format("%Y-%m-%d %H:%M UTC"),
            policy.digest()
        );
        let document = serde_json::from_slice(&policy.to_bytes()).ok();
        commit_change(
            tx,
            tenant,
            by,
            change,
            PolicyChanged { break_glass_policy: document, break_glass_policy_ended: None },
        )
        .await
    }

    /// Revokes a break-glass policy: no further access becomes active under it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the tenant has no policy with this id, or when the database does not answer.
    pub async fn revoke_policy(&self, by: By<'_>, id: Uuid) -> Result<Vec<Message>, Error> {
        let doing = "revoking a break-glass policy";
        let tenant = TenantId(crate::settings::tenant_of(by.person)?);
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        crate::authority::refuse_if_founded(&mut tx, tenant.0).await?;
        let ended: Option<(String, String)> = sqlx::query_as(END)
            .bind(tenant.0)
            .bind(id)
            .bind(by.person.id.0)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::at(doing))?;
        let (name, digest) = ended.ok_or_else(|| Error::NotFound(id.to_string()))?;
        let policy = PolicyChanged { break_glass_policy: None, break_glass_policy_ended: Some(digest) };
        commit_change(tx, tenant, by, format!("break-glass policy {name} revoked"), policy).await
    }
}

async fn commit_change(
    mut tx: Tx,
    tenant: TenantId,
    by: By<'_>,
    change: String,
    policy: PolicyChanged,
) -> Result<Vec<Message>, Error> {
    let doing = "storing a change of a break-glass policy";
    let now: DateTime<Utc> = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
    let by = (by.person.display_name.as_str(), by.actor());
    let changes = [change];
    let messages =
        crate::settings::policy_change_messages(&mut tx, tenant.0, by, (&changes, &policy), now, Vec::new()).await?;
    // Recorded here and not when the message arrives, so that the log has a policy before its first use.
    let events = messages.iter().filter(|message| message.kind == Kind::DirectoryChanged);
    let indexed = events.filter_map(|event| Some((events::index(&event.body).ok()?, event.body.as_slice())));
    crate::audit::record(&mut tx, &indexed.collect::<Vec<_>>()).await?;
    insert_outbox(&mut tx, &messages).await?;
    tx.commit().await.map_err(Error::at(doing))?;
    Ok(messages)
}
