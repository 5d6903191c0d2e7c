//! Connecting, checking and migrating.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Row as _};

use crate::error::Error;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// How to connect.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `postgres://user@host:port/database`.
    pub url: String,
    /// Most connections at once.
    pub connections: u32,
    /// Shown in `pg_stat_activity`.
    pub name: String,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
    /// Whether connections were found to have sessions of their own.
    has_sessions: Arc<AtomicBool>,
}

/// A lock is held for one short transaction; a statement that waits longer fails and is retried later.
const PATIENT: [(&str, &str); 2] = [("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "60s")];

/// Connection options, and settings for every session.
///
/// Settings are made after connecting and not as start-up parameters, because poolers such as PgBouncer refuse connections with
/// parameters that they do not know.
fn pool(options: &StoreOptions, settings: &[(&str, &str)]) -> Result<(PgPoolOptions, PgConnectOptions), Error> {
    const SET: &str = "select set_config(name, value, false) from unnest($1::text[], $2::text[]) as s(name, value)";
    let connect = PgConnectOptions::from_str(&options.url)
        .map_err(Error::at("reading the database URL"))?
        .application_name(&options.name)
        .extra_float_digits(None);
    let (names, values): (Vec<String>, Vec<String>) =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).unzip();
    let pool = PgPoolOptions::new().max_connections(options.connections).after_connect(move |connection, _| {
        let (names, values) = (names.clone(), values.clone());
        Box::pin(async move {
            sqlx::query(SET).bind(names).bind(values).persistent(false).execute(connection).await.map(drop)
        })
    });
    Ok((pool, connect))
}

impl Store {
    /// Connects, and retries for as long as `patience`.
    ///
    /// # Errors
    /// When the server does not answer, or when it could lose committed work in a crash.
    pub async fn connect(options: &StoreOptions, patience: Duration) -> Result<Self, Error> {
        let (pool, connect) = pool(options, &PATIENT)?;
        let doing = "connecting to the database";
        let pool = match pool.min_connections(0).acquire_timeout(patience).connect_with(connect.clone()).await {
            // The pool retries until its time is up and does not report why: one more attempt does.
            Err(sqlx::Error::PoolTimedOut) => {
                let asking = tokio::time::timeout(Duration::from_secs(2), PgConnection::connect_with(&connect)).await;
                let refused = asking.ok().and_then(Result::err).unwrap_or(sqlx::Error::PoolTimedOut);
                return Err(Error::at(doing)(refused));
            }
            made => made.map_err(Error::at(doing))?,
        };
        let store = Self::of(pool);
        let value = store.setting("synchronous_commit").await?;
        if value == "off" {
            return Err(Error::Unsafe { setting: "synchronous_commit", value, needed: "on" });
        }
        Ok(store)
    }

    fn of(pool: PgPool) -> Self {
        Self { pool, has_sessions: Arc::default() }
    }

    /// Connects without waiting for the server: the first query will.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn connect_lazily(options: &StoreOptions) -> Result<Self, Error> {
        Self::lazily(options, &[])
    }

    /// Connects the portal without waiting for the server.
    ///
    /// Pages must be answered from indexes: a search for a value that half the log has would otherwise read all of the log.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn connect_portal(options: &StoreOptions) -> Result<Self, Error> {
        Self::lazily(options, &[("jit", "off"), ("enable_seqscan", "off")])
    }

    /// Connects a worker without waiting for the server.
    ///
    /// Workers query by key, with arrays of any length. A plan made while a table was empty, or for statistics older than
    /// the last thousand requests, must not read a whole table for each batch.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn connect_worker(options: &StoreOptions) -> Result<Self, Error> {
        let by_key = [
            ("plan_cache_mode", "force_generic_plan"),
            ("jit", "off"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
        ];
        Self::lazily(options, &by_key)
    }

    fn lazily(options: &StoreOptions, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let (pool, connect) = pool(options, &[&PATIENT, settings].concat())?;
        Ok(Self::of(pool.acquire_timeout(Duration::from_secs(5)).connect_lazy_with(connect)))
    }

    /// Connects for queries that are useless when their answer is late: the server cancels them too.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn connect_briefly(options: &StoreOptions, limit: Duration) -> Result<Self, Error> {
        let milliseconds = limit.as_millis().to_string();
        let settings = [
            ("statement_timeout", milliseconds.as_str()),
            ("lock_timeout", milliseconds.as_str()),
            ("default_transaction_read_only", "on"),
            // The few statements used here are planned once, never again while a caller waits.
            ("plan_cache_mode", "force_generic_plan"),
            ("jit", "off"),
        ];
        let (pool, connect) = pool(options, &settings)?;
        // Testing a connection costs as much as the query; a broken connection makes the query fail.
        let pool = pool.acquire_timeout(limit).test_before_acquire(false).connect_lazy_with(connect);
        Ok(Self::of(pool))
    }

    /// Checks that the database accepts writes. A read-only connection is closed: after a failover the next one
    /// may lead to another server.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], or when the database does not answer.
    pub async fn check_writable(&self) -> Result<(), Error> {
        let doing = "checking that the database accepts writes";
        let mut connection = self.pool.acquire().await.map_err(Error::at(doing))?;
        let asking = sqlx::query_scalar("select current_setting('transaction_read_only')").fetch_one(&mut *connection);
        let is_read_only: String = asking.await.map_err(Error::at(doing))?;
        if is_read_only == "on" {
            connection.close_on_drop();
            return Err(Error::ReadOnly);
        }
        Ok(())
    }

    /// Checks that a connection has a session of its own. Locks, settings and prepared statements belong to
    /// sessions; behind a pooler in transaction mode, sessions are shared.
    ///
    /// # Errors
    /// [`Error::Pooled`], or when the database does not answer.
    pub async fn check_sessions(&self) -> Result<(), Error> {
        let doing = "checking that connections have sessions of their own";
        if self.has_sessions.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Such a pooler gives each statement the session that was used last, so that two connections share it.
        let options = (*self.pool.connect_options()).clone();
        let mut one = PgConnection::connect_with(&options).await.map_err(Error::at(doing))?;
        let mut other = PgConnection::connect_with(&options).await.map_err(Error::at(doing))?;
        let mut sessions = [None; 2];
        for _ in 0..3 {
            for (connection, session) in [&mut one, &mut other].into_iter().zip(&mut sessions) {
                let row =
                    sqlx::raw_sql("select pg_backend_pid()").fetch_one(connection).await.map_err(Error::at(doing))?;
                let pid: i32 = row.try_get(0).map_err(Error::at(doing))?;
                if *session.get_or_insert(pid) != pid {
                    return Err(Error::Pooled);
                }
            }
        }
        if sessions[0] == sessions[1] {
            return Err(Error::Pooled);
        }
        self.has_sessions.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// A setting of the server.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn setting(&self, name: &str) -> Result<String, Error> {
        const SHOW: &str = "select current_setting($1)";
        sqlx::query_scalar(SHOW).bind(name).fetch_one(&self.pool).await.map_err(Error::at("reading a setting"))
    }

    /// The database's clock, the only one that decides.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn clock(&self) -> Result<DateTime<Utc>, Error> {
        const CLOCK: &str = "select clock_timestamp()";
        sqlx::query_scalar(CLOCK).fetch_one(&self.pool).await.map_err(Error::at("reading the clock"))
    }

    /// Applies database migrations. Several processes may do so at once.
    ///
    /// # Errors
    /// When a migration fails.
    pub async fn migrate(&self) -> Result<(), Error> {
        MIGRATIONS.run(&self.pool).await.map_err(Error::Migrate)
    }

    /// Creates the database's groups of rights and grants each its rights. Safe to repeat.
    ///
    /// # Errors
    /// When the login may not create roles, or the database does not answer.
    pub async fn grant_rights(&self) -> Result<(), Error> {
        const ROLES: &str = include_str!("roles.sql");
        let granting = sqlx::raw_sql(ROLES).execute(&self.pool).await;
        granting.map(drop).map_err(Error::at("granting rights to the database groups"))
    }

    /// Checks that the schema is the one this program was built for.
    ///
    /// # Errors
    /// [`Error::Schema`] when it is older or newer.
    pub async fn check_schema(&self) -> Result<(), Error> {
        let wanted = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
        let found = self.schema_version().await?;
        if found == Some(wanted) { Ok(()) } else { Err(Error::Schema { found, needed: wanted }) }
    }

    /// Number of the last migration that was applied; `None` when the database has no schema yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schema_version(&self) -> Result<Option<i64>, Error> {
        const APPLIED: &str = "select max(version) from _sqlx_migrations where success";
        match sqlx::query_scalar(APPLIED).fetch_one(&self.pool).await {
            Ok(found) => Ok(found),
            Err(sqlx::Error::Database(fault)) if fault.code().as_deref() == Some("42P01") => Ok(None),
            Err(source) => Err(Error::at("reading the schema version")(source)),
        }
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
