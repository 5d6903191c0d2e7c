//! Test data for benchmarks: a tenant's audit log with events, entries and streams in bulk, under a correct tree.

use contracts::entry::Entry;
use sqlx::{Postgres, Transaction};
use tlog::{Frontier, Hash, tiles_for_root};
use uuid::Uuid;

use super::BESIDE_THE_GUARDS;
use crate::error::Error;
use crate::log::Head;
use crate::log::staged::node;
use crate::pool::Store;

type Tx = Transaction<'static, Postgres>;

/// Entries in one transaction; a multiple of 256.
const PORTION: i64 = 16_384;

const PLAINLY: &str = "set local timezone to 'UTC'; set local synchronous_commit to off";
// Every event is about a request of its own, a fifth of a second after the previous one; ids increase with time, as in UUID version 7.
const FILL: &str = include_str!("log/fill.sql");
const NODES: &str = "insert into audit_nodes (log, level, index, hash) \
                     select $1, * from unnest($2::smallint[], $3::bigint[], $4::bytea[])";
const HEAD: &str = "update audit_logs set size = $2, root = $3 where id = $1";
const SAMPLE: &str = "select e.event from audit_logs l cross join generate_series(0, $2 - 1) k \
                      join audit_entries e on e.log = l.id and e.index = k * (l.size - 1) / greatest($2 - 1, 1) where l.tenant = $1";
const TABLES: [&str; 4] = ["audit_events", "audit_entries", "audit_streams", "audit_nodes"];

/// An event in which three values are replaced to create others.
#[derive(Clone, Debug)]
pub struct Template {
    /// The event, as text.
    pub event: String,
    /// Its id.
    pub id: String,
    /// The request.
    pub request: String,
    /// Its time, as written in the event.
    pub time: String,
}

impl Store {
    /// Events from all over a tenant's log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sample_entries(&self, tenant: &str, count: i64) -> Result<Vec<Uuid>, Error> {
        let sampling = sqlx::query_scalar(SAMPLE).bind(tenant).bind(count).fetch_all(&self.pool);
        sampling.await.map_err(Error::at("sampling entries"))
    }

    /// Fills a tenant's log up to this many entries. Only for benchmarks on a separate database.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the log does not exist, or when the database refuses: the login must be a superuser.
    pub async fn seed_log(
        &self,
        tenant: &str,
        template: &Template,
        entries: i64,
        mut progress: impl FnMut(i64),
    ) -> Result<(), Error> {
        let doing = "filling an audit log";
        let head = self.log_head(Some(tenant)).await?.ok_or_else(|| Error::NotFound(tenant.to_owned()))?;
        let size = u64::try_from(head.size).unwrap_or_default();
        let tiles = self.log_tiles(head.id, &tiles_for_root(size)).await?;
        let fault = |fault: tlog::Error| Error::Tree { origin: head.origin.clone(), problem: fault.to_string() };
        let mut edge = Frontier::from_tiles(size, &tiles).map_err(fault)?;
        let entry = Entry { event: b"EVENT", log: &head.origin, prev: [0; 32], seq: 1, v: 1 }.bytes();
        let around = String::from_utf8_lossy(&entry).into_owned();
        let mut done = head.size;
        while done < entries {
            let last = entries.min(done + PORTION) - 1;
            let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
            sqlx::query(BESIDE_THE_GUARDS).execute(&mut *tx).await.map_err(Error::at(doing))?;
            sqlx::raw_sql(PLAINLY).execute(&mut *tx).await.map_err(Error::at(doing))?;
            let (before, after) = around.split_once("EVENT").unwrap_or_default();
            let leaves: Vec<Vec<u8>> = sqlx::query_scalar(FILL)
                .bind(head.id)
                .bind(tenant)
                .bind(after)
                .bind(done)
                .bind(last)
                .bind(entries)
                .bind(&template.event)
                .bind(&template.id)
                .bind(&template.request)
                .bind(&template.time)
                .bind(before)
                .fetch_all(&mut *tx)
                .await
                .map_err(Error::at(doing))?;
            grow(&mut tx, &head, &mut edge, &leaves).await?;
            tx.commit().await.map_err(Error::at(doing))?;
            done = last + 1;
            progress(done);
        }
        for table in TABLES {
            let tidying = sqlx::query(sqlx::AssertSqlSafe(format!("vacuum (analyze) {table}"))).execute(&self.pool);
            tidying.await.map_err(Error::at(doing))?;
        }
        sqlx::query("checkpoint").execute(&self.pool).await.map_err(Error::at(doing))?;
        Ok(())
    }
}

/// Writes the hashes above new leaves, and the log's new head.
async fn grow(tx: &mut Tx, head: &Head, edge: &mut Frontier, leaves: &[Vec<u8>]) -> Result<(), Error> {
    let doing = "filling an audit log";
    let full = leaves.iter().filter_map(|leaf| Hash::from_slice(leaf)).flat_map(|leaf| edge.push(leaf));
    let nodes: Vec<_> = full.map(|(tile, hashes)| node(&tile, &hashes)).collect();
    sqlx::query(NODES)
        .bind(head.id)
        .bind(nodes.iter().map(|(level, _, _)| i16::from(*level)).collect::<Vec<_>>())
        .bind(nodes.iter().map(|(_, index, _)| i64::try_from(*index).unwrap_or(i64::MAX)).collect::<Vec<_>>())
        .bind(nodes.iter().map(|(_, _, hash)| hash.0.to_vec()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    sqlx::query(HEAD)
        .bind(head.id)
        .bind(i64::try_from(edge.size()).unwrap_or(i64::MAX))
        .bind(edge.root().0.to_vec())
        .execute(&mut **tx)
        .await
        .map_err(Error::at(doing))?;
    Ok(())
}
