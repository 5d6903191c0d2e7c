//! A schema of a Postgres database: each grant has a login role that expires with the grant and is dropped afterwards.
//!
//! `VALID UNTIL` refuses passwords after the end, but ends no session. So opening also starts a guard: a session in the target
//! itself that ends sessions after their time, even when no process of ours is running ([`guard`]). The server must require a
//! password for these roles (`scram-sha-256` in `pg_hba.conf`, never `trust`).
//!
//! The connector's login needs `CREATEROLE` and the right to grant on the schema, but no superuser. It becomes a member of every
//! role that it creates, because only members can end a role's sessions and drop its objects.

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

/// Lockbox' mark: the prefix of the names of its roles.
const MARK: &str = "lockbox_";
/// Pause between two of the twenty checks whether a role's sessions have ended.
const PAUSE: Duration = Duration::from_millis(50);

/// One database.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: PgPool,
    secret: Vec<u8>,
    /// Roles for which the log has a line that they cannot be dropped.
    logged: Arc<Mutex<BTreeSet<String>>>,
}

/// The role of a grant.
pub fn login(grant: Uuid) -> String {
    format!("{MARK}{}", grant.simple())
}

/// The schema of a resource: its last part, as a plain name that is no schema of Postgres itself.
fn schema(resource: &str) -> Result<&str, Fault> {
    let name = resource.rsplit('/').next().unwrap_or_default();
    let is_plain = name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_plain || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        return Err(Fault::Permanent(format!("{resource:?} names no schema; use lower-case letters, digits and _")));
    }
    if name.starts_with("pg_") || name == "information_schema" {
        return Err(Fault::Permanent(format!(
            "{name} is a schema of Postgres itself; Lockbox never gives access to it"
        )));
    }
    Ok(name)
}

async fn end_sessions(connection: &mut PgConnection, role: &str) -> Result<u64, Fault> {
    let cut: i64 = sqlx::query_scalar(
        "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity where usename = $1",
    )
    .bind(role)
    .fetch_one(connection)
    .await
    .map_err(fault)?;
    Ok(u64::try_from(cut).unwrap_or_default())
}

/// Waits up to a second for the end of a role's sessions. Reading back finds any that remain.
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
    /// A database, by the URL of a login that can create roles and grant on its schemas. Passwords are derived from the secret,
    /// so that opening again gives the same password.
    ///
    /// # Errors
    /// When the URL is not valid.
    pub fn new(url: &str, secret: &[u8]) -> Result<Self, Fault> {
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
        let pool = pool.connect_lazy(url).map_err(fault)?;
        Ok(Self { pool, secret: secret.to_vec(), logged: Arc::default() })
    }

    /// The password of a grant's role. The hash includes the secret's length, so that no other pair of secret and grant has the
    /// same input.
    pub fn password(&self, grant: Uuid) -> String {
        let mut hash = Sha256::new();
        hash.update(u64::try_from(self.secret.len()).unwrap_or_default().to_be_bytes());
        hash.update(&self.secret);
        hash.update(grant);
        hex::encode(Sha256::digest(hash.finalize()))
    }

    /// Logs once that a role could not be dropped. It no longer gives access, but an administrator of the target must act.
    fn log_undropped(&self, role: &str, problem: &str) {
        if self.logged.lock().unwrap_or_else(PoisonError::into_inner).insert(role.to_owned()) {
            let advice = "it cannot log in and has no session; drop the objects that depend on it, and Lockbox drops it within a minute";
            tracing::warn!(role, problem, "the target database cannot drop a role: {advice}");
        }
    }
}

#[async_trait]
impl Connector for Postgres {
    async fn open(&self, order: &Order) -> Result<(), Fault> {
        let (role, schema) = (login(order.grant), schema(&order.resource)?);
        let until = order.until.to_rfc3339_opts(SecondsFormat::Micros, true);
        let random = |_| Fault::Transient("the operating system provided no random numbers".to_owned());
        let verifier = scram::verifier(&self.password(order.grant)).map_err(random)?;
        let mut connection = self.pool.acquire().await.map_err(fault)?;
        let mut tx = connection.begin().await.map_err(fault)?;
        roles::check(&mut tx, &role, schema, order.until).await?;
        roles::create(&mut tx, &role, &verifier, &until).await?;
        roles::become_member(&mut tx, &role).await?;
        roles::grant(&mut tx, &role, schema, order.access_level).await?;
        tx.commit().await.map_err(fault)?;
        std::mem::drop(connection);
        // Access counts as open only when the target itself ends it in time.
        guard::ensure(&self.pool).await
    }

    async fn close(&self, order: &Order) -> Result<(), Fault> {
        let role = login(order.grant);
        let mut connection = self.pool.acquire().await.map_err(fault)?;
        if roles::exists(&mut connection, &role).await? {
            // First refuse new logins, then end the sessions. Objects and rights of the role do not keep access open.
            run(&mut connection, format!("alter role {role} nologin password null")).await?;
            roles::become_member(&mut connection, &role).await?;
            end_sessions(&mut connection, &role).await?;
            wait_for_end(&mut connection, &role).await?;
            if let Err(fault) = roles::drop(&mut connection, &role).await {
                self.log_undropped(&role, &fault.to_string());
            }
        }
        Ok(())
    }

    async fn terminate_sessions(&self, order: &Order) -> Result<u64, Fault> {
        let mut connection = self.pool.acquire().await.map_err(fault)?;
        end_sessions(&mut connection, &login(order.grant)).await
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
            // A restarted server has no guard.
            guard::ensure(&self.pool).await?;
        }
        Ok(names.iter().filter_map(|name| Uuid::parse_str(name.strip_prefix(MARK)?).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_names_a_plain_schema_that_does_not_belong_to_postgres() {
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
