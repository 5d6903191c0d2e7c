//! Writes people, roles and rules from the statement in force, so that every role reads them where it always did.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use consent::{Fault, Statement};
use uuid::Uuid;

use super::{CLOCK, Tx, in_force, lock};
use crate::error::Error;
use crate::pool::Store;

const TENANT: &str = "select id from tenants where name = $1 for update";
const FOREIGN: &str = "select exists (select from people p join unnest($2::uuid[], $3::text[], $4::text[]) as a(id, name, email) \
                       on p.id = a.id or p.name = a.name or lower(p.email) = lower(a.email) \
                       where (p.id = a.id and p.tenant is distinct from $1) \
                       or (p.name = a.name and not exists (select from people q where q.id = a.id)) \
                       or (lower(p.email) = lower(a.email) and p.id <> all($2)))";
const PERSON: &str = "insert into people (id, name, display_name, email, tenant) values ($1, $2, $3, $4, $5) \
                      on conflict (id) do update set email = excluded.email, enabled = true \
                      where people.email <> excluded.email or not people.enabled";
const REMOVED: &str = "select distinct a.person from assignments a join people p on p.id = a.person \
                       where p.tenant = $1 and a.role = 'approver' and p.id <> all($2)";
const SIGN_OUT: &str = "delete from sessions where person = any($1)";
const REVOKE_TOKENS: &str =
    "update api_tokens set revoked_at = clock_timestamp() where person = any($1) and revoked_at is null";
const DROP_ROLES: &str =
    "delete from assignments a using people p where p.id = a.person and p.tenant = $1 and a.role = 'approver'";
const ADD_ROLES: &str = "insert into assignments (person, role, service) \
                         select person, 'approver', service from unnest($1::uuid[], $2::text[]) as r(person, service) \
                         on conflict do nothing";
const RULES: &str = "update tenants set decision_deadline_seconds = $2, access_ceiling_seconds = $3, \
                     access_default_seconds = least(access_default_seconds, $3), required_approvals = $4, \
                     comment_required = $5, witnesses_required = nullif($6, 0), notification_recipients = $7, \
                     reminders_seconds = (select coalesce(array_agg(r), '{}') from unnest(reminders_seconds) as r where r < $2), \
                     settings_owner = 'customer', approver_rules_owner = 'customer' where id = $1";
const DROP_WITNESSES: &str =
    "delete from witnesses where tenant = $1 and (name, key) not in (select * from unnest($2::text[], $3::text[]))";
// The address of a witness is no protection: the operator adds it in the directory file.
const ADD_WITNESSES: &str = "insert into witnesses (tenant, name, key, url) \
                             select $1, name, key, '' from unnest($2::text[], $3::text[]) as w(name, key) on conflict do nothing";
const END_POLICIES: &str = "update break_glass_policies set ended_at = clock_timestamp() where tenant = $1 and ended_at is null \
                            and (id <> all($2) or until_at <= clock_timestamp())";
const ADD_POLICY: &str = "insert into break_glass_policies (id, tenant, name, document, digest, services, ceiling_seconds, quota, until_at, given_by) \
                          select $1, $2, $3, $4, sha256($4), $5, $6, $7, $8, $9 where $8 > clock_timestamp() on conflict (id) do nothing";
const END_DELEGATIONS: &str = "update delegations d set ended_at = clock_timestamp() from people p \
                               where p.id = d.person and p.tenant = $1 and d.ended_at is null \
                               and (d.person, d.delegate, d.until_at) not in (select * from unnest($2::uuid[], $3::uuid[], $4::timestamptz[]))";
const ADD_DELEGATIONS: &str = "insert into delegations (id, person, delegate, until_at) \
                               select n.id, n.person, n.delegate, n.until_at \
                               from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[]) as n(id, person, delegate, until_at) \
                               where n.until_at > clock_timestamp() and not exists (select from delegations d where d.person = n.person \
                               and d.delegate = n.delegate and d.until_at = n.until_at and d.ended_at is null)";
const PROJECTED: &str = "insert into authority_projections (authority, version) values ($1, $2) \
                         on conflict (authority) do update set version = excluded.version, applied_at = clock_timestamp()";
const DUE: &str = "select f.authority from authorities_in_force f join authority_projections p on p.authority = f.authority \
                   where f.in_force_from <= clock_timestamp() group by f.authority, p.version having max(f.version) > p.version";

/// The id of the tenant, under a lock on its row; `None` for the vendor.
pub(super) async fn tenant(tx: &mut Tx, authority: &str) -> Result<Option<Uuid>, Error> {
    if authority == consent::VENDOR {
        return Ok(None);
    }
    let reading = sqlx::query_scalar(TENANT).bind(authority).fetch_optional(&mut **tx).await;
    let found: Option<Uuid> = reading.map_err(Error::at("locking a tenant"))?;
    found.map(Some).ok_or_else(|| Error::NotFound(authority.to_owned()))
}

/// Checks that the approvers of a statement can be stored as people of the tenant.
pub(super) async fn check_people(tx: &mut Tx, tenant: Option<Uuid>, statement: &Statement) -> Result<(), Error> {
    let approvers = || statement.approvers.iter();
    let foreign: bool = sqlx::query_scalar(FOREIGN)
        .bind(tenant)
        .bind(approvers().map(|approver| approver.person).collect::<Vec<_>>())
        .bind(approvers().map(|approver| approver.name.as_str()).collect::<Vec<_>>())
        .bind(approvers().map(|approver| approver.email.as_str()).collect::<Vec<_>>())
        .fetch_one(&mut **tx)
        .await
        .map_err(Error::at("checking the approvers of a statement"))?;
    let fault = Fault::Invalid("the name or the address of an approver belongs to another person");
    if foreign { Err(Error::Authority(fault)) } else { Ok(()) }
}

/// Writes the rows. Writing them again changes nothing.
pub(super) async fn apply(
    tx: &mut Tx,
    tenant: Option<Uuid>,
    statement: &Statement,
    display_names: &[(Uuid, String)],
) -> Result<(), Error> {
    let doing = "writing the rules of an authority";
    if let Some(tenant) = tenant {
        check_people(tx, Some(tenant), statement).await?;
        people(tx, tenant, statement, display_names).await?;
        rules(tx, tenant, statement).await?;
        policies(tx, tenant, statement).await?;
        delegations(tx, tenant, statement).await?;
    }
    let version = i64::try_from(statement.version).unwrap_or(i64::MAX);
    let projecting = sqlx::query(PROJECTED).bind(&statement.tenant).bind(version).execute(&mut **tx);
    projecting.await.map(drop).map_err(Error::at(doing))
}

async fn people(
    tx: &mut Tx,
    tenant: Uuid,
    statement: &Statement,
    display_names: &[(Uuid, String)],
) -> Result<(), Error> {
    let doing = "writing the approvers of an authority";
    for approver in &statement.approvers {
        let shown = display_names.iter().find(|(id, _)| *id == approver.person).map(|(_, shown)| shown);
        let writing = sqlx::query(PERSON)
            .bind(approver.person)
            .bind(&approver.name)
            .bind(shown.unwrap_or(&approver.name))
            .bind(&approver.email)
            .bind(tenant);
        writing.execute(&mut **tx).await.map_err(Error::at(doing))?;
    }
    let current: Vec<Uuid> = statement.approvers.iter().map(|approver| approver.person).collect();
    let reading = sqlx::query_scalar(REMOVED).bind(tenant).bind(&current).fetch_all(&mut **tx);
    let removed: Vec<Uuid> = reading.await.map_err(Error::at(doing))?;
    for statement in [SIGN_OUT, REVOKE_TOKENS] {
        sqlx::query(statement).bind(&removed).execute(&mut **tx).await.map_err(Error::at(doing))?;
    }
    let roles: BTreeSet<(Uuid, Option<&str>)> = statement
        .approvers
        .iter()
        .flat_map(|approver| {
            let all = approver.services.is_empty().then_some((approver.person, None));
            all.into_iter().chain(approver.services.iter().map(|service| (approver.person, Some(service.as_str()))))
        })
        .collect();
    let (persons, services): (Vec<Uuid>, Vec<Option<&str>>) = roles.into_iter().unzip();
    sqlx::query(DROP_ROLES).bind(tenant).execute(&mut **tx).await.map_err(Error::at(doing))?;
    let adding = sqlx::query(ADD_ROLES).bind(persons).bind(services).execute(&mut **tx);
    adding.await.map(drop).map_err(Error::at(doing))
}

async fn rules(tx: &mut Tx, tenant: Uuid, statement: &Statement) -> Result<(), Error> {
    let doing = "writing the rules of an authority";
    let (rules, number) = (&statement.rules, |count: usize| i32::try_from(count).unwrap_or(i32::MAX));
    sqlx::query(RULES)
        .bind(tenant)
        .bind(rules.decision_deadline_seconds)
        .bind(rules.access_ceiling_seconds)
        .bind(number(rules.required_approvals))
        .bind(rules.comment_required)
        .bind(number(rules.witnesses_required))
        .bind(&statement.notification_recipients)
        .execute(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    let names: Vec<&str> = rules.witnesses.iter().map(|witness| witness.name.as_str()).collect();
    let keys: Vec<&str> = rules.witnesses.iter().map(|witness| witness.key.as_str()).collect();
    for statement in [DROP_WITNESSES, ADD_WITNESSES] {
        let writing = sqlx::query(statement).bind(tenant).bind(&names).bind(&keys).execute(&mut **tx);
        writing.await.map_err(Error::at(doing))?;
    }
    Ok(())
}

async fn policies(tx: &mut Tx, tenant: Uuid, statement: &Statement) -> Result<(), Error> {
    let doing = "writing the break-glass policies of an authority";
    let ids: Vec<Uuid> = statement.break_glass.iter().map(|policy| policy.policy).collect();
    sqlx::query(END_POLICIES).bind(tenant).bind(ids).execute(&mut **tx).await.map_err(Error::at(doing))?;
    let Some(approver) = statement.approvers.first() else { return Ok(()) };
    for policy in &statement.break_glass {
        let document = serde_json::to_value(policy).unwrap_or_default().to_string();
        sqlx::query(ADD_POLICY)
            .bind(policy.policy)
            .bind(tenant)
            .bind(&policy.name)
            .bind(document.into_bytes())
            .bind(&policy.services)
            .bind(policy.ceiling_seconds)
            .bind(i32::try_from(policy.quota).unwrap_or(i32::MAX))
            .bind(time(&policy.until)?)
            .bind(approver.person)
            .execute(&mut **tx)
            .await
            .map_err(Error::at(doing))?;
    }
    Ok(())
}

async fn delegations(tx: &mut Tx, tenant: Uuid, statement: &Statement) -> Result<(), Error> {
    let doing = "writing the delegations of an authority";
    let ids: Vec<Uuid> = statement.delegations.iter().map(|_| Uuid::now_v7()).collect();
    let persons: Vec<Uuid> = statement.delegations.iter().map(|delegation| delegation.person).collect();
    let delegates: Vec<Uuid> = statement.delegations.iter().map(|delegation| delegation.delegate).collect();
    let until: Vec<DateTime<Utc>> =
        statement.delegations.iter().map(|delegation| time(&delegation.until)).collect::<Result<_, _>>()?;
    let ending = sqlx::query(END_DELEGATIONS).bind(tenant).bind(&persons).bind(&delegates).bind(&until);
    ending.execute(&mut **tx).await.map_err(Error::at(doing))?;
    let adding = sqlx::query(ADD_DELEGATIONS).bind(ids).bind(persons).bind(delegates).bind(until);
    adding.execute(&mut **tx).await.map(drop).map_err(Error::at(doing))
}

fn time(text: &str) -> Result<DateTime<Utc>, Error> {
    let read = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    read.map_err(|_| Error::Authority(Fault::Unreadable("a time of the statement")))
}

impl Store {
    /// Writes the rows of statements whose time has come. Returns their authorities.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn apply_due_statements(&self) -> Result<Vec<String>, Error> {
        let doing = "reading statements that take effect";
        let due: Vec<String> = sqlx::query_scalar(DUE).fetch_all(&self.pool).await.map_err(Error::at(doing))?;
        for name in &due {
            let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
            lock(&mut tx, name).await?;
            let tenant = tenant(&mut tx, name).await?;
            let now = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
            if let Some(statement) = in_force(&mut tx, std::slice::from_ref(name), now).await?.remove(name) {
                apply(&mut tx, tenant, &statement, &[]).await?;
            }
            tx.commit().await.map_err(Error::at(doing))?;
        }
        Ok(due)
    }
}
