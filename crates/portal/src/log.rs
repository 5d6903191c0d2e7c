//! The log of a tenant for programs, as C2SP tlog-tiles: the latest checkpoint, the keys that sign it, tiles and entries.
//!
//! The checkpoint and the keys need no sign-in. Neither is secret: a checkpoint is a number and a hash, and copies of it make
//! changes to the log evident. Tiles and entries need a token, unless the tenant's log is public.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use domain::{Person, Role};

use super::app::App;
use super::response::{PageError, PageResult};
use super::session::hash;

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

/// Scope of the tokens that read tiles and entries.
const SCOPE: &str = "log:read";
/// A full tile never changes.
const UNCHANGING: &str = "private, max-age=31536000, immutable";
/// The same for a public log, which proxies may store.
const UNCHANGING_PUBLIC: &str = "public, max-age=31536000, immutable";

/// A tile, or the entries of one. 404 also when the caller may not read the log.
pub(crate) async fn tile(
    State(app): State<App>,
    Path((tenant, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> PageResult {
    let tenant = tenant_of(&tenant);
    let is_public = match tenant {
        Some(tenant) => app.store.has_public_log(tenant).await?,
        None => false,
    };
    if !is_public && !may_read(&app, tenant, &headers).await? {
        return Err(PageError::NotFound);
    }
    let file = operations::log_files::read(&app.store, tenant, &format!("tile/{path}")).await;
    let file = file.map_err(|failure| PageError::of_failure(failure, "/"))?.ok_or(PageError::NotFound)?;
    let caching = match (file.is_full, is_public) {
        (true, true) => UNCHANGING_PUBLIC,
        (true, false) => UNCHANGING,
        (false, _) => "no-store",
    };
    let kind = (header::CONTENT_TYPE, "application/octet-stream");
    Ok(([kind, (header::CACHE_CONTROL, caching)], file.bytes).into_response())
}

/// Whether the token in the headers may read the log: a token of a program, of the vendor's managers and auditors, or of the
/// tenant's own approvers and auditors.
async fn may_read(app: &App, tenant: Option<&str>, headers: &HeaderMap) -> Result<bool, PageError> {
    let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credentials = text.and_then(|text| text.trim().split_once(' '));
    let Some((_, token)) = credentials.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        return Ok(false);
    };
    let Some(token) = app.store.token(&hash(token.trim())).await? else { return Ok(false) };
    if !token.scopes.iter().any(|scope| scope == SCOPE) {
        return Ok(false);
    }
    let Some(person) = &token.person else { return Ok(true) };
    match person.tenant() {
        None => Ok(person.has_role(Role::Manager) || person.has_role(Role::Auditor)),
        Some(own) => {
            let tenants = app.store.tenants().await?;
            let is_own = tenants.iter().any(|one| one.id == own && Some(one.name.as_str()) == tenant);
            Ok(is_own && reads_whole_log(person))
        }
    }
}

/// Whether a person of a tenant sees more than their own requests.
fn reads_whole_log(person: &Person) -> bool {
    person.has_role(Role::Approver) || person.has_role(Role::Auditor)
}
