//! People and tenants for pages. Read only.

use domain::{Person, Tenant};
use uuid::Uuid;

use super::{PersonRow, TenantRow};
use crate::error::Error;
use crate::pool::Store;

const PERSON: &str = "select p.id, p.name, p.display_name, p.email, p.tenant, p.enabled, \
                      coalesce(array_agg(a.role) filter (where a.role is not null), '{}') as roles, \
                      coalesce(array_agg(a.service) filter (where a.role is not null), '{}') as services \
                      from people p left join current_assignments a on a.person = p.id where p.id = $1 group by p.id";
const EVERYBODY: &str = "select p.id, p.name, p.display_name, p.email, p.tenant, p.enabled, \
                         coalesce(array_agg(a.role) filter (where a.role is not null), '{}') as roles, \
                         coalesce(array_agg(a.service) filter (where a.role is not null), '{}') as services \
                         from people p left join current_assignments a on a.person = p.id where p.enabled group by p.id \
                         order by p.tenant nulls first, p.name limit 500";
const ALL_TENANTS: &str = "select id, name, display_name, enabled, notification_recipients, review_deadline_seconds, \
                           decision_deadline_seconds, access_default_seconds, access_ceiling_seconds, required_approvals, \
                           comment_required, passkey_required, reminders_seconds from tenants where enabled order by name limit 1000";
const MANAGERS: &str = "select p.id, p.name, p.display_name, p.email, p.tenant, p.enabled, \
                        array_agg(a.role) as roles, array_agg(a.service) as services \
                        from people p join current_assignments a on a.person = p.id \
                        where p.tenant is null and p.enabled and a.role = 'manager' group by p.id order by p.display_name, p.id";
const SERVICE_NAMES: &str = "select name from services order by name";

impl Store {
    /// A person.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn person(&self, id: Uuid) -> Result<Option<Person>, Error> {
        let row: Option<PersonRow> =
            sqlx::query_as(PERSON).bind(id).fetch_optional(&self.pool).await.map_err(Error::at("reading a person"))?;
        Ok(row.map(Person::from))
    }

    /// All enabled people, the vendor's first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enabled_people(&self) -> Result<Vec<Person>, Error> {
        let rows: Vec<PersonRow> =
            sqlx::query_as(EVERYBODY).fetch_all(&self.pool).await.map_err(Error::at("reading people"))?;
        Ok(rows.into_iter().map(Person::from).collect())
    }

    /// The vendor's enabled managers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn managers(&self) -> Result<Vec<Person>, Error> {
        let rows: Vec<PersonRow> =
            sqlx::query_as(MANAGERS).fetch_all(&self.pool).await.map_err(Error::at("reading the managers"))?;
        Ok(rows.into_iter().map(Person::from).collect())
    }

    /// Enabled tenants.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        let rows: Vec<TenantRow> =
            sqlx::query_as(ALL_TENANTS).fetch_all(&self.pool).await.map_err(Error::at("reading tenants"))?;
        Ok(rows.into_iter().map(Tenant::from).collect())
    }

    /// The services of this deployment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn services(&self) -> Result<Vec<String>, Error> {
        sqlx::query_scalar(SERVICE_NAMES).fetch_all(&self.pool).await.map_err(Error::at("reading services"))
    }
}
