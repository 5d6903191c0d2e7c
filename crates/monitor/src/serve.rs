//! Runs a monitor until it is stopped: checks the log at an interval, answers a log that asks for cosignatures, sends alarms,
//! and serves the status.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::book::Book;
use crate::deliver::{Channel, MailOptions};
use crate::error::Error;
use crate::monitor::{Answer, Monitor};
use crate::options::Clock;
use crate::view::View;

/// Largest body: a proof and a checkpoint with many signatures.
const BODY_LIMIT_BYTES: usize = 64 * 1024;
/// Requests for cosignatures that wait.
const WAITING: usize = 16;

/// How alarms leave the monitor.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// By mail.
    pub mail: Option<MailOptions>,
    /// To a webhook.
    pub webhook: Option<Url>,
}

impl Delivery {
    fn channels(&self) -> Result<Vec<Channel>, Error> {
        let mail = self.mail.as_ref().map(Channel::mail);
        let webhook = self.webhook.clone().map(Channel::webhook);
        mail.into_iter().chain(webhook).collect()
    }

    /// Sends what was not sent yet; returns why it could not be sent.
    ///
    /// # Errors
    /// When a setting is not valid.
    pub async fn flush(&self, monitor: &Monitor) -> Result<Vec<String>, Error> {
        let mut failures = Vec::new();
        for channel in self.channels()? {
            failures.extend(channel.flush(monitor.origin(), &monitor.book()).await.err());
        }
        Ok(failures)
    }
}

/// A running monitor.
#[derive(Clone)]
pub struct Running {
    /// Address of its status page and of `add-checkpoint`.
    pub address: SocketAddr,
    book: Arc<Mutex<Book>>,
    view: Arc<Mutex<View>>,
}

impl Running {
    /// The alarms, oldest first.
    pub fn alarms(&self) -> Vec<crate::alarm::Alarm> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).alarms().to_vec()
    }

    /// Its state.
    pub fn view(&self) -> View {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A request for a cosignature.
type Ask = (String, oneshot::Sender<Answer>);

#[derive(Clone)]
struct Shared {
    asks: mpsc::Sender<Ask>,
    book: Arc<Mutex<Book>>,
    view: Arc<Mutex<View>>,
    clock: Clock,
    silence_seconds: i64,
}

/// Starts a monitor on a bound listener; it checks the log at this interval until the stop.
///
/// # Errors
/// When a setting is not valid.
pub fn start(
    monitor: Monitor,
    listener: TcpListener,
    (interval, delivery): (Duration, &Delivery),
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Running, Error> {
    let address = listener.local_addr().map_err(|fault| Error::Setting(fault.to_string()))?;
    let (book, view) = (monitor.book(), monitor.view());
    for channel in delivery.channels()? {
        tasks.spawn(channel.run(monitor.origin().to_owned(), book.clone(), stop.clone()));
    }
    let (asks, asked) = mpsc::channel(WAITING);
    let silence_seconds = monitor.silence().num_seconds();
    let shared = Shared { asks, book: book.clone(), view: view.clone(), clock: monitor.clock(), silence_seconds };
    let router = Router::new()
        .route("/", get(page))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/key", get(key))
        .route("/add-checkpoint", post(add_checkpoint))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(shared);
    let served = stop.clone();
    tasks.spawn(async move {
        let serving = axum::serve(listener, router).with_graceful_shutdown(async move { served.cancelled().await });
        if let Err(error) = serving.await {
            tracing::error!(%error, "the status page failed");
        }
    });
    tasks.spawn(follow(monitor, asked, interval, stop.clone()));
    Ok(Running { address, book, view })
}

/// Checks the log and answers requests, one after the other.
async fn follow(mut monitor: Monitor, mut asked: mpsc::Receiver<Ask>, interval: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => monitor.check().await,
            Some((body, answer)) = asked.recv() => match monitor.add_checkpoint(&body).await {
                // Nobody waits when the log has closed the connection.
                Ok(given) => { drop(answer.send(given)); Ok(()) }
                Err(fault) => Err(fault),
            },
        };
        if let Err(fault) = done {
            tracing::error!(error = %fault, cause = ?std::error::Error::source(&fault), "the folder of the monitor cannot be used");
        }
    }
}

async fn add_checkpoint(State(shared): State<Shared>, body: String) -> Response {
    let (answer, given) = oneshot::channel();
    if shared.asks.try_send((body, answer)).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match given.await {
        Ok(Answer::Cosigned(lines)) => lines.into_response(),
        Ok(Answer::Malformed(why)) => (StatusCode::BAD_REQUEST, why).into_response(),
        Ok(Answer::Unknown) => StatusCode::NOT_FOUND.into_response(),
        Ok(Answer::NotSigned) => StatusCode::FORBIDDEN.into_response(),
        Ok(Answer::Unproved) => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
        Ok(Answer::Conflict(size)) => {
            (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "text/x.tlog.size")], format!("{size}\n")).into_response()
        }
        Ok(Answer::Unavailable) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Shared {
    fn view(&self) -> View {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a function makes of the state and the alarms.
    fn read<T>(&self, make: impl FnOnce(&View, &Book) -> T) -> T {
        make(&self.view(), &self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn page(State(shared): State<Shared>) -> Response {
    let policy = (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    ([policy], Html(shared.read(View::page))).into_response()
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4");
    ([kind], shared.read(View::metrics)).into_response()
}

async fn health(State(shared): State<Shared>) -> Response {
    let view = shared.view();
    if view.is_fresh((shared.clock)(), shared.silence_seconds) {
        return "the log is followed\n".into_response();
    }
    let why = view.failure.unwrap_or_else(|| "no checkpoint was verified yet".to_owned());
    (StatusCode::SERVICE_UNAVAILABLE, format!("the log is not followed: {why}\n")).into_response()
}

async fn key(State(shared): State<Shared>) -> Response {
    shared
        .view()
        .witness
        .map_or_else(|| StatusCode::NOT_FOUND.into_response(), |key| format!("{key}\n").into_response())
}
