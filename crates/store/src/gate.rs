//! What the gate asks: who shows this handle, and which of that person's grants are open at this very moment.
//!
//! Deliberately absent: any memory of an answer. One statement, with the database's clock in it, answers the questions
//! that it was asked with, and no later one.

use chrono::{DateTime, Utc};
use contracts::envelope::Message;
use serde::Deserialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use crate::changes_outbox;
use crate::error::Error;
use crate::pool::Store;

/// Whose handle it is.
#[derive(Clone, Debug, FromRow)]
pub struct Holder {
    /// The grant it was fetched for.
    pub request: Uuid,
    /// Number in the ticketing system.
    pub service_request: String,
    /// Tenant of that grant.
    pub tenant: String,
    /// The engineer.
    pub person: Uuid,
    /// Short name of the engineer.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// Whether that grant is open and the engineer may act.
    pub is_open: bool,
}

/// A grant that is open now.
#[derive(Clone, Debug)]
pub struct OpenGrant {
    /// Its request.
    pub grant_id: Uuid,
    /// Number in the ticketing system.
    pub grant_service_request: String,
    /// What it covers.
    pub resource: String,
    /// Whether the engineer may change something.
    pub may_write: bool,
    /// It is over at this moment.
    pub access_until: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for OpenGrant {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            grant_id: row.try_get("grant_id")?,
            grant_service_request: row.try_get("grant_service_request")?,
            resource: row.try_get("resource")?,
            may_write: may_write(row.try_get("content")?),
            access_until: row.try_get("access_until")?,
        })
    }
}

/// What the content does not say clearly is read only.
fn may_write(content: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Able {
        mode: Option<String>,
    }
    serde_json::from_slice::<Able>(content).is_ok_and(|able| able.mode.as_deref() == Some("read_write"))
}

/// A question: whose handle this is, and what its holder has open at this tenant's service.
#[derive(Clone, Debug)]
pub struct Asked {
    /// SHA-256 of the handle.
    pub handle_hash: [u8; 32],
    /// Short name of the tenant.
    pub tenant: String,
    /// Service.
    pub service: String,
}

/// How somebody with a handle stands towards one tenant's service.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// Whose handle it is; nobody's when absent.
    pub holder: Option<Holder>,
    /// The holder's open grants there, the handle's own first, then those that last longest.
    pub open: Vec<OpenGrant>,
}

// One row at least for each question, for the clock. The limit is far above what one person has open with one tenant;
// what is beyond it is refused. A handle counts while its own grant is open; then every open grant of its holder does.
// Where the tenant asks for proof, what is not proved in its log is not open. Nothing here can fail for one question and
// so for all that are asked with it: contents are read outside.
const STANDINGS: &str = "select asked.place, clock_timestamp() as now, holder.*, grants.* \
     from unnest($1::bytea[], $2::text[], $3::text[]) with ordinality as asked(handle_hash, tenant, service, place) \
     left join lateral ( \
         select h.request, own.service_request, t.name as tenant, h.person, p.name, p.display_name, \
                own.requester = h.person and p.enabled and p.tenant is null and t.enabled \
                and own.state = 'granted' and own.access_from <= clock_timestamp() \
                and clock_timestamp() < own.access_until \
                and (t.witnesses_required is null or access_is_proved(own.id)) as is_open, \
                exists (select from assignments a where a.person = h.person and a.role = 'engineer' \
                        and (a.service is null or a.service = asked.service)) as may_serve \
         from grant_handles h join requests own on own.id = h.request join people p on p.id = h.person \
         join tenants t on t.id = own.tenant where h.handle_hash = asked.handle_hash) holder on true \
     left join lateral ( \
         select r.id as grant_id, r.service_request as grant_service_request, r.resource, r.access_until, r.content \
         from tenants t join requests r on r.tenant = t.id \
         where holder.is_open and holder.may_serve and t.name = asked.tenant and t.enabled \
         and r.requester = holder.person and r.service = asked.service \
         and r.state = 'granted' and r.access_from <= clock_timestamp() and clock_timestamp() < r.access_until \
         and (t.witnesses_required is null or access_is_proved(r.id)) \
         order by r.id = holder.request desc, r.access_until desc limit 200) grants on true";
const ISSUE: &str = "insert into grant_handles (request, handle_hash, person) \
                     select r.id, $2, p.id from requests r join people p on p.id = r.requester \
                     where r.id = $1 and p.name = $3 and p.enabled and r.state = 'granted' \
                     and clock_timestamp() < r.access_until \
                     on conflict (request) do update set handle_hash = excluded.handle_hash, \
                     person = excluded.person, issued_at = clock_timestamp()";
const IS_OPEN: &str = "select exists (select from requests r join people p on p.id = r.requester \
                       join tenants t on t.id = r.tenant where r.id = $1 and r.state = 'granted' and p.enabled and t.enabled \
                       and r.access_from <= clock_timestamp() and clock_timestamp() < r.access_until \
                       and (t.witnesses_required is null or access_is_proved(r.id)))";

/// Puts rows back to their questions. A question without a row is a fault, never an answer.
fn read(rows: &[PgRow], count: usize) -> Result<Vec<Standing>, sqlx::Error> {
    let mut answers: Vec<Option<Standing>> = vec![None; count];
    for row in rows {
        let place: i64 = row.try_get("place")?;
        let place = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
        let answer = place.and_then(|place| answers.get_mut(place)).ok_or(sqlx::Error::RowNotFound)?;
        if answer.is_none() {
            let is_known = row.try_get::<Option<Uuid>, _>("request")?.is_some();
            let holder = if is_known { Some(Holder::from_row(row)?) } else { None };
            *answer = Some(Standing { now: row.try_get("now")?, holder, open: Vec::new() });
        }
        if let (Some(answer), true) = (answer, row.try_get::<Option<Uuid>, _>("grant_id")?.is_some()) {
            answer.open.push(OpenGrant::from_row(row)?);
        }
    }
    answers.into_iter().map(|answer| answer.ok_or(sqlx::Error::RowNotFound)).collect()
}

impl Store {
    /// How the holders of handles stand now: an answer for each question, in their order.
    ///
    /// # Errors
    /// When the database does not answer; then no question is answered.
    pub async fn standings(&self, asked: &[Asked]) -> Result<Vec<Standing>, Error> {
        let doing = "looking for open access";
        let rows = sqlx::query(STANDINGS)
            .bind(asked.iter().map(|asked| &asked.handle_hash[..]).collect::<Vec<_>>())
            .bind(asked.iter().map(|asked| asked.tenant.as_str()).collect::<Vec<_>>())
            .bind(asked.iter().map(|asked| asked.service.as_str()).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await
            .map_err(Error::at(doing))?;
        read(&rows, asked.len()).map_err(Error::at(doing))
    }

    /// Whether a request's access is open now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_open(&self, request: Uuid) -> Result<bool, Error> {
        let asking = sqlx::query_scalar(IS_OPEN).bind(request).fetch_one(&self.pool);
        asking.await.map_err(Error::at("looking whether access is open"))
    }

    /// Keeps the hash of an engineer's handle in place of an earlier one, together with the event that says so; `false`
    /// when this person has no access under this request.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn issue_handle(&self, request: Uuid, hash: &[u8], by: &str, event: &Message) -> Result<bool, Error> {
        let doing = "keeping a handle";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let issued = sqlx::query(ISSUE).bind(request).bind(hash).bind(by).execute(&mut *tx);
        if issued.await.map_err(Error::at(doing))?.rows_affected() == 0 {
            return Ok(false);
        }
        changes_outbox(&mut tx, std::slice::from_ref(event)).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(true)
    }
}
