//! Updates for open pages. A page receives the current version as server-sent events, or requests it once. Both exist
//! because browsers open at most six connections to a host over HTTP/1.1. Neither keeps a session alive.

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

use super::app::App;
use super::response::{PageError, Query};
use super::session::Watcher;
use super::visibility::{load_request, request_scope};

/// Time between two queries for the version.
const POLL_PERIOD: Duration = Duration::from_millis(500);
/// A stream ends after this many queries (5 minutes). The browser connects again, and permissions are checked again.
const POLL_LIMIT: u32 = 600;
/// Proxies such as nginx buffer a response unless this header tells them not to.
const UNBUFFERED: [(HeaderName, &str); 1] = [(HeaderName::from_static("x-accel-buffering"), "no")];

/// Query of the page.
#[derive(Deserialize)]
pub(crate) struct UpdateQuery {
    /// Respond with the current version instead of a stream.
    #[serde(default)]
    once: Option<String>,
}

/// A query for the current version of what a page shows; `None` when the database is not available.
type VersionQuery = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// An open stream.
struct Stream<Q> {
    app: App,
    watcher: Watcher,
    query: Q,
    last_version: String,
    polls: u32,
    is_finished: bool,
}

impl<Q: Fn() -> VersionQuery + Send> Stream<Q> {
    /// The next event; `None` when the stream ends.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        while !self.is_finished && self.polls < POLL_LIMIT {
            self.polls += 1;
            if !self.watcher.is_signed_in(&self.app).await {
                self.is_finished = true;
                return Some((Ok(Event::default().event("signed-out").data("")), self));
            }
            if let Some(version) = (self.query)().await.filter(|version| *version != self.last_version) {
                self.last_version.clone_from(&version);
                return Some((Ok(Event::default().event("version").data(&version)), self));
            }
            tokio::time::sleep(POLL_PERIOD).await;
        }
        None
    }
}

/// The current version, or a stream of versions for as long as the session lasts.
async fn respond(
    app: App,
    watcher: Watcher,
    params: UpdateQuery,
    query: impl Fn() -> VersionQuery + Send + 'static,
) -> Response {
    if params.once.is_some() {
        return query().await.unwrap_or_default().into_response();
    }
    let stream = Stream { app, watcher, query, last_version: String::new(), polls: 0, is_finished: false };
    let events = Sse::new(stream::unfold(stream, Stream::next));
    (UNBUFFERED, events.keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))).into_response()
}

/// Updates of one request.
pub(crate) async fn request(
    State(app): State<App>,
    watcher: Watcher,
    Path(id): Path<String>,
    Query(params): Query<UpdateQuery>,
) -> Result<Response, PageError> {
    let (request, _) = load_request(&app, &watcher.viewer, &id).await?;
    let shared = app.clone();
    let query = move || -> VersionQuery {
        let app = shared.clone();
        Box::pin(async move { app.store.request_version(request.id).await.ok().map(version) })
    };
    Ok(respond(app, watcher, params, query).await)
}

/// Updates of every pending or active request that this person sees.
pub(crate) async fn pending(
    State(app): State<App>,
    watcher: Watcher,
    Query(params): Query<UpdateQuery>,
) -> Result<Response, PageError> {
    let (filter, shared) = (request_scope(&app, &watcher.viewer).await?, app.clone());
    let query = move || -> VersionQuery {
        let (app, filter) = (shared.clone(), filter.clone());
        Box::pin(async move { app.store.open_requests_version(&filter).await.ok().map(version) })
    };
    Ok(respond(app, watcher, params, query).await)
}

/// Updates of every grant that this person sees.
pub(crate) async fn grants(
    State(app): State<App>,
    watcher: Watcher,
    Query(params): Query<UpdateQuery>,
) -> Result<Response, PageError> {
    let (filter, shared) = (request_scope(&app, &watcher.viewer).await?, app.clone());
    let query = move || -> VersionQuery {
        let (app, filter) = (shared.clone(), filter.clone());
        Box::pin(async move { app.store.grants_version(&filter).await.ok().map(version) })
    };
    Ok(respond(app, watcher, params, query).await)
}

/// A version as text, as pages and updates carry it.
pub(super) fn version<A: Display, B: Display>((first, second): (A, B)) -> String {
    format!("{first}.{second}")
}
