//! Searches of the audit log, newest first, in a time that does not grow with the log.
//!
//! A search that one index can answer is a single statement. Any other search reads back window by window, each with a
//! limited number of events. It may stop when the caller's time is up, and returns the position from which to continue. It
//! never skips anything in between.
//!
//! No plan is cached (`persistent(false)`): which index is best depends on the person, the type and the words.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{AuditFilter, AuditRow, Place};
use crate::error::Error;
use crate::pool::Store;

/// Events in the first window: common words and types fill a page from it.
const FIRST_WINDOW: i64 = 2_000;
/// Events in the largest window: 30 to 100 ms, which may be added to the caller's time.
const LARGEST_WINDOW: i64 = 16_000;
/// Events in the smallest window that is worth a statement.
const SMALLEST_WINDOW: i64 = 500;
/// Words found less often than this in the first window, once in a hundred events, are looked up in their index.
const COMMON: usize = 20;
/// Time limit for the index of words; a statement that takes longer, such as for a common word, is cancelled.
const INDEX_LIMIT: Duration = Duration::from_millis(120);
/// Longer than any search takes.
const WITHOUT_END: Duration = Duration::from_secs(86_400);

/// Result of a search.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Events that match, newest first.
    pub events: Vec<AuditRow>,
    /// The search stopped at this position before the page was full; later positions were not searched yet.
    pub stopped_at: Option<Place>,
}

const COLUMNS: &str =
    "a.id, a.at, a.recorded_at, a.type, a.tenant, a.request, a.version, a.service_request, a.person, a.body";
const LIMIT: &str = "select set_config('statement_timeout', $1, true)";
/// SQLSTATE of a cancelled statement.
const CANCELLED: &str = "57014";
const NEWEST_FIRST: &str = " order by at desc, version desc nulls last, id desc";
const MATCHES: &str = "@@ websearch_to_tsquery('simple', ";
// Skips from type to type along the index, so that types of a newer release are found too.
const TYPES: &str = "with recursive known as (select (select type from audit_events order by type limit 1) as type \
                     union all select (select a.type from audit_events a where a.type > known.type order by a.type limit 1) \
                     from known where known.type is not null) \
                     select type from known where type is not null and starts_with(type, $1)";

impl Place {
    /// The position before everything at this time, in the order of a search: continues with older events.
    fn just_before(at: DateTime<Utc>) -> Self {
        Self { at, version: i32::MIN, id: Uuid::nil() }
    }

    /// Whether no event at exactly its time is after it.
    fn is_whole(self) -> bool {
        self.version == i32::MIN
    }
}

impl AuditFilter {
    /// Whether few events can match, which an index finds alone.
    fn is_few(&self) -> bool {
        self.request.is_some() || self.service_request.is_some() || self.cause.is_some()
    }

    /// Whether an index finds the matches in the order of the search.
    fn is_ordered(&self) -> bool {
        self.text.is_none() && self.type_name.is_none() && !(self.person.is_some() && self.tenant.is_some())
    }
}

/// The given conditions on the events `a`, without the words.
fn conditions(query: &mut QueryBuilder<Postgres>, filter: &AuditFilter, types: Option<&[String]>) {
    if let Some(request) = filter.request {
        query.push(" and a.request = ").push_bind(request);
    }
    let texts = [
        (" and a.service_request = ", &filter.service_request),
        (" and a.person = ", &filter.person),
        (" and a.tenant = ", &filter.tenant),
        (" and a.cause = ", &filter.cause),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            query.push(condition).push_bind(value.clone());
        }
    }
    match (types, &filter.type_name) {
        (Some(types), _) => {
            query.push(" and a.type = any(").push_bind(types.to_vec()).push(")");
        }
        (None, Some(beginning)) => {
            query.push(" and starts_with(a.type, ").push_bind(beginning.clone()).push(")");
        }
        (None, None) => {}
    }
    if let Some(since) = filter.since {
        query.push(" and a.at >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" and a.at < ").push_bind(until);
    }
    if let Some(place) = filter.after {
        query.push(" and a.at <= ").push_bind(place.at).push(" and (a.at < ").push_bind(place.at);
        query.push(" or (coalesce(a.version, -1), a.id) < (").push_bind(place.version).push(", ");
        query.push_bind(place.id).push("))");
    }
}

/// Events with these words, by the index of words.
fn with_words(query: &mut QueryBuilder<Postgres>, words: &str) {
    query.push("select id from audit_events where text is not null and to_tsvector('simple', text) ").push(MATCHES);
    query.push_bind(words.to_owned()).push(") union select event from texts where text is not null and ");
    query.push("to_tsvector('simple', text) ").push(MATCHES).push_bind(words.to_owned()).push(")");
}

/// Size of the next window: as many events as fit in the time that is left, estimated from the previous window.
fn next_window(window: i64, took: Duration, left: Duration) -> i64 {
    let took = i64::try_from(took.as_micros()).unwrap_or(i64::MAX).max(1);
    let left = i64::try_from(left.as_micros()).unwrap_or(i64::MAX);
    window.saturating_mul(left).checked_div(took).unwrap_or(0).min(window * 4).min(LARGEST_WINDOW)
}

/// The events whose positions are in `place`.
fn of_places(query: &mut QueryBuilder<Postgres>, limit: i64) {
    query.push(" select ").push(COLUMNS).push(" from (select id, at from place").push(NEWEST_FIRST);
    query.push(" limit ").push_bind(limit).push(") p join audit_events a on a.id = p.id and a.at = p.at");
    query.push(" order by a.at desc, a.version desc nulls last, a.id desc");
}

impl Store {
    /// Events that match, newest first. Searches the whole log if needed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn search_audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, Error> {
        Ok(self.search_audit_within(filter, WITHOUT_END).await?.events)
    }

    /// Events that match, newest first. Stops after about `patience`, and returns where.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn search_audit_within(&self, filter: &AuditFilter, patience: Duration) -> Result<Found, Error> {
        let mut found = if filter.is_few() {
            Found { events: self.window(filter, None, None).await?, stopped_at: None }
        } else if filter.is_ordered() {
            self.in_order(filter).await?
        } else {
            self.walk_back(filter, Instant::now(), patience).await?
        };
        self.fill_in_texts(&mut found.events).await?;
        Ok(found)
    }

    async fn fetch(&self, mut query: QueryBuilder<Postgres>) -> Result<Vec<AuditRow>, Error> {
        query
            .build_query_as()
            .persistent(false)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::at("searching the audit log"))
    }

    async fn in_order(&self, filter: &AuditFilter) -> Result<Found, Error> {
        let mut query = QueryBuilder::<Postgres>::new("select ");
        query.push(COLUMNS).push(" from audit_events a where true");
        conditions(&mut query, filter, None);
        query.push(NEWEST_FIRST).push(" limit ").push_bind(filter.limit);
        Ok(Found { events: self.fetch(query).await?, stopped_at: None })
    }

    async fn walk_back(&self, filter: &AuditFilter, started: Instant, patience: Duration) -> Result<Found, Error> {
        let types = self.types(filter).await?;
        if types.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Found::default());
        }
        let types = types.as_deref();
        let (mut rest, mut window, mut found) = (filter.clone(), FIRST_WINDOW, Found::default());
        loop {
            let window_started = Instant::now();
            let from = self.window_start(&rest, types, window).await?;
            found.events.extend(self.window(&rest, types, from).await?);
            rest.limit = filter.limit - i64::try_from(found.events.len()).unwrap_or(i64::MAX);
            let Some(from) = from.filter(|_| rest.limit > 0) else { return Ok(found) };
            rest.after = Some(Place::just_before(from));
            if window == FIRST_WINDOW
                && found.events.len() < COMMON
                && let Some(words) = &filter.text
                && let Some(others) = self.by_words(&rest, types, words, patience.max(INDEX_LIMIT)).await?
            {
                found.events.extend(others);
                return Ok(found);
            }
            window = next_window(window, window_started.elapsed(), patience.saturating_sub(started.elapsed()));
            if window < SMALLEST_WINDOW {
                found.stopped_at = rest.after;
                return Ok(found);
            }
        }
    }

    /// The types that begin with the given prefix.
    async fn types(&self, filter: &AuditFilter) -> Result<Option<Vec<String>>, Error> {
        let Some(beginning) = &filter.type_name else { return Ok(None) };
        let reading = sqlx::query_scalar(TYPES).bind(beginning).fetch_all(&self.pool);
        reading.await.map(Some).map_err(Error::at("reading the types in the audit log"))
    }

    /// All events with these words by their index, unless it takes longer than `limit`.
    async fn by_words(
        &self,
        filter: &AuditFilter,
        types: Option<&[String]>,
        words: &str,
        limit: Duration,
    ) -> Result<Option<Vec<AuditRow>>, Error> {
        // Materialized, so that the limit does not make the planner read the log in its order instead.
        let mut query = QueryBuilder::<Postgres>::new("with hit as materialized (");
        with_words(&mut query, words);
        query.push("), place as materialized (select a.id, a.at, a.version from hit join audit_events a on a.id = hit.id where true");
        conditions(&mut query, filter, types);
        query.push(")");
        of_places(&mut query, filter.limit);
        let doing = "searching the audit log by its words";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let milliseconds = if limit < WITHOUT_END { limit.as_millis().to_string() } else { "0".to_owned() };
        sqlx::query(LIMIT).bind(milliseconds).execute(&mut *tx).await.map_err(Error::at(doing))?;
        match query.build_query_as().persistent(false).fetch_all(&mut *tx).await {
            Ok(found) => Ok(Some(found)),
            Err(sqlx::Error::Database(fault)) if fault.code().as_deref() == Some(CANCELLED) => Ok(None),
            Err(fault) => Err(Error::at(doing)(fault)),
        }
    }

    /// Start of a window of at most `size` events; `None` when it reaches to the end of the log.
    ///
    /// Person, tenant and type each have an index. The narrowest determines how far back a window reaches.
    async fn window_start(
        &self,
        filter: &AuditFilter,
        types: Option<&[String]>,
        size: i64,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let mut narrow: Vec<AuditFilter> = Vec::new();
        // Only indexed columns, or each counted event would be fetched.
        let bare = AuditFilter { since: filter.since, until: filter.until, ..AuditFilter::default() };
        let before = |query: &mut QueryBuilder<Postgres>| {
            if let Some(place) = filter.after {
                query.push(if place.is_whole() { " and a.at < " } else { " and a.at <= " }).push_bind(place.at);
            }
        };
        narrow.extend(filter.person.clone().map(|person| AuditFilter { person: Some(person), ..bare.clone() }));
        narrow.extend(filter.tenant.clone().map(|tenant| AuditFilter { tenant: Some(tenant), ..bare.clone() }));
        let doing = "choosing a window of the audit log";
        let mut starts: Vec<Option<DateTime<Utc>>> = Vec::new();
        if let Some(types) = types {
            let each = (size / i64::try_from(types.len()).unwrap_or(1)).max(100);
            let mut query = QueryBuilder::<Postgres>::new("select max(start.at) from unnest(");
            query
                .push_bind(types.to_vec())
                .push(") t(type) cross join lateral (select a.at from audit_events a where a.type = t.type");
            conditions(&mut query, &bare, None);
            before(&mut query);
            query.push(" order by a.at desc offset ").push_bind(each).push(" limit 1) start");
            starts.push(
                query.build_query_scalar().persistent(false).fetch_one(&self.pool).await.map_err(Error::at(doing))?,
            );
        } else if narrow.is_empty() {
            narrow.push(bare);
        }
        for one in narrow {
            let mut query = QueryBuilder::<Postgres>::new("select a.at from audit_events a where true");
            conditions(&mut query, &one, None);
            before(&mut query);
            query.push(" order by a.at desc offset ").push_bind(size).push(" limit 1");
            starts.push(
                query
                    .build_query_scalar()
                    .persistent(false)
                    .fetch_optional(&self.pool)
                    .await
                    .map_err(Error::at(doing))?,
            );
        }
        Ok(starts.into_iter().min().flatten())
    }

    /// The matches in a window.
    async fn window(
        &self,
        filter: &AuditFilter,
        types: Option<&[String]>,
        from: Option<DateTime<Utc>>,
    ) -> Result<Vec<AuditRow>, Error> {
        let since = from.max(filter.since);
        let filter = AuditFilter { since, ..filter.clone() };
        // Materialized for the same reason: a window is small and is read completely.
        let mut query = QueryBuilder::<Postgres>::new(
            "with place as materialized (select a.id, a.at, a.version from audit_events a",
        );
        if let Some(words) = &filter.text {
            query.push(
                " left join lateral (select true as has_words from texts x where x.event = a.id and x.text is not null ",
            );
            query
                .push("and to_tsvector('simple', x.text) ")
                .push(MATCHES)
                .push_bind(words.clone())
                .push(") limit 1) x on true");
        }
        query.push(" where true");
        conditions(&mut query, &filter, types);
        if let Some(words) = &filter.text {
            query.push(" and (x.has_words or (a.text is not null and to_tsvector('simple', a.text) ").push(MATCHES);
            query.push_bind(words.clone()).push(")))");
        }
        query.push(")");
        of_places(&mut query, filter.limit);
        self.fetch(query).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_grow_while_there_is_time_and_shrink_when_it_ends() {
        let milliseconds = Duration::from_millis;
        assert_eq!(next_window(FIRST_WINDOW, milliseconds(1), WITHOUT_END), 8_000);
        assert_eq!(next_window(LARGEST_WINDOW, milliseconds(100), WITHOUT_END), LARGEST_WINDOW);
        assert_eq!(next_window(FIRST_WINDOW, milliseconds(40), milliseconds(60)), 3_000);
        assert!(next_window(8_000, milliseconds(90), milliseconds(1)) < SMALLEST_WINDOW);
        assert_eq!(next_window(8_000, milliseconds(90), Duration::ZERO), 0);
    }
}
