//! News as server-sent events, so that pages update by themselves.

use std::convert::Infallible;
use std::fmt::Display;
use std::pin::Pin;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::App;
use super::answer::Fault;
use super::pages::scope;
use super::request::find;
use super::session::Viewer;

/// How often the row is looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(500);
/// After this long the browser connects again, and who it is is checked again.
const LOOKS: u32 = 600;

/// A look that answers with what changes when there is news.
type Look = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// Looks again and again, and says when something changed.
fn news(look: impl Fn() -> Look + Send + 'static) -> Response {
    let news = stream::unfold((look, String::new(), 0), |(look, seen, looks)| async move {
        for count in looks..LOOKS {
            if let Some(pulse) = look().await
                && pulse != seen
            {
                let event = Event::default().event("pulse").data(&pulse);
                return Some((Ok::<_, Infallible>(event), (look, pulse, count + 1)));
            }
            tokio::time::sleep(LOOK_PERIOD).await;
        }
        None
    });
    Sse::new(news).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

/// News of one request.
pub(crate) async fn events(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Result<Response, Fault> {
    let (request, _) = find(&app, &viewer, &id).await?;
    Ok(news(move || {
        let app = app.clone();
        Box::pin(async move { app.store.pulse(request.id).await.ok().map(pulse) })
    }))
}

/// News of every open request that this person sees.
pub(crate) async fn home(State(app): State<App>, viewer: Viewer) -> Result<Response, Fault> {
    let filter = scope(&app, &viewer).await?;
    Ok(news(move || {
        let (app, filter) = (app.clone(), filter.clone());
        Box::pin(async move { app.store.open_pulse(&filter).await.ok().map(pulse) })
    }))
}

/// News of every access that this person sees.
pub(crate) async fn accesses(State(app): State<App>, viewer: Viewer) -> Result<Response, Fault> {
    let filter = scope(&app, &viewer).await?;
    Ok(news(move || {
        let (app, filter) = (app.clone(), filter.clone());
        Box::pin(async move { app.store.access_pulse(&filter).await.ok().map(pulse) })
    }))
}

/// As it stands in pages and in news.
pub(super) fn pulse<A: Display, B: Display>((one, other): (A, B)) -> String {
    format!("{one}.{other}")
}
