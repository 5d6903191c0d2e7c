//! What a role may do in the target beyond its order: rights that the target gives to everybody (`PUBLIC`), or that
//! somebody gave to the role there. No grant takes them away, so that they are reported.

use sqlx::postgres::PgPool;

use crate::order::AccessLevel;

/// The most that is reported of one kind.
const LIMIT: i64 = 10;

/// Rights of the role `$1` beyond the schema `$2`; `$3` is whether it may write there.
const EXTRA: &str = include_str!("extra_rights.sql");

/// Rights beyond the order, a phrase each.
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
