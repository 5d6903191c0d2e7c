//! The positions of one batch: computed in memory, then written in bulk.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use contracts::entry::Entry;
use sqlx::{Postgres, Transaction};
use tlog::{Frontier, leaf_hash};
use uuid::Uuid;

use crate::error::Error;
use crate::log::Head;
use crate::log::quarantine::Refused;
use crate::log::staged::{Staged, node};

/// The last position of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stream {
    pub seq: i64,
    pub version: i32,
    pub leaf: [u8; 32],
    /// Whether this batch changed it.
    pub is_new: bool,
}

/// The streams of a batch, by log and id.
pub(super) type Streams = HashMap<(i32, Uuid), Stream>;

#[derive(Debug)]
struct Row {
    log: i32,
    index: i64,
    event: Uuid,
    at: DateTime<Utc>,
    request: Option<Uuid>,
    version: Option<i32>,
    seq: i64,
    prev: [u8; 32],
    leaf: [u8; 32],
}

/// The result of a batch.
#[derive(Debug, Default)]
pub(super) struct Placed {
    rows: Vec<Row>,
    nodes: Vec<(i32, i16, i64, Vec<u8>)>,
    /// Staged rows that are finished.
    pub taken: Vec<i64>,
    /// Staged rows that wait for an earlier step.
    pub held: Vec<i64>,
    /// Events that a verifier would not accept, with the reason.
    pub refused: Vec<Refused>,
}

const MOVE: &str = "update audit_logs l set size = m.size, root = m.root \
                    from unnest($1::int[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[]) \
                    as m(id, old_size, old_root, size, root) \
                    where l.id = m.id and l.size = m.old_size and l.root = m.old_root";
const ENTRIES: &str = "insert into audit_entries (log, index, event, at, request, version, seq, prev, leaf, v) \
                       select *, 1 from unnest($1::int[], $2::bigint[], $3::uuid[], $4::timestamptz[], $5::uuid[], $6::int[], \
                       $7::bigint[], $8::bytea[], $9::bytea[])";
const NODES: &str = "insert into audit_nodes (log, level, index, hash) \
                     select * from unnest($1::int[], $2::smallint[], $3::bigint[], $4::bytea[])";
const STREAMS: &str = "insert into audit_streams (log, stream, seq, version, leaf) \
                       select * from unnest($1::int[], $2::uuid[], $3::bigint[], $4::int[], $5::bytea[]) \
                       on conflict (log, stream) do update set seq = excluded.seq, version = excluded.version, leaf = excluded.leaf";

/// Checks that a verifier accepts the entry, and that the columns match the event.
fn admit(event: &Staged, head: &Head, stream: &Stream, entry: &[u8]) -> Result<(), String> {
    if event.version.is_some_and(|version| version <= stream.version) {
        return Err("another event has this step of the request".to_owned());
    }
    let read = evidence::admission::accept(&head.origin, entry)?;
    let is_same = read.id == event.id
        && read.at == event.at
        && read.kind == event.type_name
        && read.request == event.request.map(|request| request.to_string())
        && read.version == event.version.map(i64::from);
    if is_same { Ok(()) } else { Err("the columns of the event do not match the event".to_owned()) }
}

impl Placed {
    /// How many events got their position.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Assigns the next position to an event, unless an earlier step is missing or a verifier would not accept it there.
    pub fn place(&mut self, event: Staged, head: &Head, edge: &mut Frontier, stream: &mut Stream) {
        if event.version.is_some_and(|version| version > stream.version + 1) {
            self.held.push(event.n);
            return;
        }
        let (seq, prev) = (stream.seq + 1, stream.leaf);
        let entry = Entry { event: &event.body, log: &head.origin, prev, seq, v: 1 }.bytes();
        if let Err(reason) = admit(&event, head, stream, &entry) {
            self.taken.push(event.n);
            self.refused.push(Refused::new(event, reason));
            return;
        }
        let leaf = leaf_hash(&entry);
        let index = i64::try_from(edge.size()).unwrap_or(i64::MAX);
        for (tile, hashes) in edge.push(leaf) {
            let (level, number, hash) = node(&tile, &hashes);
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            self.nodes.push((head.id, i16::from(level), number, hash.0.to_vec()));
        }
        *stream = Stream { seq, version: event.version.unwrap_or(stream.version), leaf: leaf.0, is_new: true };
        self.taken.push(event.n);
        let Staged { id, at, request, version, .. } = event;
        self.rows.push(Row { log: head.id, index, event: id, at, request, version, seq, prev, leaf: leaf.0 });
    }

    /// Updates the heads first: a second sequencer waits there, and then fails.
    pub async fn write(
        &self,
        tx: &mut Transaction<'static, Postgres>,
        heads: &HashMap<Option<String>, Head>,
        edges: &HashMap<i32, Frontier>,
        streams: &Streams,
    ) -> Result<(), Error> {
        let doing = "writing entries";
        if self.rows.is_empty() {
            return Ok(());
        }
        let grown: BTreeMap<i32, &Head> = heads
            .values()
            .filter(|head| self.rows.iter().any(|row| row.log == head.id))
            .map(|head| (head.id, head))
            .collect();
        let edge = |id: &i32| edges.get(id).map(|edge| (i64::try_from(edge.size()).unwrap_or(i64::MAX), edge.root()));
        let after: Vec<_> = grown.keys().filter_map(edge).collect();
        let moved = sqlx::query(MOVE)
            .bind(grown.keys().copied().collect::<Vec<_>>())
            .bind(grown.values().map(|head| head.size).collect::<Vec<_>>())
            .bind(grown.values().map(|head| head.root.clone()).collect::<Vec<_>>())
            .bind(after.iter().map(|(size, _)| *size).collect::<Vec<_>>())
            .bind(after.iter().map(|(_, root)| root.0.to_vec()).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await
            .map_err(Error::at(doing))?;
        if usize::try_from(moved.rows_affected()).ok() != Some(grown.len()) {
            return Err(Error::SequencedElsewhere);
        }
        self.write_rows(tx).await?;
        let moved: Vec<_> = streams.iter().filter(|(_, stream)| stream.is_new).collect();
        sqlx::query(STREAMS)
            .bind(moved.iter().map(|((log, _), _)| *log).collect::<Vec<_>>())
            .bind(moved.iter().map(|((_, id), _)| *id).collect::<Vec<_>>())
            .bind(moved.iter().map(|(_, stream)| stream.seq).collect::<Vec<_>>())
            .bind(moved.iter().map(|(_, stream)| stream.version).collect::<Vec<_>>())
            .bind(moved.iter().map(|(_, stream)| stream.leaf.to_vec()).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await
            .map_err(Error::at(doing))?;
        Ok(())
    }

    async fn write_rows(&self, tx: &mut Transaction<'static, Postgres>) -> Result<(), Error> {
        let doing = "writing entries";
        sqlx::query(ENTRIES)
            .bind(self.rows.iter().map(|row| row.log).collect::<Vec<_>>())
            .bind(self.rows.iter().map(|row| row.index).collect::<Vec<_>>())
            .bind(self.rows.iter().map(|row| row.event).collect::<Vec<_>>())
            .bind(self.rows.iter().map(|row| row.at).collect::<Vec<_>>())
            .bind(self.rows.iter().map(|row| row.request).collect::<Vec<_>>())
            .bind(self.rows.iter().map(|row| row.version).collect::<Vec<_>>())
            .bind(self.rows.iter().map(|row| row.seq).collect::<Vec<_>>())
            .bind(self.rows.iter().map(|row| row.prev.to_vec()).collect::<Vec<_>>())
            .bind(self.rows.iter().map(|row| row.leaf.to_vec()).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await
            .map_err(Error::at(doing))?;
        if self.nodes.is_empty() {
            return Ok(());
        }
        sqlx::query(NODES)
            .bind(self.nodes.iter().map(|node| node.0).collect::<Vec<_>>())
            .bind(self.nodes.iter().map(|node| node.1).collect::<Vec<_>>())
            .bind(self.nodes.iter().map(|node| node.2).collect::<Vec<_>>())
            .bind(self.nodes.iter().map(|node| node.3.clone()).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await
            .map_err(Error::at(doing))?;
        Ok(())
    }
}
