//! Lookups for the gate: which grant an access token belongs to, and whether that grant is active now.
//!
//! Deliberately absent: any cache. One statement, with the database's clock in it, answers only the checks that it was
//! sent for.

use chrono::{DateTime, Utc};
use contracts::envelope::Message;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use crate::error::Error;
use crate::insert_outbox;
use crate::pool::Store;

/// The grant of an access token, in its current state.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its request.
    pub request: Uuid,
    /// Number in the ticketing system.
    pub service_request: String,
    /// Short name of its tenant.
    pub tenant: String,
    /// Its service.
    pub service: String,
    /// The resource that it covers.
    pub resource: String,
    /// Whether the requester may change content.
    pub may_write: bool,
    /// End of access.
    pub access_until: Option<DateTime<Utc>>,
    /// The requester.
    pub person: Uuid,
    /// Short name of the requester.
    pub name: String,
    /// Display name of the requester.
    pub display_name: String,
    /// Whether access is active and the requester may use it.
    pub is_open: bool,
    /// Whether the tenant has an authority of its own.
    pub is_founded: bool,
}

impl FromRow<'_, PgRow> for Grant {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            request: row.try_get("request")?,
            service_request: row.try_get("service_request")?,
            tenant: row.try_get("tenant")?,
            service: row.try_get("service")?,
            resource: row.try_get("resource")?,
            may_write: domain::allows_writing(row.try_get("content")?),
            access_until: row.try_get("access_until")?,
            person: row.try_get("person")?,
            name: row.try_get("name")?,
            display_name: row.try_get("display_name")?,
            is_open: row.try_get::<Option<bool>, _>("is_open")?.unwrap_or(false),
            is_founded: row.try_get("is_founded")?,
        })
    }
}

/// SHA-256 of an access token.
pub type TokenHash = [u8; 32];

/// Result of a lookup of an access token.
#[derive(Clone, Debug)]
pub struct TokenStatus {
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// The grant of the token; `None` when the token is unknown.
    pub grant: Option<Grant>,
}

// One row per token, for the clock. A token is valid only for its own grant: not for another grant of the same requester,
// nor at another tenant or service. Where the tenant requires proof, access without proof in its log is not open. No single
// token can make the statement fail for all: contents are parsed outside.
const STANDINGS: &str = include_str!("gate/standings.sql");
const ISSUE: &str = "insert into access_tokens (request, token_hash, person) \
                     select r.id, $2, p.id from requests r join people p on p.id = r.requester \
                     where r.id = $1 and p.name = $3 and p.enabled and r.state = 'active' \
                     and clock_timestamp() < r.access_until \
                     on conflict (request) do update set token_hash = excluded.token_hash, \
                     person = excluded.person, issued_at = clock_timestamp()";
const OPEN_GRANT: &str = include_str!("gate/open_grant.sql");
const FOUNDED: &str = "select name from tenants where is_founded(id) order by name";
const IS_FOUNDED: &str = "select coalesce((select is_founded(id) from tenants where name = $1), false)";

/// Matches rows to their tokens. A token without a row is an error, never an answer.
fn read(rows: &[PgRow], count: usize) -> Result<Vec<TokenStatus>, sqlx::Error> {
    let mut answers: Vec<Option<TokenStatus>> = vec![None; count];
    for row in rows {
        let place: i64 = row.try_get("place")?;
        let place = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
        let answer = place.and_then(|place| answers.get_mut(place)).ok_or(sqlx::Error::RowNotFound)?;
        let is_known = row.try_get::<Option<Uuid>, _>("request")?.is_some();
        let grant = if is_known { Some(Grant::from_row(row)?) } else { None };
        *answer = Some(TokenStatus { now: row.try_get("now")?, grant });
    }
    answers.into_iter().map(|answer| answer.ok_or(sqlx::Error::RowNotFound)).collect()
}

impl Store {
    /// Looks up access tokens. Returns one result per token, in their order.
    ///
    /// # Errors
    /// When the database does not answer; then no token has a result.
    pub async fn token_statuses(&self, asked: &[TokenHash]) -> Result<Vec<TokenStatus>, Error> {
        let doing = "looking up access tokens";
        let rows = sqlx::query(STANDINGS)
            .bind(asked.iter().map(|hash| &hash[..]).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await
            .map_err(Error::at(doing))?;
        read(&rows, asked.len()).map_err(Error::at(doing))
    }

    /// The grant of a request with the database's clock, when its access is active now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_grant(&self, request: Uuid) -> Result<Option<(DateTime<Utc>, Grant)>, Error> {
        let doing = "checking whether access is active";
        let row = sqlx::query(OPEN_GRANT).bind(request).fetch_optional(&self.pool).await.map_err(Error::at(doing))?;
        let read = |row: PgRow| Ok((row.try_get("now")?, Grant::from_row(&row)?));
        row.map(read).transpose().map_err(Error::at(doing))
    }

    /// Whether a tenant has an authority of its own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_founded(&self, tenant: &str) -> Result<bool, Error> {
        let asking = sqlx::query_scalar(IS_FOUNDED).bind(tenant).fetch_one(&self.pool);
        asking.await.map_err(Error::at("checking whether a tenant has an authority"))
    }

    /// Short names of the tenants that have an authority of their own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn founded_tenants(&self) -> Result<Vec<String>, Error> {
        let asking = sqlx::query_scalar(FOUNDED).fetch_all(&self.pool);
        asking.await.map_err(Error::at("reading which tenants have an authority"))
    }

    /// Stores the hash of a requester's access token in place of an earlier one, together with its event; `false`
    /// when this person has no active access under this request.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn issue_token(&self, request: Uuid, hash: &[u8], by: &str, event: &Message) -> Result<bool, Error> {
        let doing = "storing an access token";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let issued = sqlx::query(ISSUE).bind(request).bind(hash).bind(by).execute(&mut *tx);
        if issued.await.map_err(Error::at(doing))?.rows_affected() == 0 {
            return Ok(false);
        }
        insert_outbox(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(true)
    }
}
