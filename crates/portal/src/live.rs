//! News for pages that are open. A page is told by server-sent events, or asks for the state once: browsers keep six
//! connections to a host over HTTP/1.1, and pages must not use them all up for waiting. Neither keeps a session alive.

use std::convert::Infallible;
use std::fmt::Display;
use std::pin::Pin;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;

use super::App;
use super::answer::{Fault, Query};
use super::pages::scope;
use super::request::find;
use super::session::Watcher;

/// How often the row is looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(500);
/// After this many looks the browser connects again, and what the person may see is checked again.
const LOOKS: u32 = 600;
/// Proxies such as nginx collect an answer before they pass it on, unless they are told not to.
const UNBUFFERED: [(HeaderName, &str); 1] = [(HeaderName::from_static("x-accel-buffering"), "no")];

/// What a page asks.
#[derive(Deserialize)]
pub(crate) struct Asked {
    /// The state now and no stream.
    #[serde(default)]
    once: Option<String>,
}

/// A look that answers with what changes when there is news.
type Look = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// What is watched, and by whom.
struct Watch<L> {
    app: App,
    watcher: Watcher,
    look: L,
    seen: String,
    looks: u32,
    is_finished: bool,
}

impl<L: Fn() -> Look + Send> Watch<L> {
    /// The next thing to say; `None` when the stream ends.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        while !self.is_finished && self.looks < LOOKS {
            self.looks += 1;
            if !self.watcher.is_signed_in(&self.app).await {
                self.is_finished = true;
                return Some((Ok(Event::default().event("signed-out").data("")), self));
            }
            if let Some(pulse) = (self.look)().await.filter(|pulse| *pulse != self.seen) {
                self.seen.clone_from(&pulse);
                return Some((Ok(Event::default().event("pulse").data(&pulse)), self));
            }
            tokio::time::sleep(LOOK_PERIOD).await;
        }
        None
    }
}

/// The state once, or news of it for as long as the session lasts.
async fn answer(app: App, watcher: Watcher, asked: Asked, look: impl Fn() -> Look + Send + 'static) -> Response {
    if asked.once.is_some() {
        return look().await.unwrap_or_default().into_response();
    }
    let watch = Watch { app, watcher, look, seen: String::new(), looks: 0, is_finished: false };
    let news = Sse::new(stream::unfold(watch, Watch::next));
    (UNBUFFERED, news.keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))).into_response()
}

/// News of one request.
pub(crate) async fn events(
    State(app): State<App>,
    watcher: Watcher,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let (request, _) = find(&app, &watcher.viewer, &id).await?;
    let of = app.clone();
    let look = move || -> Look {
        let app = of.clone();
        Box::pin(async move { app.store.pulse(request.id).await.ok().map(pulse) })
    };
    Ok(answer(app, watcher, asked, look).await)
}

/// News of every open request that this person sees.
pub(crate) async fn home(
    State(app): State<App>,
    watcher: Watcher,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let (filter, of) = (scope(&app, &watcher.viewer).await?, app.clone());
    let look = move || -> Look {
        let (app, filter) = (of.clone(), filter.clone());
        Box::pin(async move { app.store.open_pulse(&filter).await.ok().map(pulse) })
    };
    Ok(answer(app, watcher, asked, look).await)
}

/// News of every access that this person sees.
pub(crate) async fn grants(
    State(app): State<App>,
    watcher: Watcher,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    let (filter, of) = (scope(&app, &watcher.viewer).await?, app.clone());
    let look = move || -> Look {
        let (app, filter) = (of.clone(), filter.clone());
        Box::pin(async move { app.store.access_pulse(&filter).await.ok().map(pulse) })
    };
    Ok(answer(app, watcher, asked, look).await)
}

/// As it stands in pages and in news.
pub(super) fn pulse<A: Display, B: Display>((one, other): (A, B)) -> String {
    format!("{one}.{other}")
}
