//! The role of a grant: created, granted its rights and dropped, without superuser rights.

use chrono::{DateTime, Utc};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::statements::{DATABASE, fault, run};
use crate::order::{AccessLevel, Fault};

/// Most connections of one engineer.
const CONNECTIONS: u32 = 5;
/// First server version in which a membership itself says whether rights are inherited.
const INHERITING: i32 = 160_000;

pub(super) async fn exists(connection: &mut PgConnection, role: &str) -> Result<bool, Fault> {
    let asking = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)").bind(role);
    asking.fetch_one(connection).await.map_err(fault)
}

/// Refuses an order that must not be opened: it has expired, the schema does not exist, or the role has administrative rights.
pub(super) async fn check(
    connection: &mut PgConnection,
    role: &str,
    schema: &str,
    until: DateTime<Utc>,
) -> Result<(), Fault> {
    let (is_finished, is_there, is_raised): (bool, bool, bool) = sqlx::query_as(
        "select clock_timestamp() >= $1, exists (select from pg_namespace where nspname = $2), \
         exists (select from pg_roles where rolname = $3 \
                 and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls))",
    )
    .bind(until)
    .bind(schema)
    .bind(role)
    .fetch_one(connection)
    .await
    .map_err(fault)?;
    let refuse = |said: String| Err(Fault::Permanent(said));
    if is_finished {
        return refuse("the end of access has passed by the target's clock".to_owned());
    }
    if !is_there {
        return refuse(format!("the target database has no schema {schema}"));
    }
    if is_raised {
        return refuse(format!("an administrator of the target database raised the role {role}; drop it there"));
    }
    Ok(())
}

/// Creates the role, or enables its login again. It sets no attribute that only a superuser can set; a new role has none.
pub(super) async fn create(
    connection: &mut PgConnection,
    role: &str,
    verifier: &str,
    until: &str,
) -> Result<(), Fault> {
    let verb = if exists(connection, role).await? { "alter" } else { "create" };
    let statement =
        format!("{verb} role {role} login connection limit {CONNECTIONS} password '{verifier}' valid until '{until}'");
    run(connection, statement).await?;
    let quoting =
        sqlx::query_scalar("select format('comment on role %I is %L', $1, $2 || quote_ident(current_database()))");
    let statement: String = quoting.bind(role).bind(DATABASE).fetch_one(&mut *connection).await.map_err(fault)?;
    run(connection, statement).await
}

/// Makes the connector's login a member of the role, unless it already has the role's rights.
pub(super) async fn become_member(connection: &mut PgConnection, role: &str) -> Result<(), Fault> {
    const HAS: &str = "select pg_has_role(session_user, $1, 'USAGE'), current_setting('server_version_num')::int, \
                       session_user::text";
    let asking = sqlx::query_as(HAS).bind(role).fetch_one(&mut *connection);
    let (has_rights, version, login): (bool, i32, String) = asking.await.map_err(fault)?;
    if has_rights {
        return Ok(());
    }
    let how = if version >= INHERITING { " with inherit true, set false" } else { "" };
    run(connection, format!("grant {role} to session_user{how}")).await?;
    let asking = sqlx::query_as(HAS).bind(role).fetch_one(&mut *connection);
    let (has_rights, ..): (bool, i32, String) = asking.await.map_err(fault)?;
    if has_rights {
        return Ok(());
    }
    let advice = "an administrator of the target database must run: alter role";
    Err(Fault::Permanent(format!(
        "the login {login} must not end sessions of roles that it creates; {advice} {login} inherit"
    )))
}

/// Grants the role the rights of the order, and verifies them: Postgres only warns when a login grants rights that it must not
/// grant.
pub(super) async fn grant(
    connection: &mut PgConnection,
    role: &str,
    schema: &str,
    access_level: AccessLevel,
) -> Result<(), Fault> {
    let (tables, sequences, read_only, checked) = match access_level {
        AccessLevel::ReadOnly => ("select", "select", "on", "SELECT"),
        AccessLevel::ReadWrite => ("select, insert, update, delete", "usage, select", "off", "INSERT"),
    };
    let connecting = "select format('grant connect on database %I to %I', current_database(), $1) \
                      where not has_database_privilege($1, current_database(), 'CONNECT')";
    let asking = sqlx::query_scalar(connecting).bind(role).fetch_optional(&mut *connection);
    let statement: Option<String> = asking.await.map_err(fault)?;
    if let Some(statement) = statement {
        run(connection, statement).await?;
    }
    let statements = format!(
        "alter role {role} set default_transaction_read_only = {read_only}; \
         grant usage on schema {schema} to {role}; grant {tables} on all tables in schema {schema} to {role}; \
         grant {sequences} on all sequences in schema {schema} to {role}"
    );
    run(connection, statements).await?;
    let (may_connect, may_use, missing, login): (bool, bool, Option<String>, String) = sqlx::query_as(
        "select has_database_privilege($1, current_database(), 'CONNECT'), has_schema_privilege($1, $2, 'USAGE'), \
         (select min(c.relname::text) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
          where n.nspname = $2 and c.relkind in ('r', 'p') and not has_table_privilege($1, c.oid, $3)), session_user::text",
    )
    .bind(role)
    .bind(schema)
    .bind(checked)
    .fetch_one(connection)
    .await
    .map_err(fault)?;
    let what = match missing {
        _ if !may_connect => "the right to connect to this database".to_owned(),
        _ if !may_use => format!("rights on the schema {schema}"),
        Some(table) => format!("rights on the table {schema}.{table}"),
        None => return Ok(()),
    };
    let advice = "make it the owner, or grant it these rights with grant option";
    Err(Fault::Permanent(format!("the connector's login {login} must not grant {what}; {advice}")))
}

/// Drops the role with its objects and rights in this database. It does not wait for other statements, because the role can no
/// longer log in. The rights here are removed even if the role remains because of objects in another database.
pub(super) async fn drop(connection: &mut PgConnection, role: &str) -> Result<(), Fault> {
    for statement in ["drop owned by", "drop role"] {
        let mut tx = connection.begin().await.map_err(fault)?;
        run(&mut tx, format!("set local lock_timeout = '1s'; {statement} {role}")).await?;
        tx.commit().await.map_err(fault)?;
    }
    Ok(())
}
