//! What the gate asks: who shows this handle, and which of that person's grants are open at this very moment.
//!
//! Deliberately absent: any memory of an answer. One statement, with the database's clock in it, answers each question.

use chrono::{DateTime, Utc};
use contracts::envelope::Message;
use sqlx::FromRow;
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
#[derive(Clone, Debug, FromRow)]
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

/// How somebody with a handle stands towards one tenant's service.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// Whose handle it is; nobody's when absent.
    pub holder: Option<Holder>,
    /// The holder's open grants there, the handle's own first.
    pub open: Vec<OpenGrant>,
}

// One row at least, for the clock. The limit is far above what one person has open with one tenant; what is beyond it is
// refused. A handle counts while its own grant is open; then every open grant of its holder does. What the content
// does not say is read only. Where the tenant asks for proof, what is not proved in its log is not open.
const STANDING: &str = "with holder as ( \
     select h.request, own.service_request, t.name as tenant, h.person, p.name, p.display_name, \
            own.requester = h.person and p.enabled and p.tenant is null and t.enabled \
            and own.state = 'granted' and own.access_from <= clock_timestamp() \
            and clock_timestamp() < own.access_until \
            and (t.witnesses_required is null or access_is_proved(own.id)) as is_open, \
            exists (select from assignments a where a.person = h.person and a.role = 'engineer' \
                    and (a.service is null or a.service = $3)) as may_serve \
     from grant_handles h join requests own on own.id = h.request join people p on p.id = h.person \
     join tenants t on t.id = own.tenant where h.handle_hash = $1) \
     select clock_timestamp() as now, holder.*, grants.* from (select 1) one left join holder on true \
     left join lateral ( \
         select r.id as grant_id, r.service_request as grant_service_request, r.resource, r.access_until, \
                coalesce(convert_from(r.content, 'UTF8')::jsonb ->> 'mode' = 'read_write', false) as may_write \
         from requests r join tenants t on t.id = r.tenant \
         where holder.is_open and holder.may_serve and r.requester = holder.person and t.name = $2 and t.enabled and r.service = $3 \
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

impl Store {
    /// How the holder of a handle stands towards a tenant's service now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn standing(&self, hash: &[u8], tenant: &str, service: &str) -> Result<Standing, Error> {
        let doing = "looking for open access";
        let rows = sqlx::query(STANDING).bind(hash).bind(tenant).bind(service).fetch_all(&self.pool);
        let rows = rows.await.map_err(Error::at(doing))?;
        use sqlx::Row;
        let first = rows.first().ok_or(sqlx::Error::RowNotFound).map_err(Error::at(doing))?;
        let is_known = first.try_get::<Option<Uuid>, _>("request").map_err(Error::at(doing))?.is_some();
        let holder = if is_known { Some(Holder::from_row(first).map_err(Error::at(doing))?) } else { None };
        let is_grant = first.try_get::<Option<Uuid>, _>("grant_id").map_err(Error::at(doing))?.is_some();
        let open = if is_grant { rows.iter().map(OpenGrant::from_row).collect() } else { Ok(Vec::new()) };
        let now = first.try_get("now").map_err(Error::at(doing))?;
        Ok(Standing { now, holder, open: open.map_err(Error::at(doing))? })
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
