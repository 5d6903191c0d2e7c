//! Fills the tables for measurements: copies of requests that are over, with their decisions and events.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

/// Requests copied in one transaction.
const PORTION: i64 = 50_000;

// The guards are for what happens; copies of what happened pass beside them, which takes a superuser.
const BESIDE_THE_GUARDS: &str = "set local session_replication_role = replica";
const TEMPLATES: &str = "select id from requests where over_at is not null order by id limit 500";
const REQUESTS: &str = "insert into requests select md5(r.id::text || n)::uuid, content, digest, tenant, 'SR-' || n, service, \
                        resource, requester, duration_seconds, required_approvals, state, version, submitted_at, review_by, \
                        manager, decide_by, access_from, access_until, cause, over_at from generate_series($1::bigint, $2::bigint) as g(n) \
                        join unnest($3::uuid[]) with ordinality as t(id, place) on t.place = 1 + n % cardinality($3::uuid[]) \
                        join requests r on r.id = t.id";
const DECISIONS: &str = "insert into decisions (request, stage, person, side, role, verdict, comment, digest, channel, \
                         duration_seconds, decided_at) select md5(d.request::text || n)::uuid, stage, person, side, role, \
                         verdict, comment, digest, channel, duration_seconds, decided_at from generate_series($1::bigint, $2::bigint) as g(n) \
                         join unnest($3::uuid[]) with ordinality as t(id, place) on t.place = 1 + n % cardinality($3::uuid[]) \
                         join decisions d on d.request = t.id";
const EVENTS: &str = "insert into audit_events (id, at, type, tenant, request, version, service_request, person, text, body) \
                      select gen_random_uuid(), at, type, tenant, md5(a.request::text || n)::uuid, version, 'SR-' || n, person, \
                      text, body from generate_series($1::bigint, $2::bigint) as g(n) \
                      join unnest($3::uuid[]) with ordinality as t(id, place) on t.place = 1 + n % cardinality($3::uuid[]) \
                      join audit_events a on a.request = t.id and a.version is not null";
const STEPS_SINCE: &str = "select count(*) from audit_events where at >= $1 and version is not null";

impl Store {
    /// Adds `count` copies of requests that are over. Only for measurements on a database of their own.
    ///
    /// # Errors
    /// When the database refuses: the login must be a superuser.
    pub async fn multiply(&self, count: i64, mut progress: impl FnMut(i64)) -> Result<(), Error> {
        let doing = "filling the tables";
        let templates: Vec<Uuid> =
            sqlx::query_scalar(TEMPLATES).fetch_all(&self.pool).await.map_err(Error::at(doing))?;
        let mut done = 0;
        while done < count {
            let last = count.min(done + PORTION);
            let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
            sqlx::query(BESIDE_THE_GUARDS).execute(&mut *tx).await.map_err(Error::at(doing))?;
            for statement in [REQUESTS, DECISIONS, EVENTS] {
                let filling = sqlx::query(statement).bind(done + 1).bind(last).bind(&templates);
                filling.execute(&mut *tx).await.map_err(Error::at(doing))?;
            }
            tx.commit().await.map_err(Error::at(doing))?;
            done = last;
            progress(done);
        }
        sqlx::query("vacuum (analyze)").execute(&self.pool).await.map_err(Error::at(doing))?;
        Ok(())
    }

    /// Steps on record since a moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn steps_since(&self, since: DateTime<Utc>) -> Result<i64, Error> {
        let counting = sqlx::query_scalar(STEPS_SINCE).bind(since).fetch_one(&self.pool);
        counting.await.map_err(Error::at("counting steps"))
    }
}
