//! The latest checkpoint of a log, and the keys that sign it, without sign-in. Neither is secret: a checkpoint is a number
//! and a hash, and copies of it make changes to the log evident.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::app::App;
use super::response::{PageError, PageResult};

/// Name of the operator's log in addresses; no tenant can have this name.
pub(super) const OPERATOR: &str = "_operator";

fn tenant_of(tenant: &str) -> Option<&str> {
    (tenant != OPERATOR).then_some(tenant)
}

fn plain(text: String) -> Response {
    let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    ([kind, (header::CACHE_CONTROL, "no-store")], text).into_response()
}

pub(crate) async fn checkpoint(State(app): State<App>, Path(tenant): Path<String>) -> PageResult {
    let latest = app.store.latest_checkpoint(tenant_of(&tenant)).await?;
    Ok(plain(latest.ok_or(PageError::NotFound)?.note))
}

pub(crate) async fn keys(State(app): State<App>, Path(tenant): Path<String>) -> PageResult {
    let keys = app.store.log_keys(tenant_of(&tenant)).await?;
    if keys.is_empty() { Err(PageError::NotFound) } else { Ok(plain(keys.join("\n") + "\n")) }
}
