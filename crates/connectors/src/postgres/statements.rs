//! Statements in the target, and the meaning of their errors.

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnection, PgDatabaseError};

use crate::order::Fault;

/// The names of our roles, as a regular expression.
pub(super) const ROLES: &str = "^lockbox_[0-9a-f]{32}$";

/// Start of the comment on a role; the name of its database follows.
pub(super) const DATABASE: &str = "Lockbox: access to the database ";

/// Converts an error: transient when a retry can help.
pub(super) fn fault(error: sqlx::Error) -> Fault {
    let sqlx::Error::Database(said) = &error else { return Fault::Transient(format!("the target database: {error}")) };
    let code = said.code().unwrap_or_default();
    let detail = said.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::detail);
    let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    let problem = format!("the target database: {}{detail}", said.message());
    // 28: wrong login; 3D: no such database; 3F: no such schema; 42: missing right or object. 42710: two opened at once.
    let is_ours = ["28", "3D", "3F", "42"].iter().any(|class| code.starts_with(class)) && code != "42710";
    if is_ours { Fault::Permanent(problem) } else { Fault::Transient(problem) }
}

/// Runs statements that contain only hexadecimal digits, plain names, times, and values that the server quoted.
pub(super) async fn run(connection: &mut PgConnection, statements: String) -> Result<(), Fault> {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await.map_err(fault)?;
    Ok(())
}
