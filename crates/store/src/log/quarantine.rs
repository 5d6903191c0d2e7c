//! Events that a verifier would not accept. They get no position in a log, and completeness checks report them.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use super::staged::Staged;
use crate::error::Error;
use crate::pool::Store;

/// An event to quarantine.
#[derive(Debug)]
pub(super) struct Refused {
    event: Staged,
    reason: String,
}

impl Refused {
    pub fn new(event: Staged, reason: String) -> Self {
        Self { event, reason }
    }
}

/// A quarantined event.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Quarantined {
    /// Id of the event.
    pub event: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Tenant's short name; `None` for the operator's log.
    pub tenant: Option<String>,
    /// The request it is about.
    pub request: Option<Uuid>,
    /// Type, such as `grant.used`.
    #[sqlx(rename = "type")]
    pub type_name: String,
    /// Why a verifier would not accept it.
    pub reason: String,
}

const KEEP: &str = "insert into audit_quarantine (event, at, tenant, request, version, type, reason, body) \
                    select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::int[], $6::text[], \
                    $7::text[], $8::bytea[]) on conflict do nothing";
const LIST: &str =
    "select event, at, tenant, request, type, reason from audit_quarantine order by quarantined_at, event limit $1";
const COUNT: &str = "select count(*) from audit_quarantine";
const OF_LOG: &str = "select count(*) from audit_quarantine where tenant is not distinct from $1";

/// Writes the events that a batch refused.
pub(super) async fn write(tx: &mut Transaction<'static, Postgres>, refused: &[Refused]) -> Result<(), Error> {
    if refused.is_empty() {
        return Ok(());
    }
    let events = || refused.iter().map(|one| &one.event);
    let keeping = sqlx::query(KEEP)
        .bind(events().map(|event| event.id).collect::<Vec<_>>())
        .bind(events().map(|event| event.at).collect::<Vec<_>>())
        .bind(events().map(|event| event.tenant.as_deref()).collect::<Vec<_>>())
        .bind(events().map(|event| event.request).collect::<Vec<_>>())
        .bind(events().map(|event| event.version).collect::<Vec<_>>())
        .bind(events().map(|event| event.type_name.as_str()).collect::<Vec<_>>())
        .bind(refused.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>())
        .bind(events().map(|event| event.body.as_slice()).collect::<Vec<_>>());
    keeping.execute(&mut **tx).await.map_err(Error::at("quarantining events"))?;
    Ok(())
}

/// Logs each quarantined event once, when it is written.
pub(super) fn report(refused: &[Refused]) {
    for Refused { event, reason } in refused {
        tracing::error!(
            event = %event.id,
            kind = event.type_name,
            tenant = event.tenant.as_deref().unwrap_or("operator"),
            request = ?event.request,
            reason,
            "event quarantined: a verifier would not accept it, so it gets no position in the audit log"
        );
    }
}

impl Store {
    /// Quarantined events, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn quarantined(&self, limit: i64) -> Result<Vec<Quarantined>, Error> {
        let listing = sqlx::query_as(LIST).bind(limit).fetch_all(&self.pool);
        listing.await.map_err(Error::at("listing quarantined events"))
    }

    /// Number of quarantined events of all logs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn quarantined_count(&self) -> Result<i64, Error> {
        sqlx::query_scalar(COUNT).fetch_one(&self.pool).await.map_err(Error::at("counting quarantined events"))
    }

    /// Number of quarantined events of one log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn quarantined_in(&self, tenant: Option<&str>) -> Result<i64, Error> {
        let counting = sqlx::query_scalar(OF_LOG).bind(tenant).fetch_one(&self.pool);
        counting.await.map_err(Error::at("counting quarantined events"))
    }
}
