//! News of one request as server-sent events, so that its page updates by itself.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::App;
use super::answer::Fault;
use super::request::find;
use super::session::Viewer;

/// How often the row is looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(500);
/// After this long the browser connects again, and who it is is checked again.
const LOOKS: u32 = 600;

pub(crate) async fn events(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Result<Response, Fault> {
    let (request, _) = find(&app, &viewer, &id).await?;
    let news = stream::unfold((app, request.id, String::new(), 0), |(app, id, seen, looks)| async move {
        for look in looks..LOOKS {
            if let Ok((version, recorded)) = app.store.pulse(id).await {
                let pulse = format!("{version}.{recorded}");
                if pulse != seen {
                    let event = Event::default().event("pulse").data(&pulse);
                    return Some((Ok::<_, Infallible>(event), (app, id, pulse, look + 1)));
                }
            }
            tokio::time::sleep(LOOK_PERIOD).await;
        }
        None
    });
    Ok(Sse::new(news).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}
