//! A schema of a Postgres database: a login role a grant, with the grant's end as its own, that is dropped afterwards.
//!
//! `VALID UNTIL` refuses passwords after the end and cuts no session, so opening leaves a guard in the target: a session
//! of the target's own that cuts what goes on beyond its end, with every process of ours dead ([`guard`]). The server
//! must ask these roles for a password (`scram-sha-256` in `pg_hba.conf`, never `trust`).

use async_trait::async_trait;
use chrono::SecondsFormat;
use sha2::{Digest as _, Sha256};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgPool, PgPoolOptions};
use uuid::Uuid;

use crate::order::{Connector, Fault, Found, Mode, Order};

mod guard;

/// Our mark: roles of this name are ours.
const MARK: &str = "lockbox_";
/// Connections that one engineer may hold.
const CONNECTIONS: u32 = 5;

/// One database.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: PgPool,
    secret: Vec<u8>,
}

fn fault(error: sqlx::Error) -> Fault {
    let is_ours =
        matches!(&error, sqlx::Error::Database(said) if said.code().is_some_and(|code| code.starts_with("42")));
    let said = format!("the target database: {error}");
    if is_ours { Fault::Permanent(said) } else { Fault::Transient(said) }
}

/// The role of a grant.
pub fn login(grant: Uuid) -> String {
    format!("{MARK}{}", grant.simple())
}

/// The schema that a resource names: its last part, plain.
fn schema(resource: &str) -> Result<&str, Fault> {
    let name = resource.rsplit('/').next().unwrap_or_default();
    let is_plain = name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_lowercase());
    if is_plain && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        Ok(name)
    } else {
        Err(Fault::Permanent(format!("{resource:?} names no schema: lower case letters, digits and _")))
    }
}

impl Postgres {
    /// A database, by the URL of a login that may make roles and grant on its schemas. Passwords follow from the secret, so
    /// that opening twice is opening once.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn new(url: &str, secret: &[u8]) -> Result<Self, Fault> {
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(std::time::Duration::from_secs(5));
        let pool = pool.connect_lazy(url).map_err(fault)?;
        Ok(Self { pool, secret: secret.to_vec() })
    }

    /// The password of a grant's role. The secret's length stands before it, so that no other secret and grant look the
    /// same.
    pub fn password(&self, grant: Uuid) -> String {
        let mut hash = Sha256::new();
        hash.update(u64::try_from(self.secret.len()).unwrap_or_default().to_be_bytes());
        hash.update(&self.secret);
        hash.update(grant);
        hex::encode(Sha256::digest(hash.finalize()))
    }

    /// Every word in such a statement is ours: hexadecimal digits, plain names and times.
    async fn run(&self, statements: String) -> Result<(), Fault> {
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&self.pool).await.map_err(fault)?;
        Ok(())
    }

    async fn is_there(&self, role: &str) -> Result<bool, Fault> {
        let asking = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)").bind(role);
        asking.fetch_one(&self.pool).await.map_err(fault)
    }

    async fn cut(&self, role: &str) -> Result<u64, Fault> {
        let cut: i64 = sqlx::query_scalar(
            "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity where usename = $1",
        )
        .bind(role)
        .fetch_one(&self.pool)
        .await
        .map_err(fault)?;
        Ok(u64::try_from(cut).unwrap_or_default())
    }
}

#[async_trait]
impl Connector for Postgres {
    async fn open(&self, order: &Order) -> Result<(), Fault> {
        let (role, schema) = (login(order.grant), schema(&order.resource)?);
        let until = order.until.to_rfc3339_opts(SecondsFormat::Micros, true);
        let asking = sqlx::query_scalar("select clock_timestamp() >= $1").bind(order.until);
        let is_over: bool = asking.fetch_one(&self.pool).await.map_err(fault)?;
        if is_over {
            return Err(Fault::Permanent("the end has passed by the target's clock".to_owned()));
        }
        let verb = if self.is_there(&role).await? { "alter" } else { "create" };
        let (tables, sequences, read_only) = match order.mode {
            Mode::ReadOnly => ("select", "select", "on"),
            Mode::ReadWrite => ("select, insert, update, delete", "usage, select", "off"),
        };
        self.run(format!(
            "begin; {verb} role {role} login nosuperuser nocreatedb nocreaterole noreplication connection limit {CONNECTIONS} \
             password '{}' valid until '{until}'; alter role {role} set default_transaction_read_only = {read_only}; \
             grant usage on schema {schema} to {role}; grant {tables} on all tables in schema {schema} to {role}; \
             grant {sequences} on all sequences in schema {schema} to {role}; commit",
            self.password(order.grant)
        ))
        .await?;
        // Nobody is told of an access whose end the target does not keep by itself.
        guard::set(&self.pool).await.map_err(fault)
    }

    async fn close(&self, order: &Order) -> Result<(), Fault> {
        let role = login(order.grant);
        if self.is_there(&role).await? {
            // First nobody new, then nobody at all.
            self.run(format!("alter role {role} nologin")).await?;
            self.cut(&role).await?;
            self.run(format!("begin; drop owned by {role}; drop role {role}; commit")).await?;
        }
        self.cut(&role).await.map(drop)
    }

    async fn terminate_sessions(&self, order: &Order) -> Result<u64, Fault> {
        self.cut(&login(order.grant)).await
    }

    async fn probe(&self, order: &Order) -> Result<Found, Fault> {
        let is_open: bool = sqlx::query_scalar(
            "select exists (select from pg_roles where rolname = $1 and rolcanlogin \
             and (rolvaliduntil is null or clock_timestamp() < rolvaliduntil)) \
             or exists (select from pg_stat_activity where usename = $1)",
        )
        .bind(login(order.grant))
        .fetch_one(&self.pool)
        .await
        .map_err(fault)?;
        Ok(if is_open { Found::Open } else { Found::Closed })
    }

    async fn marked(&self) -> Result<Vec<Uuid>, Fault> {
        let names: Vec<String> = sqlx::query_scalar("select rolname from pg_roles where starts_with(rolname, $1)")
            .bind(MARK)
            .fetch_all(&self.pool)
            .await
            .map_err(fault)?;
        if !names.is_empty() {
            // A server that was started anew has none.
            guard::set(&self.pool).await.map_err(fault)?;
        }
        Ok(names.iter().filter_map(|name| Uuid::parse_str(name.strip_prefix(MARK)?).ok()).collect())
    }
}
