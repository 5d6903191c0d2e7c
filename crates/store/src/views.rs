//! Requests for lists and pages. Read only.

use chrono::{DateTime, Utc};
use domain::{Content, Digest};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

/// A request in a list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RequestView {
    /// Id.
    pub id: Uuid,
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
    /// State.
    pub state: String,
    /// Events so far.
    pub version: i32,
    /// Cause of the end, or stage of the expiry.
    pub cause: Option<String>,
    /// Requested seconds.
    pub duration_seconds: i64,
    /// Submitted.
    pub submitted_at: DateTime<Utc>,
    /// Deadline of the vendor review.
    pub review_deadline: DateTime<Utc>,
    /// Deadline of the customer's decision.
    pub decision_deadline: Option<DateTime<Utc>>,
    /// Start of access.
    pub access_from: Option<DateTime<Utc>>,
    /// End of access.
    pub access_until: Option<DateTime<Utc>>,
    /// When it reached a final state.
    pub finished_at: Option<DateTime<Utc>>,
    /// The document whose digest decisions name. It contains the commitment to the justification.
    pub content: Vec<u8>,
    /// The justification; absent when it is redacted.
    pub justification: Option<String>,
    /// Salt of the commitment to the justification; absent when it is redacted.
    pub justification_salt: Option<Vec<u8>>,
    /// SHA-256 of the bytes that approvers saw.
    #[sqlx(rename = "digest")]
    stored_digest: Vec<u8>,
}

impl RequestView {
    /// The content, read from its bytes, with the justification; `None` when one of them was changed.
    pub fn content(&self) -> Option<Content> {
        let words = self.justification.as_deref().zip(self.justification_salt.as_deref());
        Content::from_bytes(&self.content)?.with_justification(words)
    }

    /// Digest of the content's bytes, which decisions name.
    pub fn digest(&self) -> Digest {
        // The database refuses digests that are not 32 bytes long.
        Digest(<[u8; 32]>::try_from(self.stored_digest.as_slice()).unwrap_or_default())
    }
}

/// A decision for people to read.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DecisionView {
    /// `vendor` or `customer`.
    pub stage: String,
    /// Short name.
    pub person: String,
    /// Display name.
    pub display_name: String,
    /// `approve` or `deny`.
    pub verdict: String,
    /// Comment.
    pub comment: Option<String>,
    /// Channel.
    pub channel: String,
    /// Whether a passkey signed it.
    pub signed: bool,
    /// When.
    pub decided_at: DateTime<Utc>,
}

/// Conditions of a list.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// Tenant's short name.
    pub tenant: Option<String>,
    /// State.
    pub state: Option<String>,
    /// Number in the ticketing system.
    pub service_request: Option<String>,
    /// Requester's short name.
    pub requester: Option<String>,
    /// Only requests that are not in a final state.
    pub open: bool,
    /// Only ended break-glass access that still needs a review.
    pub owed: bool,
    /// Only requests after this position of the list: submission time, id.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    /// At most this many.
    pub limit: i64,
}

const COLUMNS: &str = "select r.id, t.name as tenant, t.display_name as tenant_name, r.service_request, r.service, r.resource, p.name as requester, \
                       r.state, r.version, r.cause, r.duration_seconds, r.submitted_at, r.review_deadline, r.decision_deadline, \
                       r.access_from, r.access_until, r.finished_at, r.content, r.digest, r.justification, r.justification_salt \
                       from requests r join tenants t on t.id = r.tenant join people p on p.id = r.requester where true";
const SHOW: &str = "select r.id, t.name as tenant, t.display_name as tenant_name, r.service_request, r.service, r.resource, p.name as requester, r.state, \
                    r.version, r.cause, r.duration_seconds, r.submitted_at, r.review_deadline, r.decision_deadline, r.access_from, \
                    r.access_until, r.finished_at, r.content, r.digest, r.justification, r.justification_salt \
                    from requests r join tenants t on t.id = r.tenant join people p on p.id = r.requester where r.id = $1";
const DECISIONS: &str = "select d.stage, p.name as person, p.display_name, d.verdict, \
                         case when d.comment_redacted_at is null then d.comment else '(redacted)' end as comment, d.channel, \
                         d.signature is not null as signed, d.decided_at \
                         from decisions d join people p on p.id = d.person where d.request = $1 order by d.decided_at";
const REQUEST_VERSION: &str = "select r.version, (select count(*) from audit_events a where a.request = r.id) \
                     + coalesce((select failures from provisionings d where d.request = r.id), 0) from requests r where r.id = $1";
const OPEN_REQUESTS_VERSION: &str = "select count(*), coalesce(sum(version), 0)::bigint from requests where finished_at is null \
                          and ($1::text is null or tenant = (select id from tenants where name = $1)) \
                          and ($2::text is null or requester = (select id from people where name = $2))";
const COUNTS: &str = "select state, count(*) from requests group by state order by state";

impl Store {
    /// Requests that match, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_requests(&self, filter: &RequestFilter) -> Result<Vec<RequestView>, Error> {
        // Only the given conditions, so that each list uses its index.
        let mut query = QueryBuilder::<Postgres>::new(COLUMNS);
        if let Some(tenant) = &filter.tenant {
            query.push(" and r.tenant = (select id from tenants where name = ").push_bind(tenant).push(")");
        }
        if let Some(state) = &filter.state {
            query.push(" and r.state = ").push_bind(state);
        }
        if let Some(number) = &filter.service_request {
            query.push(" and r.service_request = ").push_bind(number);
        }
        if let Some(requester) = &filter.requester {
            query.push(" and r.requester = (select id from people where name = ").push_bind(requester).push(")");
        }
        if filter.open {
            query.push(" and r.finished_at is null");
        }
        if filter.owed {
            query.push(
                " and r.state = 'ended' and r.id in (select request from break_glass_uses where reviewed_at is null)",
            );
        }
        if let Some((submitted_at, id)) = filter.after {
            query.push(" and (r.submitted_at, r.id) < (").push_bind(submitted_at).push(", ").push_bind(id).push(")");
        }
        query.push(" order by r.submitted_at desc, r.id desc limit ").push_bind(filter.limit);
        query.build_query_as().fetch_all(&self.pool).await.map_err(Error::at("listing requests"))
    }

    /// One request.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when the database does not answer.
    pub async fn show_request(&self, id: Uuid) -> Result<RequestView, Error> {
        let row: Option<RequestView> =
            sqlx::query_as(SHOW).bind(id).fetch_optional(&self.pool).await.map_err(Error::at("reading a request"))?;
        row.ok_or_else(|| Error::NotFound(id.to_string()))
    }

    /// The decisions on a request, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn decisions(&self, id: Uuid) -> Result<Vec<DecisionView>, Error> {
        sqlx::query_as(DECISIONS).bind(id).fetch_all(&self.pool).await.map_err(Error::at("reading decisions"))
    }

    /// Version of a request and number of its recorded events: changes when there is something new to show.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when the database does not answer.
    pub async fn request_version(&self, id: Uuid) -> Result<(i32, i64), Error> {
        let row = sqlx::query_as(REQUEST_VERSION)
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::at("reading the state of a request"))?;
        row.ok_or_else(|| Error::NotFound(id.to_string()))
    }

    /// Number of open requests of a tenant or a requester and the sum of their versions: changes when one of them changes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_requests_version(&self, filter: &RequestFilter) -> Result<(i64, i64), Error> {
        let looking =
            sqlx::query_as(OPEN_REQUESTS_VERSION).bind(&filter.tenant).bind(&filter.requester).fetch_one(&self.pool);
        looking.await.map_err(Error::at("reading the state of open requests"))
    }

    /// Number of requests in each state.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn request_counts(&self) -> Result<Vec<(String, i64)>, Error> {
        sqlx::query_as(COUNTS).fetch_all(&self.pool).await.map_err(Error::at("counting requests"))
    }
}
