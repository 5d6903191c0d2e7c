//! Archiving months of events: the obstacles, and the archiving itself. It needs the login that owns the tables.

use chrono::{DateTime, NaiveDate, Utc};
use contracts::events::{Actor, Operation};
use sqlx::AssertSqlSafe;

use crate::error::Error;
use crate::operations::record_operation;
use crate::pool::Store;

/// A month that can be archived.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Month {
    /// Its table.
    pub name: String,
    /// Its first day, in UTC.
    pub month: NaiveDate,
    /// Its start.
    pub since: DateTime<Utc>,
    /// Its end.
    pub until: DateTime<Utc>,
}

/// What must finish before a month can be archived; all values are 0 when nothing is left.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Obstacles {
    /// Events without a position in a log, or without a signed checkpoint over it.
    pub unsigned: i64,
    /// Requests that are not in a final state.
    pub open: i64,
    /// Events that are not delivered to a webhook yet.
    pub undelivered: i64,
    /// Destinations that have not accepted all of it.
    pub unforwarded: i64,
}

/// The entries of one log in a month.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Part {
    /// Number of the log.
    pub log: i32,
    /// Tenant's short name.
    pub tenant: Option<String>,
    /// Number of entries.
    pub entries: i64,
    /// First entry that stays readable: the start of the tile after the last complete tile of the month.
    pub cut: i64,
}

/// A part that was exported and verified.
#[derive(Clone, Debug)]
pub struct Archived {
    /// The part.
    pub part: Part,
    /// Name of the bundle.
    pub bundle: String,
    /// SHA-256 of the bundle.
    pub sha256: Vec<u8>,
}

impl Archived {
    fn sentence(&self) -> String {
        let sha256: String = self.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} entries are archived in {}, SHA-256 {sha256}", self.part.entries, self.bundle)
    }
}

const MONTHS: &str = "select c.relname::text as name, m.month, m.month::timestamp at time zone 'UTC' as since, \
                      (m.month + interval '1 month') at time zone 'UTC' as until \
                      from pg_inherits i join pg_class c on c.oid = i.inhrelid \
                      cross join lateral (select to_date(substring(c.relname from '\\d{4}_\\d{2}$'), 'YYYY_MM') as month) m \
                      where i.inhparent = 'audit_events'::regclass and c.relname ~ '^audit_events_\\d{4}_\\d{2}$' \
                      and m.month < $1 order by m.month";
const OBSTACLES: &str = "select (select count(*) from audit_events a left join audit_entries e on e.event = a.id \
                         where a.at >= $1 and a.at < $2 and not exists (select from audit_quarantine q where q.event = a.id) \
                         and not exists (select from audit_checkpoints c \
                         where c.log = e.log and c.size > e.index)) as unsigned, \
                         (select count(*) from requests r where r.finished_at is null and r.submitted_at < $2) as open, \
                         (select count(*) from webhook_deliveries d join audit_events a on a.id = d.event \
                         where a.at >= $1 and a.at < $2 and d.failed_at is null) as undelivered, \
                         (select count(*) from audit_forwards f where exists (select from audit_entries e \
                         where e.log = f.log and e.index >= f.next and e.at >= $1 and e.at < $2)) as unforwarded";
const PARTS: &str = "select e.log, l.tenant, count(*) as entries, (max(e.index) + 1) / 256 * 256 as cut \
                     from audit_entries e join audit_logs l on l.id = e.log where e.at >= $1 and e.at < $2 \
                     group by e.log, l.tenant order by e.log";
const RECORD: &str =
    "insert into audit_archives (log, month, cut, entries, bundle, sha256) values ($1, $2, $3, $4, $5, $6)";
const WORDS: &str = "update texts t set text = null, salt = null, redacted_at = clock_timestamp() from audit_entries e \
                     where e.event = t.event and t.text is not null and e.at >= $1 and e.at < $2 \
                     and e.log = $3 and e.index < $4";
const PATIENCE: &str = "set local lock_timeout = '5s'";
const BEFORE: &str = "select (max(month) + interval '1 month') at time zone 'UTC' from audit_archives";

impl Store {
    /// Months before this day that are not archived yet, oldest first; never the current month or the one before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn months_before(&self, day: NaiveDate) -> Result<Vec<Month>, Error> {
        let doing = "reading the months of the audit log";
        let keep = domain::retention::first_month_to_keep(self.clock().await?);
        sqlx::query_as(MONTHS).bind(day.min(keep)).fetch_all(&self.pool).await.map_err(Error::at(doing))
    }

    /// The obstacles to archiving a month.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn obstacles(&self, month: &Month) -> Result<Obstacles, Error> {
        let looking = sqlx::query_as(OBSTACLES).bind(month.since).bind(month.until).fetch_one(&self.pool);
        looking.await.map_err(Error::at("checking the obstacles to archiving a month"))
    }

    /// The logs that have entries of a month.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn parts(&self, month: &Month) -> Result<Vec<Part>, Error> {
        let looking = sqlx::query_as(PARTS).bind(month.since).bind(month.until).fetch_all(&self.pool);
        looking.await.map_err(Error::at("reading the entries of a month"))
    }

    /// Archives a month in one transaction: its table is detached, and stays in the database until it is dropped. The last
    /// entries of each log, whose tile continues in a later month, stay readable. Texts are removed with their events.
    ///
    /// # Errors
    /// When the login does not own the tables, a lock is not available within five seconds, or the database does not answer.
    pub async fn archive_month(&self, month: &Month, archived: &[Archived], actor: Actor) -> Result<(), Error> {
        let doing = "archiving a month of events";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        sqlx::query(PATIENCE).execute(&mut *tx).await.map_err(Error::at(doing))?;
        let name = &month.name;
        let detaching = format!("alter table audit_events detach partition {name}");
        sqlx::query(AssertSqlSafe(detaching)).execute(&mut *tx).await.map_err(Error::at(doing))?;
        for one in archived {
            let part = &one.part;
            // Not through the parent table, whose trigger would send the events to webhooks again.
            let keeping = format!(
                "insert into audit_events_other select a.* from {name} a join audit_entries e on e.event = a.id \
                 where e.log = $1 and e.index >= $2"
            );
            let keeping = sqlx::query(AssertSqlSafe(keeping)).bind(part.log).bind(part.cut).execute(&mut *tx);
            keeping.await.map_err(Error::at(doing))?;
            let words = sqlx::query(WORDS).bind(month.since).bind(month.until).bind(part.log).bind(part.cut);
            words.execute(&mut *tx).await.map_err(Error::at(doing))?;
            sqlx::query(RECORD)
                .bind(part.log)
                .bind(month.month)
                .bind(part.cut)
                .bind(part.entries)
                .bind(&one.bundle)
                .bind(&one.sha256)
                .execute(&mut *tx)
                .await
                .map_err(Error::at(doing))?;
        }
        let details = archived.iter().map(Archived::sentence).collect();
        record_operation(&mut tx, Operation::AuditArchive, None, details, actor).await?;
        tx.commit().await.map_err(Error::at(doing))
    }

    /// The time before which events are archived, if any are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn archived_before(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let looking = sqlx::query_scalar(BEFORE).fetch_one(&self.pool);
        looking.await.map_err(Error::at("reading what is archived"))
    }
}
