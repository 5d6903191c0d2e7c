//! Random values that a signed decision contains: each counts once, for two minutes by the database's clock.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Tx;
use crate::error::Error;
use crate::pool::Store;

/// A value that a person may sign in one decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce {
    /// The value.
    pub nonce: String,
    /// The person.
    pub person: Uuid,
    /// The request.
    pub request: Uuid,
    /// The decision must arrive by then.
    pub not_after: DateTime<Utc>,
}

const ISSUE: &str = "insert into signing_nonces (nonce, person, request, not_after) \
                     select $1, $2, r.id, clock_timestamp() + make_interval(secs => $4::double precision) from requests r where r.id = $3 \
                     returning not_after";
const FORGET: &str = "delete from signing_nonces where not_after < clock_timestamp() - interval '1 hour'";
const LOAD: &str =
    "select nonce, person, request, not_after from signing_nonces where nonce = any($1) order by nonce for update";
const USE: &str = "delete from signing_nonces where nonce = any($1)";

/// Loads the nonces that a batch uses, under their locks.
pub(crate) async fn load(tx: &mut Tx, nonces: &[String]) -> Result<HashMap<String, Nonce>, Error> {
    let reading = sqlx::query_as(LOAD).bind(nonces).fetch_all(&mut **tx).await;
    let rows: Vec<(String, Uuid, Uuid, DateTime<Utc>)> = reading.map_err(Error::at("reading nonces"))?;
    let nonce = |(nonce, person, request, not_after): (String, Uuid, Uuid, DateTime<Utc>)| {
        (nonce.clone(), Nonce { nonce, person, request, not_after })
    };
    Ok(rows.into_iter().map(nonce).collect())
}

/// Uses nonces up.
pub(crate) async fn remove(tx: &mut Tx, nonces: &[String]) -> Result<(), Error> {
    if nonces.is_empty() {
        return Ok(());
    }
    let using = sqlx::query(USE).bind(nonces).execute(&mut **tx);
    using.await.map(drop).map_err(Error::at("using nonces up"))
}

impl Store {
    /// Issues a nonce for the decision of a person about a request.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such request, or when the database does not answer.
    pub async fn issue_nonce(&self, person: Uuid, request: Uuid) -> Result<Nonce, Error> {
        let doing = "issuing a nonce";
        sqlx::query(FORGET).execute(&self.pool).await.map_err(Error::at(doing))?;
        let nonce = super::random::text();
        // A whole number far below 2^53.
        let lifetime = f64::from(u16::try_from(consent::NONCE_LIFETIME_SECONDS).unwrap_or_default());
        let issued: Option<DateTime<Utc>> = sqlx::query_scalar(ISSUE)
            .bind(&nonce)
            .bind(person)
            .bind(request)
            .bind(lifetime)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::at(doing))?;
        let not_after = issued.ok_or_else(|| Error::NotFound(request.to_string()))?;
        Ok(Nonce { nonce, person, request, not_after })
    }
}
