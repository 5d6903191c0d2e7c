//! The Merkle logs: their heads, the hashes of their trees, their entries and their checkpoints, for readers.
//!
//! Writers: `audit` records events, [`sequence`] assigns their positions or moves them to [`quarantine`], [`seal`] stores
//! signatures.

use chrono::{DateTime, Utc};
use contracts::entry::Entry;
use tlog::{Hash, TileId, Tiles};
use uuid::Uuid;

use crate::error::Error;
use crate::pool::Store;

pub mod forward;
pub mod quarantine;
pub mod retain;
pub mod seal;
pub mod sequence;
pub(crate) mod staged;

/// The head of a log.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// Its number.
    pub id: i32,
    /// Tenant's short name; `None` for the operator's log.
    pub tenant: Option<String>,
    /// Its name in entries and checkpoints.
    pub origin: String,
    /// Number of entries.
    pub size: i64,
    /// Root over all entries.
    pub root: Vec<u8>,
}

/// An entry with its exact bytes.
#[derive(Clone, Debug)]
pub struct EntryRow {
    /// Index in its log.
    pub index: i64,
    /// Id of its event.
    pub event: Uuid,
    /// The bytes that are hashed; `None` when the event's month was archived.
    pub bytes: Option<Vec<u8>>,
    /// Stored leaf hash.
    pub leaf: Vec<u8>,
    /// When it got its position.
    pub indexed_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct RawEntry {
    index: i64,
    event: Uuid,
    seq: i64,
    prev: Vec<u8>,
    leaf: Vec<u8>,
    v: i16,
    indexed_at: DateTime<Utc>,
    body: Option<Vec<u8>>,
}

const HEADS: &str = "select id, tenant, origin, size, root from audit_logs order by id";
const HEAD: &str = "select id, tenant, origin, size, root from audit_logs where tenant is not distinct from $1";
const LEAVES: &str = "select leaf from audit_entries where log = $1 and index >= $2 and index < $3 order by index";
const NODES: &str =
    "select hash from audit_nodes where log = $1 and level = $4 and index >= $2 and index < $3 order by index";
const ENTRIES: &str = "select e.index, e.event, e.seq, e.prev, e.leaf, e.v, e.indexed_at, a.body \
                       from audit_entries e left join audit_events a on a.id = e.event and a.at = e.at \
                       where e.log = $1 and e.index >= $2 and e.index < $3 order by e.index";
const CUT: &str = "select coalesce(max(cut), 0)::bigint from audit_archives where log = $1";
const PUBLIC: &str = "select exists (select from tenants where name = $1 and public_log)";
const PLACE: &str =
    "select l.tenant, e.index from audit_entries e join audit_logs l on l.id = e.log where e.event = $1";

impl Store {
    /// Every log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_heads(&self) -> Result<Vec<Head>, Error> {
        sqlx::query_as(HEADS).fetch_all(&self.pool).await.map_err(Error::at("reading the logs"))
    }

    /// The log of a tenant, or the operator's.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_head(&self, tenant: Option<&str>) -> Result<Option<Head>, Error> {
        let reading = sqlx::query_as(HEAD).bind(tenant).fetch_optional(&self.pool);
        reading.await.map_err(Error::at("reading a log"))
    }

    /// The hashes of tiles, for proofs and roots.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_tiles(&self, log: i32, wanted: &[TileId]) -> Result<Tiles, Error> {
        let mut tiles = Tiles::new();
        for id in wanted {
            let first = i64::try_from(id.index * 256).unwrap_or(i64::MAX);
            let query = if id.level == 0 { LEAVES } else { NODES };
            let mut reading = sqlx::query_scalar::<_, Vec<u8>>(query).bind(log).bind(first);
            reading = reading.bind(first.saturating_add(i64::from(id.width)));
            if id.level > 0 {
                reading = reading.bind(i16::from(id.level));
            }
            let hashes = reading.fetch_all(&self.pool).await.map_err(Error::at("reading the tree of a log"))?;
            tiles.insert((id.level, id.index), hashes.concat());
        }
        Ok(tiles)
    }

    /// Entries `from..to` of a log with their exact bytes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_entries(&self, head: &Head, from: i64, to: i64) -> Result<Vec<EntryRow>, Error> {
        let rows: Vec<RawEntry> = sqlx::query_as(ENTRIES)
            .bind(head.id)
            .bind(from)
            .bind(to)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::at("reading entries of a log"))?;
        let whole = |row: RawEntry| {
            let prev = Hash::from_slice(&row.prev).map_or([0; 32], |hash| hash.0);
            let bytes =
                row.body.map(|event| Entry { event: &event, log: &head.origin, prev, seq: row.seq, v: row.v }.bytes());
            EntryRow { index: row.index, event: row.event, bytes, leaf: row.leaf, indexed_at: row.indexed_at }
        };
        Ok(rows.into_iter().map(whole).collect())
    }

    /// Events of entries before this index may exist only in the archive.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_cut(&self, log: i32) -> Result<i64, Error> {
        let reading = sqlx::query_scalar(CUT).bind(log).fetch_one(&self.pool);
        reading.await.map_err(Error::at("reading which part of a log is archived"))
    }

    /// Whether anyone may read the log of this tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_public_log(&self, tenant: &str) -> Result<bool, Error> {
        let reading = sqlx::query_scalar(PUBLIC).bind(tenant).fetch_one(&self.pool);
        reading.await.map_err(Error::at("reading whether a log is public"))
    }

    /// The log and index of an event.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_place(&self, event: Uuid) -> Result<Option<(Option<String>, i64)>, Error> {
        let reading = sqlx::query_as(PLACE).bind(event).fetch_optional(&self.pool);
        reading.await.map_err(Error::at("reading the position of an event"))
    }
}
