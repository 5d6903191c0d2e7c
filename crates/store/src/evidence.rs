//! The data of evidence: logs, their entries in order, checkpoints, keys, texts, and the rows that must match them.
//!
//! Read in one snapshot, so that a growing log is seen at one point in time. Nothing is verified here.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

/// The row of a log.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LogRow {
    /// Number.
    pub id: i32,
    /// Tenant's short name; `None` for the operator's log.
    pub tenant: Option<String>,
    /// Name.
    pub origin: String,
    /// Entries.
    pub size: i64,
    /// Root over all entries.
    pub root: Vec<u8>,
    /// Events of entries before this index may exist only in the archive.
    pub cut: i64,
    /// Recorded events that a verifier would not accept, and that the log therefore does not contain.
    pub quarantined: i64,
}

/// The data of an entry, and its stored leaf hash.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct EntryRow {
    /// Index in the log.
    pub index: i64,
    /// Id of the event.
    pub event: Uuid,
    /// Position in its stream.
    pub seq: i64,
    /// Leaf hash of the previous entry of the stream.
    pub prev: Vec<u8>,
    /// Recorded leaf hash.
    pub leaf: Vec<u8>,
    /// Version of the entry format.
    pub v: i16,
    /// Exact bytes of the event, if the row still exists.
    pub body: Option<Vec<u8>>,
    /// Columns by which the event is searched.
    pub type_name: Option<String>,
    /// The same.
    pub tenant: Option<String>,
    /// The same.
    pub request: Option<Uuid>,
    /// The same.
    pub person: Option<String>,
    /// The same.
    pub at: Option<DateTime<Utc>>,
}

/// A request's row beside its decisions.
#[derive(Clone, Debug, sqlx::FromRow)]
#[allow(missing_docs, reason = "the columns' own names; evidence::rows::RequestRow says what each is")]
pub struct RequestTruth {
    pub id: Uuid,
    pub state: String,
    pub version: i32,
    pub digest: Vec<u8>,
    pub content_digest: Vec<u8>,
    pub requester: Uuid,
    pub manager: Option<Uuid>,
    pub review_deadline: DateTime<Utc>,
    pub decision_deadline: Option<DateTime<Utc>>,
    pub access_from: Option<DateTime<Utc>>,
    pub access_until: Option<DateTime<Utc>>,
    pub cause: Option<String>,
    pub finished_at: Option<DateTime<Utc>>,
    pub approver_ids: Vec<Uuid>,
    pub approved_seconds: Vec<i64>,
    pub pending: i64,
}

/// One point in time of the database.
pub struct ReadSnapshot {
    tx: Transaction<'static, Postgres>,
}

const LOGS: &str = "select l.id, l.tenant, l.origin, l.size, l.root, \
                    coalesce((select max(cut) from audit_archives a where a.log = l.id), 0) as cut, \
                    (select count(*) from audit_quarantine q where q.tenant is not distinct from l.tenant) as quarantined \
                    from audit_logs l order by l.id";
// By index, so that every page costs the same.
const ENTRIES: &str = "select e.index, e.event, e.seq, e.prev, e.leaf, e.v, a.body, a.type as type_name, a.tenant, \
                       a.request, a.person, a.at \
                       from audit_entries e left join audit_events a on a.id = e.event and a.at = e.at \
                       where e.log = $1 and e.index >= $2 order by e.index limit $3";
// Statements are few; the type has an index of its own per month.
const STATEMENTS: &str = "select e.index from audit_events a join audit_entries e on e.event = a.id and e.at = a.at \
                          where e.log = $1 and e.index < $2 and a.type = 'authority.changed' order by e.index";
const CHECKPOINTS: &str = "select c.size, c.note || coalesce((select string_agg(s.line || case when right(s.line, 1) = \
                           chr(10) then '' else chr(10) end, '' order by s.witness) from audit_cosignatures s \
                           where s.log = c.log and s.size = c.size), '') from audit_checkpoints c \
                           where c.log = $1 order by c.size";
const LATEST: &str = "select c.size, c.note || coalesce((select string_agg(s.line || case when right(s.line, 1) = \
                      chr(10) then '' else chr(10) end, '' order by s.witness) from audit_cosignatures s \
                      where s.log = c.log and s.size = c.size), '') from audit_checkpoints c \
                      where c.log = $1 order by c.size desc limit 1";
// The latest, and for each change of the key the first one over its entry: it leads from the old key to the new one.
const NEEDED: &str = "with wanted as ((select size from audit_checkpoints where log = $1 order by size desc limit $2) \
                      union select (select min(c.size) from audit_checkpoints c where c.log = $1 and c.size > e.index) \
                      from audit_keys k join audit_logs l on l.id = k.log \
                      join audit_events a on a.type = 'log.key_changed' and a.tenant is not distinct from l.tenant \
                      and a.at between k.added_at - interval '1 minute' and k.added_at + interval '1 minute' \
                      join audit_entries e on e.event = a.id and e.log = k.log where k.log = $1) \
                      select c.size, c.note || coalesce((select string_agg(s.line || case when right(s.line, 1) = \
                      chr(10) then '' else chr(10) end, '' order by s.witness) from audit_cosignatures s \
                      where s.log = c.log and s.size = c.size), '') from audit_checkpoints c \
                      join wanted w on w.size = c.size where c.log = $1 order by c.size";
const KEYS: &str = "select key from audit_keys where log = $1 order by added_at, key";
const WITNESS_KEYS: &str = "select w.key from witnesses w join tenants t on t.id = w.tenant \
                            join audit_logs l on l.tenant = t.name where l.id = $1 order by w.name";
const TEXTS: &str = "select t.event, t.field, encode(t.salt, 'hex'), t.text from texts t \
                     join audit_entries e on e.event = t.event \
                     where e.log = $1 and e.index >= $2 and e.index < $3 and t.text is not null order by e.index, t.field";
const REQUESTS: &str = include_str!("evidence/requests.sql");
const LEAVES: &str = "select leaf from audit_entries where log = $1 and index >= $2 and index < $3 order by index";
const NODES: &str = "select hash from audit_nodes where log = $1 and level = $2 and index >= $3 and index < $4 \
                     order by index";
const PLACE: &str = "select log, index from audit_entries where event = $1";
const SPAN: &str = "select min(index), max(index) + 1 from audit_entries where log = $1 \
                    and ($2::timestamptz is null or at >= $2) and ($3::timestamptz is null or at < $3)";

impl Store {
    /// Opens a snapshot of the database for reading.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read_snapshot(&self) -> Result<ReadSnapshot, Error> {
        let mut tx = self.pool.begin().await.map_err(Error::at("opening a snapshot"))?;
        sqlx::query("set transaction isolation level repeatable read, read only")
            .execute(&mut *tx)
            .await
            .map_err(Error::at("opening a snapshot"))?;
        Ok(ReadSnapshot { tx })
    }
}

impl ReadSnapshot {
    /// Every log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn logs(&mut self) -> Result<Vec<LogRow>, Error> {
        sqlx::query_as(LOGS).fetch_all(&mut *self.tx).await.map_err(Error::at("reading logs"))
    }

    /// Entries from this index on, at most `limit`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn entries(&mut self, log: i32, from: i64, limit: i64) -> Result<Vec<EntryRow>, Error> {
        let reading = sqlx::query_as(ENTRIES).bind(log).bind(from).bind(limit).fetch_all(&mut *self.tx);
        reading.await.map_err(Error::at("reading entries"))
    }

    /// Indices of the statements of the tenant's authority before this index.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn statements(&mut self, log: i32, before: i64) -> Result<Vec<i64>, Error> {
        let reading = sqlx::query_scalar(STATEMENTS).bind(log).bind(before).fetch_all(&mut *self.tx);
        reading.await.map_err(Error::at("reading statements of the authority"))
    }

    /// Signed checkpoints with the signatures of witnesses, smallest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn checkpoints(&mut self, log: i32) -> Result<Vec<(i64, String)>, Error> {
        let reading = sqlx::query_as(CHECKPOINTS).bind(log).fetch_all(&mut *self.tx);
        reading.await.map_err(Error::at("reading checkpoints"))
    }

    /// The latest signed checkpoint with the signatures of witnesses.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn latest_checkpoint(&mut self, log: i32) -> Result<Option<(i64, String)>, Error> {
        let reading = sqlx::query_as(LATEST).bind(log).fetch_optional(&mut *self.tx);
        reading.await.map_err(Error::at("reading the latest checkpoint"))
    }

    /// The checkpoints of a bundle, smallest first: the last `last` ones, and those that lead through a change of the log's
    /// key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn needed_checkpoints(&mut self, log: i32, last: i64) -> Result<Vec<(i64, String)>, Error> {
        let reading = sqlx::query_as(NEEDED).bind(log).bind(last).fetch_all(&mut *self.tx);
        reading.await.map_err(Error::at("reading checkpoints"))
    }

    /// Public keys of the log and of its tenant's witnesses.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keys(&mut self, log: i32) -> Result<Vec<String>, Error> {
        let doing = "reading the log's keys";
        let keys: Vec<String> =
            sqlx::query_scalar(KEYS).bind(log).fetch_all(&mut *self.tx).await.map_err(Error::at(doing))?;
        let more: Vec<String> =
            sqlx::query_scalar(WITNESS_KEYS).bind(log).fetch_all(&mut *self.tx).await.map_err(Error::at(doing))?;
        Ok(keys.into_iter().chain(more).collect())
    }

    /// Texts of entries in this range that are not redacted: event, field, salt, text.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn texts(&mut self, log: i32, from: i64, to: i64) -> Result<Vec<(Uuid, String, String, String)>, Error> {
        let reading = sqlx::query_as(TEXTS).bind(log).bind(from).bind(to).fetch_all(&mut *self.tx);
        reading.await.map_err(Error::at("reading texts"))
    }

    /// Rows of a tenant's requests after this one, without those that have archived steps.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn requests(&mut self, tenant: &str, after: Uuid, limit: i64) -> Result<Vec<RequestTruth>, Error> {
        let reading = sqlx::query_as(REQUESTS).bind(tenant).bind(after).bind(limit).fetch_all(&mut *self.tx);
        reading.await.map_err(Error::at("reading requests"))
    }

    /// The log and index of an event.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it has no position yet.
    pub async fn place(&mut self, event: Uuid) -> Result<(i32, i64), Error> {
        let found: Option<(i32, i64)> = sqlx::query_as(PLACE)
            .bind(event)
            .fetch_optional(&mut *self.tx)
            .await
            .map_err(Error::at("reading the position of an event"))?;
        found.ok_or_else(|| Error::NotFound(event.to_string()))
    }

    /// First index of a period, and the index after its last.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn span(
        &mut self,
        log: i32,
        since: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
    ) -> Result<(Option<i64>, Option<i64>), Error> {
        let reading = sqlx::query_as(SPAN).bind(log).bind(since).bind(until).fetch_one(&mut *self.tx);
        reading.await.map_err(Error::at("reading the entries of a period"))
    }

    /// The hashes of a tile.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tile(&mut self, log: i32, level: u8, index: u64, width: u16) -> Result<Vec<Vec<u8>>, Error> {
        let first = i64::try_from(index * 256).unwrap_or(i64::MAX);
        let end = first.saturating_add(i64::from(width));
        let reading = if level == 0 {
            sqlx::query_scalar(LEAVES).bind(log).bind(first).bind(end).fetch_all(&mut *self.tx)
        } else {
            sqlx::query_scalar(NODES).bind(log).bind(i16::from(level)).bind(first).bind(end).fetch_all(&mut *self.tx)
        };
        reading.await.map_err(Error::at("reading a tile"))
    }
}
