//! Rights of a role beyond its order: the target gives them to every role (`PUBLIC`), or an administrator gave them to this role.
//! Lockbox cannot remove them and reports them.

use sqlx::postgres::PgPool;

use crate::order::AccessLevel;

/// Most rights of one kind that are reported.
const LIMIT: i64 = 10;

/// Rights of the role `$1` beyond the schema `$2`; `$3` is whether it can write there.
const EXTRA: &str = include_str!("extra_rights.sql");

/// Rights beyond the order, one phrase each.
pub(super) async fn extra(
    pool: &PgPool,
    role: &str,
    schema: &str,
    access_level: AccessLevel,
) -> Result<Vec<String>, sqlx::Error> {
    let asking =
        sqlx::query_scalar(EXTRA).bind(role).bind(schema).bind(access_level == AccessLevel::ReadWrite).bind(LIMIT);
    asking.fetch_all(pool).await
}
