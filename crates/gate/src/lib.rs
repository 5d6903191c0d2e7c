//! The gate: authorization checks for proxies and programs in front of a customer's content.
//!
//! The decision comes from the grant's row, the database's clock, and the consent of the tenant, which the gate verifies itself
//! against its trust folder. The gate refuses when the token is unknown, the request is unreadable, the consent is not verified,
//! or the database is slow or unreachable. Deliberately absent: a cache of decisions, and any way to open access.

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
use workers::trust::TrustFolder;
use workers::verified_grants::VerifiedGrants;
use workers::{Health, Relay};

use runtime::configuration::Settings;
use runtime::outcome::Failure;

pub use token::Signer;

mod activity;
mod app;
mod budget;
mod check;
mod code;
mod decide;
mod decision;
mod limits;
mod lookups;
mod response;
mod token;

use app::{App, Inner};
use limits::DATABASE_LIMIT;

/// Longest body of a check, in bytes.
const BODY_LIMIT_BYTES: usize = 16 * 1024;

/// Serve authorization checks for proxies and programs
#[derive(Args, Clone, Debug)]
pub struct Gate {
    /// Address to listen on. Only your proxies and programs must be able to reach it.
    #[arg(long, env = "LOCKBOX_GATE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// File with the key that signs tokens with a lifetime of up to a minute: 64 hexadecimal digits
    /// (`openssl rand -hex 32`). All gates of a deployment need the same key. Without it, the gate issues no tokens.
    #[arg(long, env = "LOCKBOX_GATE_TOKEN_KEY_FILE", value_name = "FILE")]
    token_key_file: Option<PathBuf>,
}

fn router(app: App) -> Router {
    Router::new()
        .route("/v1/check", get(response::to_proxy).post(response::to_program))
        .route("/v1/check/envoy/{*rest}", any(response::to_envoy))
        .route("/v1/open/{request}", get(response::is_open))
        .route("/v1/token", post(response::token))
        .route("/.well-known/jwks.json", get(response::keys))
        .fallback(response::unknown_path)
        .layer(from_fn(response::limit_time))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(app)
}

/// Starts a gate on a bound address.
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
    let activity = activity::Activity::default();
    tasks.spawn(activity.clone().record(recording, relay, stop.clone()));
    let lookups = lookups::Lookups::start(&asking, tasks);
    let (trust, reading) = TrustFolder::open(settings.trust.clone(), stop.clone());
    tasks.spawn(reading);
    let verified = VerifiedGrants::new(asking.clone(), trust);
    let app = App(Arc::new(Inner { store: asking, lookups, verified, activity, signer }));
    tasks.spawn(runtime::listen::serve(listener, router(app), stop));
    Ok(())
}

impl Gate {
    /// Serves until the process is asked to stop.
    ///
    /// # Errors
    /// When an address is in use or the key cannot be read.
    pub async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let metrics = runtime::admin::record_metrics()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let signer = self.token_key_file.as_deref().map(Signer::read).transpose()?;
        let listener = runtime::listen::bind(self.listen).await?;
        let health = Health::default();
        health.set("gate", Ok(()));
        let admin = runtime::admin::serve(settings.admin_listen, health, metrics, stop.clone(), &tasks).await?;
        start(settings, listener, signer, stop.clone(), &tasks)?;
        tracing::info!(address = %self.listen, %admin, "the gate is ready");
        runtime::serve::stop_requested().await;
        stop.cancel();
        tasks.close();
        let drained = tokio::time::timeout(Duration::from_secs(10), tasks.wait()).await;
        drained.map_err(|_| {
            Failure::Failed(
                "draining took more than 10 s; access activity of the last second may be missing".to_owned(),
            )
        })
    }
}
