//! Assigns positions to recorded events: the next indices of each log, the next link of each stream's chain, and the tree
//! above them. Each batch is one transaction. The head moves by compare-and-set, so that two sequencers that run at once
//! cannot fork a log: one of them fails and starts again.

use std::collections::{BTreeMap, HashMap, VecDeque};

use contracts::envelope::{About, message};
use contracts::events::{Actor, LogHeartbeat};
use contracts::{Kind, entry, events};
use sqlx::{Postgres, Transaction};
use tlog::{Frontier, Hash, tiles_for_root};
use uuid::Uuid;

use super::staged::Staged;
use super::{Head, quarantine};
use crate::error::Error;
use crate::pool::Store;

mod place;

use place::{Placed, Stream, Streams};

/// Key of the lock that lets only one sequencer run.
const LOCK_KEY: i64 = 7_305_181_402;

/// Result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Another sequencer is running.
    Elsewhere,
    /// This sequencer processed a batch.
    Done {
        /// Events that got their position.
        placed: usize,
        /// Events that wait for an earlier step.
        held: usize,
        /// Events that a verifier would not accept; they get no position.
        quarantined: usize,
    },
}

/// Assigns positions. It caches the right edge of each tree, and uses it only while it matches the head.
#[derive(Debug)]
pub struct Sequencer {
    store: Store,
    authority: String,
    edges: HashMap<i32, Frontier>,
    locks: bool,
}

const TRY: &str = "select pg_try_advisory_xact_lock($1)";
const TAKE: &str = "select s.n, s.id, s.at, s.request, s.version, a.tenant, a.type, a.body \
                    from (select * from audit_staged where look_after <= clock_timestamp() order by look_after, n limit $1) s \
                    join audit_events a on a.id = s.id and a.at = s.at order by s.look_after, s.n";
const BEGIN: &str =
    "insert into audit_logs (tenant, origin) select * from unnest($1::text[], $2::text[]) on conflict do nothing";
const HEADS: &str =
    "select id, tenant, origin, size, root from audit_logs where tenant = any($1) or (tenant is null and $2)";
const STREAMS: &str = "select s.log, s.stream, s.seq, s.version, s.leaf from unnest($1::int[], $2::uuid[]) as w(log, stream) \
                       join audit_streams s on s.log = w.log and s.stream = w.stream";
const KNOWN: &str = "select event from audit_entries where event = any($1)";
const DEFER: &str = "update audit_staged set look_after = clock_timestamp() + interval '1 second' where n = any($1)";
const UNSTAGE: &str = "delete from audit_staged where n = any($1)";
const TENANTS: &str = "select name from tenants order by name";
const BEATS: &str = "update audit_logs set heartbeat_at = clock_timestamp() \
                     where heartbeat_at < clock_timestamp() - make_interval(secs => $1) returning id, tenant, origin, size, root";
// Verifiers reject an event that is an hour older than a heartbeat before it (docs/audit-format.md §11, rule 10).
const IS_BEHIND: &str = "select exists (select from outbox where consumer = 'audit' and created_at < clock_timestamp() - interval '20 minutes') \
                         or exists (select from audit_staged where at < clock_timestamp() - interval '20 minutes')";
const CLOCK: &str = "select clock_timestamp()";

impl Sequencer {
    /// A sequencer that names new logs under `authority`.
    pub fn new(store: Store, authority: &str) -> Self {
        Self { store, authority: authority.to_owned(), edges: HashMap::new(), locks: true }
    }

    /// A sequencer without the lock, for tests: a log must not fork even then.
    #[must_use]
    pub fn without_lock(self) -> Self {
        Self { locks: false, ..self }
    }

    /// Processes up to `limit` events.
    ///
    /// # Errors
    /// When the database refuses, does not answer, or another sequencer was faster; then nothing was changed.
    pub async fn turn(&mut self, limit: i64) -> Result<Turn, Error> {
        let done = self.try_turn(limit).await;
        if done.is_err() {
            // The cached edges describe a state that was not committed.
            self.edges.clear();
        }
        done
    }

    async fn try_turn(&mut self, limit: i64) -> Result<Turn, Error> {
        let doing = "assigning positions to events";
        let mut tx = self.store.pool.begin().await.map_err(Error::at(doing))?;
        if self.locks && !is_alone(&mut tx).await? {
            return Ok(Turn::Elsewhere);
        }
        let staged: Vec<Staged> =
            sqlx::query_as(TAKE).bind(limit).fetch_all(&mut *tx).await.map_err(Error::at(doing))?;
        if staged.is_empty() {
            return Ok(Turn::Done { placed: 0, held: 0, quarantined: 0 });
        }
        let heads = self.heads(&mut tx, &staged).await?;
        let ids: Vec<Uuid> = staged.iter().map(|staged| staged.id).collect();
        let known: Vec<Uuid> =
            sqlx::query_scalar(KNOWN).bind(ids).fetch_all(&mut *tx).await.map_err(Error::at(doing))?;
        let mut streams = streams(&mut tx, &staged, &heads).await?;
        let mut placed = Placed::default();
        for event in in_step_order(staged) {
            let Some(head) = heads.get(&event.tenant) else { continue };
            if known.contains(&event.id) {
                placed.taken.push(event.n);
                continue;
            }
            let edge = self.edges.entry(head.id).or_default();
            let stream = streams.entry((head.id, event.request.unwrap_or_default())).or_insert_with(Stream::default);
            placed.place(event, head, edge, stream);
        }
        placed.write(&mut tx, &heads, &self.edges, &streams).await?;
        quarantine::write(&mut tx, &placed.refused).await?;
        sqlx::query(UNSTAGE).bind(&placed.taken).execute(&mut *tx).await.map_err(Error::at(doing))?;
        if !placed.held.is_empty() {
            sqlx::query(DEFER).bind(&placed.held).execute(&mut *tx).await.map_err(Error::at(doing))?;
        }
        tx.commit().await.map_err(Error::at(doing))?;
        quarantine::report(&placed.refused);
        Ok(Turn::Done { placed: placed.len(), held: placed.held.len(), quarantined: placed.refused.len() })
    }

    /// The logs of these events, created if needed, each with its right edge in the cache.
    async fn heads(
        &mut self,
        tx: &mut Transaction<'static, Postgres>,
        staged: &[Staged],
    ) -> Result<HashMap<Option<String>, Head>, Error> {
        let tenants: Vec<String> = staged.iter().filter_map(|staged| staged.tenant.clone()).collect();
        let operators = staged.iter().any(|staged| staged.tenant.is_none());
        let mut wanted: Vec<Option<&str>> = tenants.iter().map(|tenant| Some(tenant.as_str())).collect();
        wanted.extend(operators.then_some(None));
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = read_heads(tx, &tenants, operators).await?;
        if found.len() < wanted.len() {
            self.begin(tx, &wanted).await?;
            found = read_heads(tx, &tenants, operators).await?;
        }
        for head in &found {
            let known = self.edges.get(&head.id);
            let is_true = |edge: &Frontier| {
                i64::try_from(edge.size()).ok() == Some(head.size) && edge.root().0.as_slice() == head.root
            };
            if !known.is_some_and(is_true) {
                let edge = self.edge(head).await?;
                if !is_true(&edge) {
                    let problem = format!("the hashes of its {} entries do not lead to its root", head.size);
                    return Err(Error::Tree { origin: head.origin.clone(), problem });
                }
                self.edges.insert(head.id, edge);
            }
        }
        Ok(found.into_iter().map(|head| (head.tenant.clone(), head)).collect())
    }

    async fn edge(&self, head: &Head) -> Result<Frontier, Error> {
        let size = u64::try_from(head.size).unwrap_or_default();
        let tiles = self.store.log_tiles(head.id, &tiles_for_root(size)).await?;
        let fault = |fault: tlog::Error| Error::Tree { origin: head.origin.clone(), problem: fault.to_string() };
        Frontier::from_tiles(size, &tiles).map_err(fault)
    }

    async fn begin(&self, tx: &mut Transaction<'static, Postgres>, wanted: &[Option<&str>]) -> Result<(), Error> {
        let origins: Vec<String> = wanted.iter().map(|tenant| entry::origin(&self.authority, *tenant)).collect();
        let beginning = sqlx::query(BEGIN).bind(wanted).bind(origins).execute(&mut **tx);
        beginning.await.map_err(Error::at("creating a log"))?;
        Ok(())
    }

    /// Creates the log of every tenant that has none, creates the months ahead, and writes a heartbeat into each log that
    /// had none for `period_seconds`. Returns the number of heartbeats. While older events still wait, such as after an outage of
    /// the broker, it writes none: the events come first, and the missing heartbeats show that the log is behind.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn beat(&self, period_seconds: f64) -> Result<usize, Error> {
        const MONTHS: &str = "select audit_prepare_months()";
        let doing = "writing heartbeats";
        let mut tx = self.store.pool.begin().await.map_err(Error::at(doing))?;
        if !is_alone(&mut tx).await? {
            return Ok(0);
        }
        sqlx::query(MONTHS).execute(&mut *tx).await.map_err(Error::at(doing))?;
        let tenants: Vec<String> = sqlx::query_scalar(TENANTS).fetch_all(&mut *tx).await.map_err(Error::at(doing))?;
        let all: Vec<Option<&str>> = tenants.iter().map(|tenant| Some(tenant.as_str())).chain([None]).collect();
        self.begin(&mut tx, &all).await?;
        let is_behind: bool =
            sqlx::query_scalar(IS_BEHIND).fetch_one(&mut *tx).await.map_err(Error::at("looking for waiting events"))?;
        if is_behind {
            tx.commit().await.map_err(Error::at(doing))?;
            return Ok(0);
        }
        let due: Vec<Head> =
            sqlx::query_as(BEATS).bind(period_seconds).fetch_all(&mut *tx).await.map_err(Error::at(doing))?;
        let now = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
        let beat = |head: &Head| {
            let data = LogHeartbeat { log: head.origin.clone(), size: head.size, actor: Actor::lockbox() };
            message(Kind::LogHeartbeat, now, About { tenant: head.tenant.clone(), ..About::default() }, &data)
        };
        let beats: Vec<_> = due.iter().map(beat).collect();
        let indexed = beats.iter().filter_map(|beat| Some((events::index(&beat.body).ok()?, beat.body.as_slice())));
        crate::audit::record(&mut tx, &indexed.collect::<Vec<_>>()).await?;
        tx.commit().await.map_err(Error::at(doing))?;
        Ok(due.len())
    }
}

async fn is_alone(tx: &mut Transaction<'static, Postgres>) -> Result<bool, Error> {
    sqlx::query_scalar(TRY).bind(LOCK_KEY).fetch_one(&mut **tx).await.map_err(Error::at("locking the sequencer"))
}

async fn read_heads(
    tx: &mut Transaction<'static, Postgres>,
    tenants: &[String],
    operators: bool,
) -> Result<Vec<Head>, Error> {
    let reading = sqlx::query_as(HEADS).bind(tenants).bind(operators).fetch_all(&mut **tx);
    reading.await.map_err(Error::at("reading the logs"))
}

async fn streams(
    tx: &mut Transaction<'static, Postgres>,
    staged: &[Staged],
    heads: &HashMap<Option<String>, Head>,
) -> Result<Streams, Error> {
    let wanted =
        || staged.iter().filter_map(|event| Some((heads.get(&event.tenant)?.id, event.request.unwrap_or_default())));
    let rows: Vec<(i32, Uuid, i64, i32, Vec<u8>)> = sqlx::query_as(STREAMS)
        .bind(wanted().map(|(log, _)| log).collect::<Vec<_>>())
        .bind(wanted().map(|(_, stream)| stream).collect::<Vec<_>>())
        .fetch_all(&mut **tx)
        .await
        .map_err(Error::at("reading streams"))?;
    let stream = |(log, stream, seq, version, leaf): (i32, Uuid, i64, i32, Vec<u8>)| {
        let leaf = Hash::from_slice(&leaf).map_or([0; 32], |hash| hash.0);
        ((log, stream), Stream { seq, version, leaf, is_new: false })
    };
    Ok(rows.into_iter().map(stream).collect())
}

/// In their order of arrival, but the steps of each request in the order of their versions.
fn in_step_order(staged: Vec<Staged>) -> Vec<Staged> {
    let mut steps: BTreeMap<Uuid, Vec<(i32, usize)>> = BTreeMap::new();
    for (at, event) in staged.iter().enumerate() {
        if let (Some(request), Some(version)) = (event.request, event.version) {
            steps.entry(request).or_default().push((version, at));
        }
    }
    let mut order: Vec<usize> = (0..staged.len()).collect();
    for mut of_request in steps.into_values().filter(|steps| steps.len() > 1) {
        let mut places: VecDeque<usize> = of_request.iter().map(|(_, at)| *at).collect();
        of_request.sort_unstable();
        for (_, at) in of_request {
            if let Some(place) = places.pop_front() {
                order[place] = at;
            }
        }
    }
    let mut staged: Vec<Option<Staged>> = staged.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| staged[at].take()).collect()
}
