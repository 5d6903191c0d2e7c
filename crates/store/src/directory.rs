//! Tenants, people, roles and rules: read for every batch, written by `lockbox apply`.

use std::collections::HashMap;

use domain::{Assignment, Person, PersonId, Role, Rules, Side, Tenant, TenantId};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::snapshot::Snapshot;

mod apply;
mod look;

pub use apply::Applied;

#[derive(sqlx::FromRow)]
pub(crate) struct PersonRow {
    id: Uuid,
    name: String,
    display_name: String,
    email: String,
    tenant: Option<Uuid>,
    enabled: bool,
    roles: Vec<String>,
    services: Vec<Option<String>>,
}

#[derive(sqlx::FromRow)]
struct TenantRow {
    id: Uuid,
    name: String,
    display_name: String,
    enabled: bool,
    notification_recipients: Vec<String>,
    review_deadline_seconds: i64,
    decision_deadline_seconds: i64,
    access_default_seconds: i64,
    access_ceiling_seconds: i64,
    required_approvals: i32,
    comment_required: bool,
    passkey_required: bool,
    reminders_seconds: Vec<i64>,
}

impl From<PersonRow> for Person {
    fn from(row: PersonRow) -> Self {
        let assignments = row
            .roles
            .iter()
            .zip(row.services)
            .filter_map(|(role, service)| Role::parse(role).map(|role| Assignment { role, service }))
            .collect();
        Self {
            id: PersonId(row.id),
            name: row.name,
            display_name: row.display_name,
            email: row.email,
            side: row.tenant.map_or(Side::Vendor, |tenant| Side::Customer(TenantId(tenant))),
            enabled: row.enabled,
            assignments,
        }
    }
}

impl From<TenantRow> for Tenant {
    fn from(row: TenantRow) -> Self {
        Self {
            id: TenantId(row.id),
            name: row.name,
            display_name: row.display_name,
            enabled: row.enabled,
            notification_recipients: row.notification_recipients,
            rules: Rules {
                review_deadline_seconds: row.review_deadline_seconds,
                decision_deadline_seconds: row.decision_deadline_seconds,
                access_default_seconds: row.access_default_seconds,
                access_ceiling_seconds: row.access_ceiling_seconds,
                required_approvals: row.required_approvals,
                comment_required: row.comment_required,
                passkey_required: row.passkey_required,
                reminders_seconds: row.reminders_seconds,
            },
        }
    }
}

const TENANTS: &str = "select id, name, display_name, enabled, notification_recipients, review_deadline_seconds, \
                       decision_deadline_seconds, access_default_seconds, access_ceiling_seconds, required_approvals, \
                       comment_required, passkey_required, reminders_seconds from tenants where name = any($1)";
// The named people, the people of the requests, the vendor's managers and the tenants' approvers, in one statement.
const PEOPLE: &str = "select p.id, p.name, p.display_name, p.email, p.tenant, p.enabled, \
                      coalesce(array_agg(a.role) filter (where a.role is not null), '{}') as roles, \
                      coalesce(array_agg(a.service) filter (where a.role is not null), '{}') as services \
                      from people p left join current_assignments a on a.person = p.id \
                      where p.name = any($1) or p.id = any($2) \
                      or ($4 and p.id in (select m.person from assignments m join people v on v.id = m.person \
                          where m.role = 'manager' and v.tenant is null)) \
                      or (p.tenant = any($3) and p.id in (select person from current_assignments where role = 'approver')) \
                      group by p.id";
const SERVICES: &str = "select name from services";
const PRODUCERS: &str = "select login, command from producers";

const MAY_SEND: &str = "select exists (select from producers where login = $1 and command = $2)";

impl crate::pool::Store {
    /// Whether a broker login may send a command.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn may_send(&self, login: &str, command: &str) -> Result<bool, Error> {
        sqlx::query_scalar(MAY_SEND)
            .bind(login)
            .bind(command)
            .fetch_one(&self.pool)
            .await
            .map_err(Error::at("reading producers"))
    }
}

/// Loads the people, tenants, services and logins that a batch needs.
pub(crate) async fn load(
    tx: &mut Transaction<'static, Postgres>,
    snapshot: &mut Snapshot,
    names: &[String],
    ids: &[Uuid],
    tenants: &[String],
) -> Result<(), Error> {
    if !tenants.is_empty() {
        let rows: Vec<TenantRow> =
            sqlx::query_as(TENANTS).bind(tenants).fetch_all(&mut **tx).await.map_err(Error::at("reading tenants"))?;
        snapshot.tenants = rows.into_iter().map(|row| (row.name.clone(), row.into())).collect();
        snapshot.services =
            sqlx::query_scalar(SERVICES).fetch_all(&mut **tx).await.map_err(Error::at("reading services"))?;
    }
    if !(names.is_empty() && ids.is_empty() && tenants.is_empty()) {
        let tenant_ids: Vec<Uuid> = snapshot.tenants.values().map(|tenant| tenant.id.0).collect();
        let rows: Vec<PersonRow> = sqlx::query_as(PEOPLE)
            .bind(names)
            .bind(ids)
            .bind(&tenant_ids)
            .bind(!tenants.is_empty())
            .fetch_all(&mut **tx)
            .await
            .map_err(Error::at("reading people"))?;
        let people: Vec<Person> = rows.into_iter().map(Person::from).collect();
        snapshot.managers = people
            .iter()
            .filter(|person| person.side == Side::Vendor && person.has_role(Role::Manager))
            .cloned()
            .collect();
        snapshot.approvers = people.iter().filter(|person| person.has_role(Role::Approver)).cloned().collect();
        snapshot.people = people.into_iter().map(|person| (person.name.clone(), person)).collect::<HashMap<_, _>>();
    }
    let producers: Vec<(String, String)> =
        sqlx::query_as(PRODUCERS).fetch_all(&mut **tx).await.map_err(Error::at("reading producers"))?;
    snapshot.producers = producers.into_iter().collect();
    Ok(())
}
