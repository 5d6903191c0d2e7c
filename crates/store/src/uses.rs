//! Access activity, read from the `grant.used` events in the audit log. Read only.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

/// One operation on one part of the content, allowed or refused.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UseView {
    /// Method, such as `GET`.
    pub method: String,
    /// The part of the content.
    pub resource: String,
    /// Whether the gate allowed it.
    pub allowed: bool,
    /// How often.
    pub count: i64,
    /// First time.
    pub first_at: Option<DateTime<Utc>>,
    /// Last time.
    pub last_at: Option<DateTime<Utc>>,
}

const USES: &str = "select coalesce(d->>'method', '') as method, coalesce(d->>'resource', '') as resource, \
                    coalesce((d->>'allowed')::bool, false) as allowed, \
                    coalesce(sum((d->>'count')::bigint), 0)::bigint as count, min((d->>'first_at')::timestamptz) as first_at, \
                    max((d->>'last_at')::timestamptz) as last_at \
                    from audit_events a cross join lateral (select convert_from(a.body, 'UTF8')::jsonb->'data' as d) b \
                    where a.request = $1 and a.type = 'grant.used' group by 1, 2, 3 order by 6 desc nulls last limit 1000";

impl Store {
    /// The access activity of a grant, latest first; at most a thousand rows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn uses(&self, request: Uuid) -> Result<Vec<UseView>, Error> {
        sqlx::query_as(USES).bind(request).fetch_all(&self.pool).await.map_err(Error::at("reading access activity"))
    }
}
