//! The role of a grant: made, given its rights, and dropped, by a login that is no superuser.

use chrono::{DateTime, Utc};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::statements::{DATABASE, fault, run};
use crate::order::{AccessLevel, Fault};

/// Connections that one engineer may hold.
const CONNECTIONS: u32 = 5;
/// The first version in which membership says by itself whether rights are inherited.
const INHERITING: i32 = 160_000;

pub(super) async fn is_there(connection: &mut PgConnection, role: &str) -> Result<bool, Fault> {
    let asking = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)").bind(role);
    asking.fetch_one(connection).await.map_err(fault)
}

/// Refuses what must not be opened: too late, no such schema, or a role that somebody gave more than a login.
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
        return refuse("the end has passed by the target's clock".to_owned());
    }
    if !is_there {
        return refuse(format!("the target database has no schema {schema}"));
    }
    if is_raised {
        return refuse(format!("somebody raised the role {role} in the target database; drop it there"));
    }
    Ok(())
}

/// Makes the role, or lets it in again. What only a superuser may say of a role is not said: a new role has none of it.
pub(super) async fn make(connection: &mut PgConnection, role: &str, verifier: &str, until: &str) -> Result<(), Fault> {
    let verb = if is_there(connection, role).await? { "alter" } else { "create" };
    let statement =
        format!("{verb} role {role} login connection limit {CONNECTIONS} password '{verifier}' valid until '{until}'");
    run(connection, statement).await?;
    let quoting =
        sqlx::query_scalar("select format('comment on role %I is %L', $1, $2 || quote_ident(current_database()))");
    let statement: String = quoting.bind(role).bind(DATABASE).fetch_one(&mut *connection).await.map_err(fault)?;
    run(connection, statement).await
}

/// Makes the connector's login a member of the role, unless it has the role's rights already.
pub(super) async fn join(connection: &mut PgConnection, role: &str) -> Result<(), Fault> {
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
    let advice = "an administrator of the target database has to say: alter role";
    Err(Fault::Permanent(format!(
        "the login {login} may not cut sessions of roles that it makes; {advice} {login} inherit"
    )))
}

/// Gives the role what the order covers, and sees that it has it: Postgres only warns when somebody grants what is not
/// theirs to grant.
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
    let advice = "make it the owner, or give it these rights with grant option";
    Err(Fault::Permanent(format!("the connector's login {login} may not grant {what}; {advice}")))
}

/// Drops the role with what it owns and may do here. Whatever stands in the way, other statements are not waited for:
/// the role is locked out already. Its rights here go even when it stays because of something elsewhere.
pub(super) async fn drop(connection: &mut PgConnection, role: &str) -> Result<(), Fault> {
    for statement in ["drop owned by", "drop role"] {
        let mut tx = connection.begin().await.map_err(fault)?;
        run(&mut tx, format!("set local lock_timeout = '1s'; {statement} {role}")).await?;
        tx.commit().await.map_err(fault)?;
    }
    Ok(())
}
