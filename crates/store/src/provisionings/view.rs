//! Provisionings for pages and commands. Read only.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;
use crate::views::RequestFilter;

/// The provisioning of one grant.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ProvisioningView {
    /// `provisioning`, `active`, `revoking` or `revoked`.
    pub state: String,
    /// The connector that was called.
    pub connector: Option<String>,
    /// Failed attempts in this state.
    pub failures: i32,
    /// When the first of them failed.
    pub first_failed_at: Option<DateTime<Utc>>,
    /// Error of the last one.
    pub last_error: Option<String>,
    /// When access was first read back from the target.
    pub provisioned_at: Option<DateTime<Utc>>,
    /// When revocation was ordered.
    pub revocation_ordered_at: Option<DateTime<Utc>>,
    /// From when the gate denies access.
    pub refused_from: Option<DateTime<Utc>>,
    /// When sessions were terminated.
    pub cut_at: Option<DateTime<Utc>>,
    /// How many sessions were terminated.
    pub sessions_cut: i64,
    /// When the target was read back without access.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Access that is active, is being provisioned, or whose revocation is unconfirmed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AccessView {
    /// The request.
    pub request: Uuid,
    /// Tenant's short name.
    pub tenant: String,
    /// Tenant's display name.
    pub tenant_name: String,
    /// Number in the ticketing system.
    pub service_request: String,
    /// Service.
    pub service: String,
    /// Resource.
    pub resource: String,
    /// Requester's short name.
    pub requester: String,
    /// State of the request.
    pub state: String,
    /// Start of access.
    pub access_from: Option<DateTime<Utc>>,
    /// End of access.
    pub access_until: Option<DateTime<Utc>>,
    /// The exact content.
    pub content: Vec<u8>,
    /// The provisioning's state.
    pub provisioning: String,
    /// Failed attempts.
    pub failures: i32,
    /// When revocation was ordered.
    pub revocation_ordered_at: Option<DateTime<Utc>>,
    /// Error of the last attempt.
    pub last_error: Option<String>,
}

/// Unconfirmed revocations.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct UnconfirmedRevocations {
    /// How many.
    pub count: i64,
    /// Age of the oldest in seconds.
    pub oldest_seconds: f64,
}

const PROVISIONING: &str = "select state, connector, failures, first_failed_at, last_error, provisioned_at, revocation_ordered_at, refused_from, cut_at, \
                    sessions_cut, revoked_at from provisionings where request = $1";
const ACCESSES: &str = "select r.id as request, t.name as tenant, t.display_name as tenant_name, r.service_request, r.service, r.resource, p.name as requester, \
                        r.state, r.access_from, r.access_until, r.content, d.state as provisioning, d.failures, d.revocation_ordered_at, d.last_error \
                        from provisionings d join requests r on r.id = d.request join tenants t on t.id = r.tenant \
                        join people p on p.id = r.requester where d.next_try_at is not null";
// The index requests_same_content has these expressions.
const BESIDE: &str = " and r.state = 'active' and clock_timestamp() < r.access_until and exists (select from requests own \
                      where own.id = $1 and own.id <> r.id and own.tenant = r.tenant and own.service = r.service \
                      and lower(rtrim(own.resource, '/')) = lower(rtrim(r.resource, '/'))) \
                      order by r.access_until, r.id limit 100";
const UNCONFIRMED: &str = "select count(*) as count, \
                       coalesce(extract(epoch from clock_timestamp() - min(revocation_ordered_at)), 0)::float8 as oldest_seconds \
                       from provisionings where state = 'revoking'";
const GRANTS_VERSION: &str = "select count(*), coalesce(sum(hashtext(d.request::text || d.state || (d.failures > 0)::text)::bigint), 0)::bigint \
                     from provisionings d join requests r on r.id = d.request where d.next_try_at is not null \
                     and ($1::text is null or r.tenant = (select id from tenants where name = $1)) \
                     and ($2::text is null or r.requester = (select id from people where name = $2))";

impl Store {
    /// The provisioning of a grant, if there was a grant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn provisioning(&self, request: Uuid) -> Result<Option<ProvisioningView>, Error> {
        sqlx::query_as(PROVISIONING)
            .bind(request)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::at("reading a provisioning"))
    }

    /// Grants that are not confirmed as revoked, with unconfirmed revocations first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn grants(&self, filter: &RequestFilter) -> Result<Vec<AccessView>, Error> {
        let mut query = QueryBuilder::<Postgres>::new(ACCESSES);
        if let Some(tenant) = &filter.tenant {
            query.push(" and r.tenant = (select id from tenants where name = ").push_bind(tenant).push(")");
        }
        if let Some(requester) = &filter.requester {
            query.push(" and r.requester = (select id from people where name = ").push_bind(requester).push(")");
        }
        query
            .push(" order by d.revocation_ordered_at nulls last, d.until_at, d.request limit ")
            .push_bind(filter.limit);
        query.build_query_as().fetch_all(&self.pool).await.map_err(Error::at("listing grants"))
    }

    /// Other active access to the content of this request, of any requester.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn other_access(&self, request: Uuid) -> Result<Vec<AccessView>, Error> {
        let statement = format!("{ACCESSES}{BESIDE}");
        let looking = sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(request).fetch_all(&self.pool);
        looking.await.map_err(Error::at("searching for access to the same content"))
    }

    /// Changes when access becomes active, ends, or is confirmed as revoked.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn grants_version(&self, filter: &RequestFilter) -> Result<(i64, i64), Error> {
        let looking = sqlx::query_as(GRANTS_VERSION).bind(&filter.tenant).bind(&filter.requester).fetch_one(&self.pool);
        looking.await.map_err(Error::at("reading the state of grants"))
    }

    /// Number of unconfirmed revocations, and the age of the oldest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unconfirmed_revocations(&self) -> Result<UnconfirmedRevocations, Error> {
        sqlx::query_as(UNCONFIRMED).fetch_one(&self.pool).await.map_err(Error::at("counting unconfirmed revocations"))
    }
}
