//! Where anybody finds the latest checkpoint of a log and the keys that sign it. Nothing in either is secret: a checkpoint
//! is a number and a hash, and the more hands hold it, the better.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::App;
use super::answer::{Answer, Fault};

/// The operator's log stands beside the tenants' under a name that no tenant can have.
pub(super) const OPERATOR: &str = "_operator";

fn named(tenant: &str) -> Option<&str> {
    (tenant != OPERATOR).then_some(tenant)
}

fn plain(text: String) -> Response {
    let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    ([kind, (header::CACHE_CONTROL, "no-store")], text).into_response()
}

pub(crate) async fn checkpoint(State(app): State<App>, Path(tenant): Path<String>) -> Answer {
    let latest = app.store.latest_checkpoint(named(&tenant)).await?;
    Ok(plain(latest.ok_or(Fault::Missing)?.note))
}

pub(crate) async fn keys(State(app): State<App>, Path(tenant): Path<String>) -> Answer {
    let keys = app.store.log_keys(named(&tenant)).await?;
    if keys.is_empty() { Err(Fault::Missing) } else { Ok(plain(keys.join("\n") + "\n")) }
}
