//! Evidence downloads: the evidence bundle of a log for a period, and the proof of one event. People of a tenant get
//! evidence of their tenant only.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use operations::export::{bundle as export_bundle, prove as prove_event};
use runtime::outcome::Failure;
use tokio::io::AsyncReadExt;

use super::app::App;
use super::audit::{AuditQuery, own_tenant, parse_time};
use super::response::{PageError, PageResult, Query};
use super::session::Viewer;

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

fn unsigned(back: &str) -> PageError {
    PageError::Refused {
        code: "log.unsigned".to_owned(),
        message: "There is no signed checkpoint for this yet. The audit workers sign one within seconds. Try again."
            .to_owned(),
        back: back.to_owned(),
    }
}

fn download(kind: &'static str, name: &str, body: Body) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body).into_response()
}

/// The evidence bundle of the viewer's tenant, of the tenant in the query, or of the operator's log.
pub(crate) async fn bundle(State(app): State<App>, viewer: Viewer, Query(query): Query<AuditQuery>) -> PageResult {
    let own = own_tenant(&app, &viewer).await?;
    let tenant = own.or_else(|| Some(query.tenant.trim().to_owned()).filter(|tenant| !tenant.is_empty()));
    let period =
        (parse_time(&query.since).map_err(PageError::Invalid)?, parse_time(&query.until).map_err(PageError::Invalid)?);
    if app.store.log_head(tenant.as_deref()).await?.is_none() {
        return Err(PageError::NotFound);
    }
    if app.store.latest_checkpoint(tenant.as_deref()).await?.is_none() {
        return Err(unsigned("/audit"));
    }
    let unavailable = |error: &dyn std::fmt::Display| PageError::Unavailable(error.to_string());
    let _permit = app.bundles.acquire().await.map_err(|error| unavailable(&error))?;
    // Removed when this function returns: the open file is still readable then.
    let folder = tempfile::tempdir().map_err(|error| unavailable(&error))?;
    let path = folder.path().join("bundle.tar");
    let mut snapshot = app.store.read_snapshot().await?;
    let exported = export_bundle(&mut snapshot, tenant.as_deref(), period, &path).await;
    exported.map_err(|failure| PageError::of_failure(failure, "/audit"))?;
    let file = tokio::fs::File::open(&path).await.map_err(|error| unavailable(&error))?;
    let length = file.metadata().await.map_err(|error| unavailable(&error))?.len();
    let chunks = stream::try_unfold(file, async |mut file| {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(chunk), file)))
    });
    let name = format!("{}.tar", tenant.as_deref().unwrap_or("operator"));
    let mut response = download("application/x-tar", &name, Body::from_stream(chunks));
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    Ok(response)
}

pub(crate) async fn proof(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> PageResult {
    let own = own_tenant(&app, &viewer).await?;
    let event = app.store.audit_event(id.parse().map_err(|_| PageError::NotFound)?).await?;
    if own.is_some() && own != event.tenant {
        return Err(PageError::NotFound);
    }
    let mut snapshot = app.store.read_snapshot().await?;
    match prove_event(&mut snapshot, event.id).await {
        Ok(proof) => {
            let name = format!("{}.tlog-proof", event.id);
            Ok(download("text/plain; charset=utf-8", &name, Body::from(proof.to_string())))
        }
        // The event is not in the log yet, or no checkpoint covers it.
        Err(Failure::NotFound(_) | Failure::TimedOut(_)) => Err(unsigned(&format!("/audit/{}", event.id))),
        Err(failure) => Err(PageError::of_failure(failure, "/audit")),
    }
}
