//! Evidence to take away: the bundle of a log for a period, and the proof of one event. A tenant's people get their
//! tenant's only.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::io::AsyncReadExt;

use super::App;
use super::answer::{Answer, Fault, Query};
use super::audit::{Asked, moment, own_tenant};
use super::session::Viewer;
use operations::export::{bundle as export_bundle, prove as prove_event};
use runtime::outcome::Failure;

/// Bundles made at once.
pub(super) const AT_ONCE: usize = 2;
/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

fn unsigned(back: &str) -> Fault {
    Fault::Refused {
        code: "log.unsigned".to_owned(),
        message: "No checkpoint is signed over this yet. It takes seconds while the audit roles run; try again."
            .to_owned(),
        back: back.to_owned(),
    }
}

fn download(kind: &'static str, name: &str, body: Body) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body).into_response()
}

/// The bundle of one's own tenant's log, of the tenant's asked for, or of the operator's.
pub(crate) async fn bundle(State(app): State<App>, viewer: Viewer, Query(asked): Query<Asked>) -> Answer {
    let own = own_tenant(&app, &viewer).await?;
    let tenant = own.or_else(|| Some(asked.tenant.trim().to_owned()).filter(|tenant| !tenant.is_empty()));
    let period = (moment(&asked.since).map_err(Fault::Unreadable)?, moment(&asked.until).map_err(Fault::Unreadable)?);
    if app.store.log_head(tenant.as_deref()).await?.is_none() {
        return Err(Fault::Missing);
    }
    if app.store.latest_checkpoint(tenant.as_deref()).await?.is_none() {
        return Err(unsigned("/audit"));
    }
    let away = |fault: &dyn std::fmt::Display| Fault::Away(fault.to_string());
    let _permit = app.bundles.acquire().await.map_err(|fault| away(&fault))?;
    // Gone when this returns: what is sent is read from a file without a name.
    let folder = tempfile::tempdir().map_err(|fault| away(&fault))?;
    let path = folder.path().join("bundle.tar");
    let mut still = app.store.read_snapshot().await?;
    let made = export_bundle(&mut still, tenant.as_deref(), period, &path).await;
    made.map_err(|failure| Fault::of_click(failure, "/audit"))?;
    let file = tokio::fs::File::open(&path).await.map_err(|fault| away(&fault))?;
    let length = file.metadata().await.map_err(|fault| away(&fault))?.len();
    let chunks = stream::try_unfold(file, async |mut file| {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(chunk), file)))
    });
    let name = format!("{}.tar", tenant.as_deref().unwrap_or("operator"));
    let mut answer = download("application/x-tar", &name, Body::from_stream(chunks));
    answer.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    Ok(answer)
}

pub(crate) async fn proof(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Answer {
    let own = own_tenant(&app, &viewer).await?;
    let event = app.store.audit_event(id.parse().map_err(|_| Fault::Missing)?).await?;
    if own.is_some() && own != event.tenant {
        return Err(Fault::Missing);
    }
    let mut still = app.store.read_snapshot().await?;
    match prove_event(&mut still, event.id).await {
        Ok(proof) => {
            let name = format!("{}.tlog-proof", event.id);
            Ok(download("text/plain; charset=utf-8", &name, Body::from(proof.to_string())))
        }
        // It has no place yet, or no signature stands over it.
        Err(Failure::NotFound(_) | Failure::TimedOut(_)) => Err(unsigned(&format!("/audit/{}", event.id))),
        Err(failure) => Err(Fault::of_click(failure, "/audit")),
    }
}
