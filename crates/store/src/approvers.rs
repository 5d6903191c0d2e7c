//! The approvers of a tenant: the rules that its own approvers set, and the roles that follow from them.

use std::collections::BTreeSet;

use contracts::directory::ApproverRules;
use contracts::envelope::Message;
use domain::Person;
use sqlx::types::Json;
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::directory::PersonRow;
use crate::error::Error;
use crate::pool::Store;
use crate::receipts::{self, By};
use crate::settings::tenant_of;

type Tx = Transaction<'static, Postgres>;

const READ: &str = "select approver_rules from tenants where id = $1";
const STAFF: &str = "select p.id, p.name, p.display_name, p.email, p.tenant, p.enabled, \
                     coalesce(array_agg(a.role) filter (where a.role is not null), '{}') as roles, \
                     coalesce(array_agg(a.service) filter (where a.role is not null), '{}') as services \
                     from people p left join current_assignments a on a.person = p.id where p.tenant = $1 and p.enabled \
                     group by p.id order by p.display_name, p.id";
const LOCK: &str = "select id from tenants where id = $1 for update";
const HELD: &str = "select p.name, a.service from assignments a join people p on p.id = a.person \
                    where p.tenant = $1 and a.role = 'approver' order by p.name, a.service nulls first";
const DROP: &str =
    "delete from assignments a using people p where p.id = a.person and p.tenant = $1 and a.role = 'approver'";
const GIVE: &str = "insert into assignments (person, role, service) \
                    select p.id, 'approver', g.service from unnest($2::text[], $3::text[]) as g(name, service) \
                    join people p on p.name = g.name and p.tenant = $1";
const KEEP: &str = "update tenants set approver_rules = $2, approver_rules_owner = 'customer' where id = $1";
const OPERATOR: &str = "update tenants set approver_rules = $2 where id = $1 and approver_rules_owner = 'operator'";
const CUSTOMER: &str = "select approver_rules from tenants where id = $1 and approver_rules_owner = 'customer'";

/// Approver roles: a person's name and the service; `None` is every service.
type ApproverRoles = Vec<(String, Option<String>)>;

impl Store {
    /// The approver rules of a tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn approver_rules(&self, tenant: Uuid) -> Result<ApproverRules, Error> {
        let reading = sqlx::query_scalar(READ).bind(tenant).fetch_one(&self.pool).await;
        let set: Option<Json<ApproverRules>> = reading.map_err(Error::at("reading the approver rules"))?;
        Ok(set.map(|Json(set)| set).unwrap_or_default())
    }

    /// The enabled people of a tenant, with their roles.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn people_of(&self, tenant: Uuid) -> Result<Vec<Person>, Error> {
        let reading = sqlx::query_as(STAFF).bind(tenant).fetch_all(&self.pool).await;
        let rows: Vec<PersonRow> = reading.map_err(Error::at("reading a tenant's people"))?;
        Ok(rows.into_iter().map(Person::from).collect())
    }

    /// Sets the approver rules of a person's own tenant. They also apply to pending requests. Returns the messages
    /// to publish.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn change_approvers(&self, by: By<'_>, set: &ApproverRules) -> Result<Vec<Message>, Error> {
        let doing = "changing the approver rules";
        let tenant = tenant_of(by.person)?;
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        crate::authority::refuse_if_founded(&mut tx, tenant).await?;
        sqlx::query(LOCK).bind(tenant).execute(&mut *tx).await.map_err(Error::at(doing))?;
        let before = approver_roles(&mut tx, tenant).await?;
        // People who lose the role are notified too.
        let deciding = receipts::recipients(&mut tx, Some(tenant)).await?;
        sqlx::query(DROP).bind(tenant).execute(&mut *tx).await.map_err(Error::at(doing))?;
        let pairs = set.assignments().into_iter();
        let pairs = pairs.flat_map(|(name, services)| services.into_iter().map(move |only| (name.clone(), only)));
        let (names, services): (Vec<String>, Vec<Option<String>>) = pairs.unzip();
        let giving = sqlx::query(GIVE).bind(tenant).bind(names).bind(services);
        giving.execute(&mut *tx).await.map_err(Error::at(doing))?;
        sqlx::query(KEEP).bind(tenant).bind(Json(set)).execute(&mut *tx).await.map_err(Error::at(doing))?;
        let after = approver_roles(&mut tx, tenant).await?;
        self.commit_change(tx, tenant, by, changes(&before, &after), deciding).await
    }
}

async fn approver_roles(tx: &mut Tx, tenant: Uuid) -> Result<ApproverRoles, Error> {
    let reading = sqlx::query_as(HELD).bind(tenant).fetch_all(&mut **tx).await;
    reading.map_err(Error::at("reading the approvers"))
}

/// What changed, one sentence per person.
fn changes(before: &ApproverRoles, after: &ApproverRoles) -> Vec<String> {
    let of = |held: &ApproverRoles, name: &str| {
        let services = held.iter().filter(|(who, _)| who == name);
        let services: Vec<&str> = services.map(|(_, only)| only.as_deref().unwrap_or("all services")).collect();
        if services.is_empty() { "no service".to_owned() } else { services.join(" ") }
    };
    let names: BTreeSet<&String> = before.iter().chain(after).map(|(name, _)| name).collect();
    let changed = names.into_iter().map(|name| (name, of(before, name), of(after, name)));
    let changed = changed.filter(|(_, before, after)| before != after);
    changed.map(|(name, before, after)| format!("{name} approves for: {before} -> {after}")).collect()
}

/// The approver rules that apply when a directory file is applied: those of the file, unless the customer has set its own.
pub(crate) async fn effective_rules(tx: &mut Tx, tenant: Uuid, file: ApproverRules) -> Result<ApproverRules, Error> {
    let doing = "applying the approver rules";
    let own = sqlx::query_scalar(CUSTOMER).bind(tenant).fetch_optional(&mut **tx).await;
    let own: Option<Json<ApproverRules>> = own.map_err(Error::at(doing))?;
    if let Some(Json(set)) = own {
        return Ok(set);
    }
    sqlx::query(OPERATOR).bind(tenant).bind(Json(&file)).execute(&mut **tx).await.map_err(Error::at(doing))?;
    Ok(file)
}
