//! Signatures over the logs: checkpoints, the keys that sign them, and the signatures of witnesses.

use chrono::{DateTime, Utc};
use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{self, Actor, LogKeyChanged};
use uuid::Uuid;

use super::Head;
use crate::error::Error;
use crate::pool::Store;

/// Key of the lock that lets only one signer run.
const LOCK_KEY: i64 = 7_305_181_403;

/// A signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CheckpointRow {
    /// Entries it covers.
    pub size: i64,
    /// The signed note, with the signatures of witnesses so far.
    pub note: String,
    /// When it was signed.
    pub signed_at: DateTime<Utc>,
}

/// A log that has grown since it was signed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Unsigned {
    /// The head.
    #[sqlx(flatten)]
    pub head: Head,
    /// Number of entries that its latest checkpoint covers.
    pub signed: i64,
}

/// A witness of a tenant, and how far it has signed the tenant's log.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct WitnessRow {
    /// Number of the log.
    pub log: i32,
    /// The witness's name.
    pub name: String,
    /// URL of the witness.
    pub url: String,
    /// Its public key.
    pub key: String,
    /// Number of entries that its latest signature covers.
    pub seen: i64,
    /// Number of entries that the latest checkpoint covers.
    pub size: i64,
    /// The latest checkpoint, signed by the log.
    pub note: String,
}

/// How complete a tenant's log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completeness {
    /// Entries in the log.
    pub entries: i64,
    /// Recorded events without a position yet, counted among the first thousand of all logs.
    pub waiting: i64,
    /// Recorded events that a verifier would not accept; they get no position.
    pub quarantined: i64,
    /// The latest checkpoint.
    pub checkpoint: Option<CheckpointRow>,
    /// Its root in base64.
    pub root: Option<String>,
}

const UNSIGNED: &str = "select l.id, l.tenant, l.origin, l.size, l.root, coalesce(c.size, 0) as signed from audit_logs l \
                        left join lateral (select size from audit_checkpoints c where c.log = l.id order by size desc limit 1) c on true \
                        where l.size > coalesce(c.size, 0) order by l.id";
const KEEP: &str = "insert into audit_checkpoints (log, size, root, note) \
                    select * from unnest($1::int[], $2::bigint[], $3::bytea[], $4::text[]) on conflict do nothing";
const KEYS: &str = "select log, key from audit_keys order by log, added_at, key";
const KEYS_OF: &str = "select k.key from audit_keys k join audit_logs l on l.id = k.log \
                       where l.tenant is not distinct from $1 order by k.added_at, k.key";
const ADD_KEY: &str = "insert into audit_keys (log, key) values ($1, $2) on conflict do nothing";
const LATEST: &str = "select c.size, c.note || coalesce((select string_agg(s.line || E'\\n', '' order by s.witness) \
                      from audit_cosignatures s where s.log = c.log and s.size = c.size), '') as note, c.signed_at \
                      from audit_checkpoints c join audit_logs l on l.id = c.log \
                      where l.tenant is not distinct from $1 order by c.size desc limit 1";
const WITNESSES: &str = "select l.id as log, w.name, w.url, w.key, coalesce(s.size, 0) as seen, c.size, c.note \
                         from witnesses w join tenants t on t.id = w.tenant join audit_logs l on l.tenant = t.name \
                         cross join lateral (select size, note from audit_checkpoints c where c.log = l.id order by size desc limit 1) c \
                         left join lateral (select size from audit_cosignatures s where s.log = l.id and s.witness = w.name \
                         order by size desc limit 1) s on true \
                         where c.size > coalesce(s.size, 0) and w.url <> '' order by l.id, w.name";
const COSIGN: &str =
    "insert into audit_cosignatures (log, size, witness, line) values ($1, $2, $3, $4) on conflict do nothing";
const PROVED: &str = "select access_is_proved($1)";
const WAITING: &str = "select count(*) from (select id, at from audit_staged limit 1000) s \
                       cross join lateral (select tenant from audit_events a where a.id = s.id and a.at = s.at limit 1) a \
                       where a.tenant is not distinct from $1";
// An index does not help a count of everything, whatever the connection prefers.
const READ_WHOLE_TABLES: &str = "set local enable_seqscan = on";
const INCOMPLETE: &str = "select count(*) from requests r join tenants t on t.id = r.tenant where t.name = $1 \
                          and not exists (select from audit_streams s where s.stream = r.id and s.version = r.version)";
const HOLD: &str = "select pg_try_advisory_lock($1)";
const CLOCK: &str = "select clock_timestamp()";
const OLDEST: &str = "select coalesce(extract(epoch from clock_timestamp() - min(recorded_at)), 0)::float8 \
                      from audit_staged s join audit_events a on a.id = s.id and a.at = s.at";

/// The lock of the one running signer, on a connection of its own. It ends with the connection.
#[derive(Debug)]
pub struct SignerLock {
    held: sqlx::PgConnection,
}

impl SignerLock {
    /// Whether the connection of the lock still works.
    pub async fn is_held(&mut self) -> bool {
        sqlx::query(CLOCK).execute(&mut self.held).await.is_ok()
    }

    /// Releases the lock and closes its connection.
    pub async fn release(self) {
        drop(sqlx::Connection::close(self.held).await);
    }
}

impl Store {
    /// Makes this process the signer; `None` when another process is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn signer_lock(&self) -> Result<Option<SignerLock>, Error> {
        let doing = "locking the signer";
        self.check_sessions().await?;
        let mut held = self.pool.acquire().await.map_err(Error::at(doing))?.detach();
        let is_ours: bool =
            sqlx::query_scalar(HOLD).bind(LOCK_KEY).fetch_one(&mut held).await.map_err(Error::at(doing))?;
        Ok(is_ours.then_some(SignerLock { held }))
    }

    /// Logs that have grown since their latest checkpoint.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unsigned_heads(&self) -> Result<Vec<Unsigned>, Error> {
        sqlx::query_as(UNSIGNED).fetch_all(&self.pool).await.map_err(Error::at("reading the logs to sign"))
    }

    /// Stores signed checkpoints.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn store_checkpoints(&self, signed: &[(Head, String)]) -> Result<(), Error> {
        sqlx::query(KEEP)
            .bind(signed.iter().map(|(head, _)| head.id).collect::<Vec<_>>())
            .bind(signed.iter().map(|(head, _)| head.size).collect::<Vec<_>>())
            .bind(signed.iter().map(|(head, _)| head.root.clone()).collect::<Vec<_>>())
            .bind(signed.iter().map(|(_, note)| note.as_str()).collect::<Vec<_>>())
            .execute(&self.pool)
            .await
            .map_err(Error::at("storing checkpoints"))?;
        Ok(())
    }

    /// Public keys of every log, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn all_log_keys(&self) -> Result<Vec<(i32, String)>, Error> {
        sqlx::query_as(KEYS).fetch_all(&self.pool).await.map_err(Error::at("reading the keys of the logs"))
    }

    /// Public keys of one log, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_keys(&self, tenant: Option<&str>) -> Result<Vec<String>, Error> {
        let reading = sqlx::query_scalar(KEYS_OF).bind(tenant).fetch_all(&self.pool);
        reading.await.map_err(Error::at("reading the keys of a log"))
    }

    /// Adds a key to a log, with its event.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn add_log_key(&self, head: &Head, key: &str, previous: Option<&str>) -> Result<(), Error> {
        let doing = "adding a key to a log";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        let added = sqlx::query(ADD_KEY).bind(head.id).bind(key).execute(&mut *tx).await.map_err(Error::at(doing))?;
        if added.rows_affected() > 0 {
            let now = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await.map_err(Error::at(doing))?;
            let data = LogKeyChanged {
                log: head.origin.clone(),
                key: key.to_owned(),
                previous: previous.map(str::to_owned),
                actor: Actor::lockbox(),
            };
            let about = About { tenant: head.tenant.clone(), ..About::default() };
            let event = message(Kind::LogKeyChanged, now, about, &data);
            if let Ok(indexed) = events::index(&event.body) {
                crate::audit::record(&mut tx, &[(indexed, event.body.as_slice())]).await?;
            }
        }
        tx.commit().await.map_err(Error::at(doing))
    }

    /// The latest checkpoint of a log, with the signatures of witnesses.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn latest_checkpoint(&self, tenant: Option<&str>) -> Result<Option<CheckpointRow>, Error> {
        let reading = sqlx::query_as(LATEST).bind(tenant).fetch_optional(&self.pool);
        reading.await.map_err(Error::at("reading the latest checkpoint"))
    }

    /// Witnesses that have not signed the latest checkpoint of their tenant's log yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pending_witnesses(&self) -> Result<Vec<WitnessRow>, Error> {
        let reading = sqlx::query_as(WITNESSES).fetch_all(&self.pool);
        reading.await.map_err(Error::at("reading the witnesses to ask"))
    }

    /// Stores a witness's signature of a checkpoint.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    pub async fn store_cosignature(&self, log: i32, size: i64, witness: &str, line: &str) -> Result<(), Error> {
        let keeping = sqlx::query(COSIGN).bind(log).bind(size).bind(witness).bind(line).execute(&self.pool);
        keeping.await.map_err(Error::at("storing the signature of a witness"))?;
        Ok(())
    }

    /// Whether access has the proof that the tenant requires: both approvals are in the log, signed and witnessed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn access_is_proved(&self, request: Uuid) -> Result<bool, Error> {
        let asking = sqlx::query_scalar(PROVED).bind(request).fetch_one(&self.pool);
        asking.await.map_err(Error::at("checking the proof of access"))
    }

    /// Age in seconds of the oldest recorded event without a position; 0 when there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn staged_seconds(&self) -> Result<f64, Error> {
        sqlx::query_scalar(OLDEST).fetch_one(&self.pool).await.map_err(Error::at("reading the age of staged events"))
    }

    /// How complete the log of a tenant, or the operator's log, is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn completeness(&self, tenant: Option<&str>) -> Result<Completeness, Error> {
        let doing = "checking whether a log is complete";
        let entries = self.log_head(tenant).await?.map_or(0, |head| head.size);
        let waiting = sqlx::query_scalar(WAITING).bind(tenant).fetch_one(&self.pool).await.map_err(Error::at(doing))?;
        let quarantined = self.quarantined_in(tenant).await?;
        let checkpoint = self.latest_checkpoint(tenant).await?;
        let root = checkpoint.as_ref().and_then(|latest| latest.note.lines().nth(2)).map(str::to_owned);
        Ok(Completeness { entries, waiting, quarantined, checkpoint, root })
    }

    /// Requests of a tenant whose steps are not all in its log. Scans all requests.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn incomplete_requests(&self, tenant: &str) -> Result<i64, Error> {
        let doing = "counting the requests that are incomplete in a log";
        let mut tx = self.pool.begin().await.map_err(Error::at(doing))?;
        sqlx::query(READ_WHOLE_TABLES).execute(&mut *tx).await.map_err(Error::at(doing))?;
        sqlx::query_scalar(INCOMPLETE).bind(tenant).fetch_one(&mut *tx).await.map_err(Error::at(doing))
    }
}
