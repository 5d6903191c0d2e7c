//! The gate: "may this person do this now?", for proxies and programs that stand before a customer's content.
//!
//! Answered from the grant's row and the database's clock alone. Unknown, slow, unreachable or odd is no. Deliberately
//! absent: any memory of an answer, and any way to open something.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{any, get, post};
use clap::Args;
use store::{Store, StoreOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::{Health, Relay};

use runtime::configuration::Settings;
use runtime::outcome::Failure;

pub use token::Signer;

mod answer;
mod app;
mod ask;
mod code;
mod decide;
mod decision;
mod limits;
mod questions;
mod refused;
mod token;
mod uses;

use app::{App, Inner};
use limits::DATABASE_LIMIT;

/// Longest body of a question, in bytes.
const BODY_LIMIT_BYTES: usize = 16 * 1024;

/// Serve the gate that proxies and programs ask before they serve content.
#[derive(Args, Clone, Debug)]
pub struct Gate {
    /// Where to listen: for your proxies and programs, never for everybody.
    #[arg(long, env = "LOCKBOX_GATE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// File with the key that signs tokens of at most a minute, as 64 hexadecimal digits (`openssl rand -hex 32`).
    /// Every gate of a deployment needs the same. None: no tokens.
    #[arg(long, env = "LOCKBOX_GATE_TOKEN_KEY_FILE", value_name = "FILE")]
    token_key_file: Option<PathBuf>,
}

fn router(app: App) -> Router {
    Router::new()
        .route("/v1/check", get(answer::to_proxy).post(answer::to_program))
        .route("/v1/check/envoy/{*rest}", any(answer::to_envoy))
        .route("/v1/open/{request}", get(answer::is_open))
        .route("/v1/token", post(answer::token))
        .route("/.well-known/jwks.json", get(answer::keys))
        .fallback(answer::no)
        .layer(from_fn(answer::in_time))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(app)
}

/// Starts a gate on an address that was taken.
///
/// # Errors
/// When the settings cannot be used.
pub fn start(
    settings: &Settings,
    listener: TcpListener,
    signer: Option<Signer>,
    stop: CancellationToken,
    tasks: &TaskTracker,
) -> Result<(), Failure> {
    let name = runtime::serve::process_name("gate");
    let options = StoreOptions {
        url: settings.database_url.clone(),
        connections: settings.database_connections.max(8),
        name: name.clone(),
    };
    let asking = Store::connect_briefly(&options, DATABASE_LIMIT)?;
    let recording = Store::connect_lazily(&StoreOptions { connections: 2, ..options })?;
    let broker = broker::Config { url: settings.amqp_url.clone(), name };
    let (relay, relay_task) = Relay::new(broker, settings.names.clone(), recording.clone(), Health::default());
    tasks.spawn(relay_task.run(stop.clone()));
    let uses = uses::Uses::default();
    tasks.spawn(uses.clone().record(recording, relay, stop.clone()));
    let questions = questions::Questions::take(&asking, tasks);
    let app = App(Arc::new(Inner { store: asking, questions, uses, signer }));
    tasks.spawn(runtime::listen::serve(listener, router(app), stop));
    Ok(())
}

impl Gate {
    /// Serves until asked to stop.
    ///
    /// # Errors
    /// When an address is taken or the key cannot be read.
    pub async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let metrics = runtime::admin::record_metrics()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let signer = self.token_key_file.as_deref().map(Signer::read).transpose()?;
        let listener = runtime::listen::bind(self.listen).await?;
        let health = Health::default();
        health.set("gate", Ok(()));
        let admin = runtime::admin::serve(settings.admin_listen, health, metrics, stop.clone(), &tasks).await?;
        start(settings, listener, signer, stop.clone(), &tasks)?;
        tracing::info!(address = %self.listen, %admin, "the gate answers");
        runtime::serve::asked_to_stop().await;
        stop.cancel();
        tasks.close();
        let drained = tokio::time::timeout(Duration::from_secs(10), tasks.wait()).await;
        drained
            .map_err(|_| Failure::Failed("draining took too long; uses of the last second may be missing".to_owned()))
    }
}
