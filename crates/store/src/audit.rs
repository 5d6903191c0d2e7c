//! The audit log: the audit role appends events, people search it.

use chrono::{DateTime, Utc};
use contracts::envelope::canonical;
use contracts::events::Indexed;
use contracts::words::FIELDS;
use serde_json::Value;
use sqlx::Postgres;
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;
use crate::texts::REDACTED;
use crate::write_set::{DeadLetter, WriteSet};

mod search;

pub use search::Found;

/// One event in the audit log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AuditRow {
    /// Id.
    pub id: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Type, such as `request.submitted`.
    #[sqlx(rename = "type")]
    pub type_name: String,
    /// Tenant.
    pub tenant: Option<String>,
    /// Request.
    pub request: Option<Uuid>,
    /// Version of the request.
    pub version: Option<i32>,
    /// Number in the ticketing system.
    pub service_request: Option<String>,
    /// Name of the person.
    pub person: Option<String>,
    /// The event, including what people wrote unless it is redacted. The exact bytes are those of the entry.
    pub body: Vec<u8>,
}

/// Position of an event in the order of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Version of the request; -1 without one.
    pub version: i32,
    /// Id.
    pub id: Uuid,
}

impl AuditRow {
    /// Position of this event.
    pub fn place(&self) -> Place {
        Place { at: self.at, version: self.version.unwrap_or(-1), id: self.id }
    }
}

/// Times that a cursor may contain, in microseconds: 1970 to 2286. Postgres cannot represent times far beyond.
pub const MICROSECONDS: std::ops::Range<i64> = 0..10_000_000_000_000_000;

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.at.timestamp_micros(), self.version, self.id.simple())
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(());
        let micros = next()?.parse().map_err(drop)?;
        if !MICROSECONDS.contains(&micros) {
            return Err(());
        }
        let (version, id) = (next()?.parse().map_err(drop)?, next()?.parse().map_err(drop)?);
        let place = Self { at: DateTime::from_timestamp_micros(micros).ok_or(())?, version, id };
        // Each position has exactly one notation; other notations are refused.
        if place.to_string() == text { Ok(place) } else { Err(()) }
    }
}

/// The conditions of a search; all that are given must match.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Request id.
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    pub service_request: Option<String>,
    /// Short name of a person.
    pub person: Option<String>,
    /// Short name of a tenant.
    pub tenant: Option<String>,
    /// Type, or its prefix (`request.`).
    pub type_name: Option<String>,
    /// Id of the message that caused it.
    pub cause: Option<String>,
    /// Words in justifications, comments and messages.
    pub text: Option<String>,
    /// Not before.
    pub since: Option<DateTime<Utc>>,
    /// Before.
    pub until: Option<DateTime<Utc>>,
    /// Only events after this position in the order of the search.
    pub after: Option<Place>,
    /// At most this many.
    pub limit: i64,
}

// Events that are already recorded are not staged again: every event gets one position in a log.
const APPEND: &str = "with added as (insert into audit_events (id, at, type, tenant, request, version, service_request, \
                      person, text, body, cause) \
                      select * from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::int[], \
                      $7::text[], $8::text[], $9::text[], $10::bytea[], $11::text[]) \
                      on conflict (id, at) do nothing returning id, at, request, version) \
                      insert into audit_staged (id, at, request, version) select id, at, request, version from added";
const CLAIMED: &str = "select u.request from unnest($1::uuid[], $2::uuid[], $3::int[]) as u(id, request, version) \
                       join audit_entries e on e.request = u.request and e.version = u.version \
                       where e.event <> u.id limit 1";
const EVENT: &str = "select id, at, recorded_at, type, tenant, request, version, service_request, person, body \
                     from audit_events where id = $1";
const TEXTS: &str = "select event, field, text from texts where event = any($1)";
const COUNT: &str = "select count(*) from audit_events";
// A stream's version is that of its last step, and steps get consecutive positions.
const GAPS: &str = "select r.id from requests r where not exists (select from audit_streams s where s.stream = r.id \
                    and s.version = r.version) limit $1";
const STEPS: &str = "select coalesce(sum(version), 0)::bigint from requests";
const STEPS_AUDITED: &str = "select coalesce(sum(version), 0)::bigint from audit_streams";

/// Records events and stages them for their position in a log.
pub(crate) async fn record(
    tx: &mut sqlx::Transaction<'static, Postgres>,
    events: &[(Indexed, &[u8])],
) -> Result<(), Error> {
    let doing = "appending to the audit log";
    if events.is_empty() {
        return Ok(());
    }
    let index = || events.iter().map(|(index, _)| index);
    let steps = || index().filter(|index| index.version.is_some());
    let claimed: Option<Option<Uuid>> = sqlx::query_scalar(CLAIMED)
        .bind(steps().map(|index| index.id).collect::<Vec<_>>())
        .bind(steps().map(|index| index.request).collect::<Vec<_>>())
        .bind(steps().map(|index| index.version).collect::<Vec<_>>())
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    if let Some(request) = claimed.flatten() {
        return Err(Error::StepRecorded { request });
    }
    sqlx::query(APPEND)
        .bind(index().map(|index| index.id).collect::<Vec<_>>())
        .bind(index().map(|index| index.at).collect::<Vec<_>>())
        .bind(index().map(|index| index.type_name.as_str()).collect::<Vec<_>>())
        .bind(index().map(|index| index.tenant.as_deref()).collect::<Vec<_>>())
        .bind(index().map(|index| index.request).collect::<Vec<_>>())
        .bind(index().map(|index| index.version).collect::<Vec<_>>())
        .bind(index().map(|index| index.service_request.as_deref()).collect::<Vec<_>>())
        .bind(index().map(|index| index.person.as_deref()).collect::<Vec<_>>())
        .bind(index().map(|index| index.text.as_deref()).collect::<Vec<_>>())
        .bind(events.iter().map(|(_, body)| *body).collect::<Vec<_>>())
        .bind(index().map(|index| index.cause.as_deref()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    Ok(())
}

impl Store {
    /// Fills in the texts that events commit to, for readers.
    pub(crate) async fn fill_in_texts(&self, events: &mut [AuditRow]) -> Result<(), Error> {
        let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
        let texts: Vec<(Uuid, String, Option<String>)> =
            sqlx::query_as(TEXTS).bind(ids).fetch_all(&self.pool).await.map_err(Error::at("reading texts"))?;
        for event in events {
            let of_event = || texts.iter().filter(|(id, _, _)| *id == event.id);
            if of_event().next().is_none() {
                continue;
            }
            let Ok(mut document) = serde_json::from_slice::<Value>(&event.body) else { continue };
            for (_, field, text) in of_event().filter(|(_, field, _)| FIELDS.contains(&field.as_str())) {
                document["data"][field] = text.as_deref().unwrap_or(REDACTED).into();
            }
            event.body = canonical(&document);
        }
        Ok(())
    }

    /// Appends a batch of events; events that are already recorded are skipped. Also stores dead-letter messages.
    ///
    /// # Errors
    /// When the database refuses or does not answer; then nothing was written.
    pub async fn append(
        &self,
        events: &[(Indexed, &[u8])],
        dead_letter: Vec<DeadLetter>,
        changes: WriteSet,
    ) -> Result<(), Error> {
        let doing = "appending to the audit log";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        record(&mut tx, events).await?;
        crate::insert_dead_letters(&mut tx, &dead_letter).await?;
        crate::insert_outbox(&mut tx, &changes.messages).await?;
        crate::delete_outbox(&mut tx, "audit", &changes.consumed).await?;
        tx.commit().await.map_err(Error::at(doing))
    }

    /// One event.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when the database does not answer.
    pub async fn audit_event(&self, id: Uuid) -> Result<AuditRow, Error> {
        let row: Option<AuditRow> =
            sqlx::query_as(EVENT).bind(id).fetch_optional(&self.pool).await.map_err(Error::at("reading an event"))?;
        let mut found: Vec<AuditRow> = row.into_iter().collect();
        self.fill_in_texts(&mut found).await?;
        found.pop().ok_or_else(|| Error::NotFound(id.to_string()))
    }

    /// Number of recorded events.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_count(&self) -> Result<i64, Error> {
        sqlx::query_scalar(COUNT).fetch_one(&self.pool).await.map_err(Error::at("counting the audit log"))
    }

    /// Number of steps of all requests, and number of steps in the audit log. They are equal when nothing is missing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn steps(&self) -> Result<(i64, i64), Error> {
        let doing = "counting steps";
        let steps = sqlx::query_scalar(STEPS).fetch_one(&self.pool).await.map_err(Error::at(doing))?;
        let audited = sqlx::query_scalar(STEPS_AUDITED).fetch_one(&self.pool).await.map_err(Error::at(doing))?;
        Ok((steps, audited))
    }

    /// Requests whose steps are not all in the log yet. Scans all requests.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn audit_gaps(&self, limit: i64) -> Result<Vec<Uuid>, Error> {
        sqlx::query_scalar(GAPS)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::at("searching for missing steps"))
    }
}
