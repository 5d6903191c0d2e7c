//! A schema of a Postgres database: a login role a grant, with the grant's end as its own, that is dropped afterwards.
//!
//! `VALID UNTIL` refuses passwords after the end and cuts no session, so opening leaves a guard in the target: a session
//! of the target's own that cuts what goes on beyond its end, with every process of ours dead ([`guard`]). The server
//! must ask these roles for a password (`scram-sha-256` in `pg_hba.conf`, never `trust`).
//!
//! The connector's login needs no superuser: `CREATEROLE`, and the right to grant on the schema. It makes itself a member
//! of every role that it makes, since only members may cut a role's sessions and drop what it owns.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::SecondsFormat;
use sha2::{Digest as _, Sha256};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use uuid::Uuid;

use crate::order::{Connector, Fault, Found, Order};

mod guard;
mod rights;
mod roles;
mod scram;
mod statements;

use statements::{ROLES, fault, run};

/// Our mark: roles of this name are ours.
const MARK: &str = "lockbox_";
/// How long cut sessions are waited for: twenty looks with this pause.
const PAUSE: Duration = Duration::from_millis(50);

/// One database.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: PgPool,
    secret: Vec<u8>,
    /// Roles of which it was said that they cannot be dropped.
    told: Arc<Mutex<BTreeSet<String>>>,
}

/// The role of a grant.
pub fn login(grant: Uuid) -> String {
    format!("{MARK}{}", grant.simple())
}

/// The schema that a resource names: its last part, plain, and none of Postgres' own.
fn schema(resource: &str) -> Result<&str, Fault> {
    let name = resource.rsplit('/').next().unwrap_or_default();
    let is_plain = name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_plain || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        return Err(Fault::Permanent(format!("{resource:?} names no schema: use lower-case letters, digits and _")));
    }
    if name.starts_with("pg_") || name == "information_schema" {
        return Err(Fault::Permanent(format!("{name} is a schema of Postgres itself; access to it is never given")));
    }
    Ok(name)
}

async fn cut(connection: &mut PgConnection, role: &str) -> Result<u64, Fault> {
    let cut: i64 = sqlx::query_scalar(
        "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity where usename = $1",
    )
    .bind(role)
    .fetch_one(connection)
    .await
    .map_err(fault)?;
    Ok(u64::try_from(cut).unwrap_or_default())
}

/// Waits a second for sessions that were cut; whoever reads back sees what is left.
async fn wait_for_end(connection: &mut PgConnection, role: &str) -> Result<(), Fault> {
    for _ in 0..20 {
        let asking = sqlx::query_scalar("select exists (select from pg_stat_activity where usename = $1)").bind(role);
        let goes_on: bool = asking.fetch_one(&mut *connection).await.map_err(fault)?;
        if !goes_on {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

impl Postgres {
    /// A database, by the URL of a login that may make roles and grant on its schemas. Passwords follow from the secret, so
    /// that opening twice is opening once.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn new(url: &str, secret: &[u8]) -> Result<Self, Fault> {
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
        let pool = pool.connect_lazy(url).map_err(fault)?;
        Ok(Self { pool, secret: secret.to_vec(), told: Arc::default() })
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

    /// Says once that a role stays behind: it lets nobody in any more, and somebody in the target has to look at it.
    fn tell(&self, role: &str, problem: &str) {
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(role.to_owned()) {
            let advice = "it can no longer log in and has no session; drop what depends on it, and it is dropped within a minute";
            tracing::warn!(role, problem, "the target database does not drop a role: {advice}");
        }
    }
}

#[async_trait]
impl Connector for Postgres {
    async fn open(&self, order: &Order) -> Result<(), Fault> {
        let (role, schema) = (login(order.grant), schema(&order.resource)?);
        let until = order.until.to_rfc3339_opts(SecondsFormat::Micros, true);
        let random = |_| Fault::Transient("the system gave no random numbers".to_owned());
        let verifier = scram::verifier(&self.password(order.grant)).map_err(random)?;
        let mut connection = self.pool.acquire().await.map_err(fault)?;
        let mut tx = connection.begin().await.map_err(fault)?;
        roles::check(&mut tx, &role, schema, order.until).await?;
        roles::make(&mut tx, &role, &verifier, &until).await?;
        roles::join(&mut tx, &role).await?;
        roles::grant(&mut tx, &role, schema, order.access_level).await?;
        tx.commit().await.map_err(fault)?;
        std::mem::drop(connection);
        // Nobody is told of an access whose end the target does not keep by itself.
        guard::set(&self.pool).await
    }

    async fn close(&self, order: &Order) -> Result<(), Fault> {
        let role = login(order.grant);
        let mut connection = self.pool.acquire().await.map_err(fault)?;
        if roles::is_there(&mut connection, &role).await? {
            // First nobody new, then nobody at all. What the role owns or may does not keep it open.
            run(&mut connection, format!("alter role {role} nologin password null")).await?;
            roles::join(&mut connection, &role).await?;
            cut(&mut connection, &role).await?;
            wait_for_end(&mut connection, &role).await?;
            if let Err(fault) = roles::drop(&mut connection, &role).await {
                self.tell(&role, &fault.to_string());
            }
        }
        Ok(())
    }

    async fn terminate_sessions(&self, order: &Order) -> Result<u64, Fault> {
        let mut connection = self.pool.acquire().await.map_err(fault)?;
        cut(&mut connection, &login(order.grant)).await
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

    async fn extra_rights(&self, order: &Order) -> Result<Vec<String>, Fault> {
        let schema = schema(&order.resource)?;
        rights::extra(&self.pool, &login(order.grant), schema, order.access_level).await.map_err(fault)
    }

    async fn marked(&self) -> Result<Vec<Uuid>, Fault> {
        let names: Vec<String> = sqlx::query_scalar("select rolname::text from pg_roles where rolname ~ $1")
            .bind(ROLES)
            .fetch_all(&self.pool)
            .await
            .map_err(fault)?;
        if !names.is_empty() {
            // A server that was started anew has none.
            guard::set(&self.pool).await?;
        }
        Ok(names.iter().filter_map(|name| Uuid::parse_str(name.strip_prefix(MARK)?).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_names_a_plain_schema_that_is_none_of_postgres_own() {
        assert_eq!(schema("crm/sales_2026").unwrap(), "sales_2026");
        assert_eq!(schema("public").unwrap(), "public");
        for (resource, why) in [
            ("crm/Sales", "names no schema"),
            ("crm/a;b", "names no schema"),
            ("crm/", "names no schema"),
            ("x\"y", "names no schema"),
            ("crm/pg_catalog", "Postgres itself"),
            ("pg_toast", "Postgres itself"),
            ("crm/information_schema", "Postgres itself"),
        ] {
            let Err(Fault::Permanent(said)) = schema(resource) else { panic!("{resource}") };
            assert!(said.contains(why), "{said}");
        }
    }
}
