//! Test data for benchmarks: copies of finished requests, with their decisions and events. It is part of the store because
//! only the store may use sqlx.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

pub mod log;

/// Requests per transaction.
const PORTION: i64 = 50_000;
/// The copies are distributed over one year, in microseconds.
const YEAR_MICROSECONDS: i64 = 365 * 86_400 * 1_000_000;

// The guards check real steps; copies bypass them, which needs a superuser.
const BESIDE_THE_GUARDS: &str = "set local session_replication_role = replica";
const TEMPLATES: &str = "select id from requests where finished_at is not null order by id limit 500";
// The copies are at most a year old, one after the other.
const REQUESTS: &str = "insert into requests select md5(r.id::text || n)::uuid, content, digest, tenant, 'SR-' || n, service, \
                        resource, requester, duration_seconds, required_approvals, state, version, \
                        submitted_at - n * $4::interval, review_deadline, \
                        manager, decision_deadline, access_from, access_until, cause, finished_at from generate_series($1::bigint, $2::bigint) as g(n) \
                        join unnest($3::uuid[]) with ordinality as t(id, place) on t.place = 1 + n % cardinality($3::uuid[]) \
                        join requests r on r.id = t.id";
const DECISIONS: &str = "insert into decisions (request, stage, person, side, role, verdict, comment, digest, channel, \
                         duration_seconds, decided_at) select md5(d.request::text || n)::uuid, stage, person, side, role, \
                         verdict, comment, digest, channel, duration_seconds, decided_at - n * $4::interval from generate_series($1::bigint, $2::bigint) as g(n) \
                         join unnest($3::uuid[]) with ordinality as t(id, place) on t.place = 1 + n % cardinality($3::uuid[]) \
                         join decisions d on d.request = t.id";
const EVENTS: &str = "insert into audit_events (id, at, type, tenant, request, version, service_request, person, text, body) \
                      select md5(a.id::text || n)::uuid, at - n * $4::interval, type, tenant, md5(a.request::text || n)::uuid, version, 'SR-' || n, person, \
                      text || ' SR-' || n, body from generate_series($1::bigint, $2::bigint) as g(n) \
                      join unnest($3::uuid[]) with ordinality as t(id, place) on t.place = 1 + n % cardinality($3::uuid[]) \
                      join audit_events a on a.request = t.id and a.version is not null";
// Each access was used five times.
const USES: &str = "insert into audit_events (id, at, type, tenant, request, service_request, person, text, body) \
                    select md5(a.id::text || n || 'use' || use)::uuid, at - n * $4::interval + use * interval '1 millisecond', 'grant.used', a.tenant, \
                    md5(a.request::text || n)::uuid, 'SR-' || n, 'robin', r.resource, body from generate_series($1::bigint, $2::bigint) as g(n) \
                    join unnest($3::uuid[]) with ordinality as t(id, place) on t.place = 1 + n % cardinality($3::uuid[]) \
                    join audit_events a on a.request = t.id and a.type = 'grant.activated' join requests r on r.id = t.id \
                    cross join generate_series(1, 5) as used(use)";
const TEXTS: &str = "insert into texts (event, field, commitment, salt, text) \
                     select md5(x.event::text || n)::uuid, field, sha256(salt || convert_to(x.text || ' SR-' || n, 'UTF8')), salt, x.text || ' SR-' || n \
                     from generate_series($1::bigint, $2::bigint) as g(n) \
                     join unnest($3::uuid[]) with ordinality as t(id, place) on t.place = 1 + n % cardinality($3::uuid[]) \
                     join audit_events a on a.request = t.id join texts x on x.event = a.id where x.text is not null and $4::interval is not null";
const STREAMS: &str = "insert into audit_streams (log, stream, seq, version, leaf) select s.log, md5(s.stream::text || n)::uuid, s.seq, s.version, s.leaf \
                       from generate_series($1::bigint, $2::bigint) as g(n) \
                       join unnest($3::uuid[]) with ordinality as t(id, place) on t.place = 1 + n % cardinality($3::uuid[]) \
                       join audit_streams s on s.stream = t.id where $4::interval is not null";
// Months as they would have been created.
const MONTHS: &str = "select to_char(month, 'YYYY_MM') as name, month::date::text || ' 00:00+00' as first, \
                      (month + interval '1 month')::date::text || ' 00:00+00' as next \
                      from generate_series(date_trunc('month', clock_timestamp() at time zone 'UTC') - interval '13 months', \
                      date_trunc('month', clock_timestamp() at time zone 'UTC') - interval '2 months', interval '1 month') month";
// Creating an index at the end takes a tenth of the time of maintaining it.
const INDEXES: &str = "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index \
                       where indrelid in ('audit_events'::regclass, 'texts'::regclass) and not indisunique order by 1";
const SAMPLE: &str = "select id, service_request, submitted_at from requests tablesample bernoulli (1) limit $1";
const STEPS_SINCE: &str = "select count(*) from audit_events where at >= $1 and version is not null";

const ENGINEERS: &str = "insert into people (id, name, display_name, email) \
                         select md5('engineer' || n)::uuid, 'engineer' || n, 'Engineer', 'engineer' || n || '@fabrikam.example' \
                         from generate_series(1, 10000) n";
const ASSIGNED: &str = "insert into assignments (person, role) select md5('engineer' || n)::uuid, 'engineer' from generate_series(1, 10000) n";
const LIVE: &str = "insert into requests (id, content, digest, tenant, service_request, service, resource, requester, \
                    duration_seconds, required_approvals, state, version, submitted_at, review_deadline, manager, decision_deadline, \
                    access_from, access_until) \
                    select md5('live' || n)::uuid, content, digest, tenant, 'SR-' || n, service, 'box' || n || '@contoso.example', \
                    md5('engineer' || 1 + n % 10000)::uuid, duration_seconds, required_approvals, 'active', 4, submitted_at, \
                    review_deadline, manager, decision_deadline, clock_timestamp() - interval '1 minute', clock_timestamp() + interval '1 day' \
                    from generate_series(1, $1::bigint) n, (select * from requests where access_until is not null limit 1) r";
const TOKENS: &str = "insert into access_tokens (request, token_hash, person) select md5('live' || n)::uuid, \
                       sha256(convert_to('lbg_' || n, 'UTF8')), md5('engineer' || 1 + n % 10000)::uuid \
                       from generate_series(1, $1::bigint) n";
const LIVE_GRANTS: &str = "select r.id as request, 'lbg_' || n as access_token, r.service, r.resource \
                           from generate_series(1, $1::bigint) n join requests r on r.id = md5('live' || n)::uuid";
const END_LIVE: &str = "update requests set state = 'ended', cause = 'revoked_by_vendor', finished_at = clock_timestamp(), \
                        access_until = clock_timestamp(), version = version + 1 where id = $1";
const SHORTEN_LIVE: &str = "update requests set access_until = $2 where id = $1";

/// A grant that was created for a benchmark.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SeededGrant {
    /// Its request.
    pub request: Uuid,
    /// Its access token.
    pub access_token: String,
    /// Service.
    pub service: String,
    /// The resource that it covers.
    pub resource: String,
}

impl Store {
    /// Creates this many active grants of ten thousand requesters, each for its own mailbox and with an access token. Only for
    /// benchmarks on a separate database.
    ///
    /// # Errors
    /// When the database refuses: the login must be a superuser, and at least one grant must exist.
    pub async fn seed_grants(&self, count: i64) -> Result<Vec<SeededGrant>, Error> {
        let doing = "creating active grants";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        for statement in [BESIDE_THE_GUARDS, ENGINEERS, ASSIGNED] {
            sqlx::query(statement).execute(&mut *tx).await.map_err(Error::at(doing))?;
        }
        for statement in [LIVE, TOKENS] {
            sqlx::query(statement).bind(count).execute(&mut *tx).await.map_err(Error::at(doing))?;
        }
        tx.commit().await.map_err(Error::at(doing))?;
        sqlx::query("vacuum (analyze)").execute(&self.pool).await.map_err(Error::at(doing))?;
        sqlx::query_as(LIVE_GRANTS).bind(count).fetch_all(&self.pool).await.map_err(Error::at(doing))
    }

    /// Ends a grant that was created for a benchmark.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn end_seeded(&self, request: Uuid) -> Result<(), Error> {
        let ending = sqlx::query(END_LIVE).bind(request).execute(&self.pool).await;
        ending.map(drop).map_err(Error::at("ending a grant"))
    }

    /// Changes the end of a grant that was created for a benchmark.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn shorten_seeded(&self, request: Uuid, until: DateTime<Utc>) -> Result<(), Error> {
        let doing = "changing the end of a grant";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        sqlx::query(BESIDE_THE_GUARDS).execute(&mut *tx).await.map_err(Error::at(doing))?;
        sqlx::query(SHORTEN_LIVE).bind(request).bind(until).execute(&mut *tx).await.map_err(Error::at(doing))?;
        tx.commit().await.map_err(Error::at(doing))
    }

    /// Adds `count` copies of finished requests, distributed over the past year, each with its steps and five uses.
    /// Only for benchmarks on a separate database. `progress` receives a sentence now and then.
    ///
    /// # Errors
    /// When the database refuses: the login must be a superuser.
    pub async fn seed_requests(&self, count: i64, mut progress: impl FnMut(&str)) -> Result<(), Error> {
        let doing = "filling the tables";
        let templates: Vec<Uuid> =
            sqlx::query_scalar(TEMPLATES).fetch_all(&self.pool).await.map_err(Error::at(doing))?;
        self.make_months().await?;
        let indexes: Vec<(String, String)> =
            sqlx::query_as(INDEXES).fetch_all(&self.pool).await.map_err(Error::at(doing))?;
        for (name, _) in &indexes {
            self.run(format!("drop index {name}"), doing).await?;
        }
        let apart = TimeDelta::microseconds(YEAR_MICROSECONDS / count.max(1));
        let mut done = 0;
        while done < count {
            let last = count.min(done + PORTION);
            let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
            sqlx::query(BESIDE_THE_GUARDS).execute(&mut *tx).await.map_err(Error::at(doing))?;
            for statement in [REQUESTS, DECISIONS, EVENTS, USES, TEXTS, STREAMS] {
                let filling = sqlx::query(statement).bind(done + 1).bind(last).bind(&templates).bind(apart);
                filling.execute(&mut *tx).await.map_err(Error::at(doing))?;
            }
            tx.commit().await.map_err(Error::at(doing))?;
            done = last;
            progress(&format!("{done} of {count} requests created"));
        }
        for (name, definition) in indexes {
            progress(&format!("building {name}"));
            // The catalogue's definition covers the parent table only; its months are needed too.
            self.run(definition.replace(" ON ONLY ", " ON "), doing).await?;
        }
        progress("cleaning up and taking statistics");
        self.run("vacuum (analyze)".to_owned(), doing).await
    }

    async fn make_months(&self) -> Result<(), Error> {
        let doing = "creating past months";
        let months: Vec<(String, String, String)> =
            sqlx::query_as(MONTHS).fetch_all(&self.pool).await.map_err(Error::at(doing))?;
        for (name, first, next) in months {
            let make = format!(
                "create table if not exists audit_events_{name} partition of audit_events for values from ('{first}') to ('{next}')"
            );
            self.run(make, doing).await?;
        }
        Ok(())
    }

    /// Runs a statement from the database's own catalogue.
    async fn run(&self, statement: String, doing: &'static str) -> Result<(), Error> {
        let running = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&self.pool).await;
        running.map(drop).map_err(Error::at(doing))
    }

    /// Some requests from all over the table: id, number in the ticketing system, submission time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sample(&self, count: i64) -> Result<Vec<(Uuid, String, DateTime<Utc>)>, Error> {
        let sampling = sqlx::query_as(SAMPLE).bind(count).fetch_all(&self.pool);
        sampling.await.map_err(Error::at("sampling requests"))
    }

    /// Number of recorded steps since the given time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn steps_since(&self, since: DateTime<Utc>) -> Result<i64, Error> {
        let counting = sqlx::query_scalar(STEPS_SINCE).bind(since).fetch_one(&self.pool);
        counting.await.map_err(Error::at("counting steps"))
    }
}
