//! The portal: pages for engineers, managers, approvers and auditors. Server rendered; every page works without script.
//!
//! A click becomes a command in the outbox, like everywhere else; the page waits for what became of it and shows the
//! truth. Nothing here decides: authority is checked again by the role that acts.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use clap::Args;
use store::{Store, StoreOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::{Health, Relay};

use crate::configuration::Settings;
use crate::mailbox::Mailbox;
use crate::outcome::Failure;

pub use oidc::Provider;

mod answer;
mod assets;
mod audit;
mod clicks;
mod guard;
mod live;
mod look;
mod mails;
mod oidc;
mod pages;
mod request;
mod session;
mod sight;

/// Longest body of a form, in bytes.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// Serve the web portal.
#[derive(Args, Clone, Debug)]
pub struct Portal {
    /// Where to listen. Put a proxy that speaks TLS before any address that others reach.
    #[arg(long, env = "LOCKBOX_PORTAL_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Let anybody sign in as anybody, for development. Only on a loopback address.
    #[arg(long)]
    developer_sign_in: bool,
    #[command(flatten)]
    provider: Provider,
}

/// How a portal is run.
pub struct Options {
    /// Whether people sign in by choosing a name.
    pub developer_sign_in: bool,
    /// Through whom people sign in.
    pub provider: Provider,
    /// Mails to show.
    pub mailbox: Option<Mailbox>,
}

/// What every page shares.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    store: Store,
    relay: Relay,
    developer: bool,
    oidc: Option<oidc::Oidc>,
    mailbox: Option<Mailbox>,
    /// What browsers know it by, such as `https://lockbox.fabrikam.example`.
    origin: String,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Every page, with its method. The tests walk this list: a route without expectations fails them.
pub const ROUTES: [(&str, &str); 19] = [
    ("GET", "/"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/sign-in/start"),
    ("GET", "/sign-in/callback"),
    ("POST", "/sign-out"),
    ("GET", "/requests"),
    ("GET", "/requests/new"),
    ("POST", "/requests"),
    ("GET", "/requests/{id}"),
    ("GET", "/requests/{id}/live"),
    ("POST", "/requests/{id}/decision"),
    ("POST", "/requests/{id}/end"),
    ("POST", "/requests/{id}/withdrawal"),
    ("GET", "/audit"),
    ("GET", "/audit/export"),
    ("GET", "/audit/{id}"),
    ("GET", "/mailbox"),
    ("GET", "/assets/{file}"),
];

fn router(app: App) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/sign-in", get(session::page).post(session::sign_in))
        .route("/sign-in/start", get(oidc::start))
        .route("/sign-in/callback", get(oidc::callback))
        .route("/sign-out", post(session::sign_out))
        .route("/requests", get(pages::history).post(request::submit))
        .route("/requests/new", get(request::form))
        .route("/requests/{id}", get(request::show))
        .route("/requests/{id}/live", get(live::events))
        .route("/requests/{id}/decision", post(clicks::decide))
        .route("/requests/{id}/end", post(clicks::end))
        .route("/requests/{id}/withdrawal", post(clicks::withdraw))
        .route("/audit", get(audit::search))
        .route("/audit/export", get(audit::export))
        .route("/audit/{id}", get(audit::event))
        .route("/mailbox", get(mails::list))
        .route("/assets/{file}", get(assets::file))
        .fallback(answer::nothing_here)
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(app)
}

/// Starts a portal on an address that was taken.
///
/// # Errors
/// When developer sign-in is asked for where others could reach it, or the settings cannot be used.
pub fn start(
    settings: &Settings,
    listener: TcpListener,
    options: Options,
    stop: CancellationToken,
    tasks: &TaskTracker,
) -> Result<(), Failure> {
    let address = listener.local_addr()?;
    if options.developer_sign_in && !address.ip().is_loopback() {
        return Err(Failure::Usage(format!(
            "--developer-sign-in lets anybody be anybody and is refused on {address}; listen on 127.0.0.1"
        )));
    }
    let name = crate::serve::process_name("portal");
    let store = Store::connect_lazily(&StoreOptions {
        url: settings.database_url.clone(),
        connections: settings.database_connections.max(8),
        name: name.clone(),
    })?;
    let broker = broker::Config { url: settings.amqp_url.clone(), name };
    let (relay, relay_task) = Relay::new(broker, settings.names.clone(), store.clone(), Health::default());
    tasks.spawn(relay_task.run(stop.clone()));
    let origin = settings.mail.portal_url.trim_end_matches('/').to_owned();
    let app = App(Arc::new(Inner {
        store,
        relay,
        developer: options.developer_sign_in,
        oidc: oidc::Oidc::new(&options.provider, &origin)?,
        mailbox: options.mailbox,
        origin,
    }));
    tasks.spawn(async move {
        let served = axum::serve(listener, router(app)).with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = served.await {
            tracing::error!(%error, "the portal failed");
        }
    });
    Ok(())
}

/// Takes the address of a portal.
///
/// # Errors
/// When it is taken.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Failed(format!("{address} cannot be taken ({error}); choose another for the portal to listen on"))
    })
}

impl Portal {
    /// Serves until asked to stop.
    ///
    /// # Errors
    /// As [`start`].
    pub async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let options = Options { developer_sign_in: self.developer_sign_in, provider: self.provider, mailbox: None };
        let listener = listen(self.listen).await?;
        start(settings, listener, options, stop.clone(), &tasks)?;
        tracing::info!(address = %self.listen, "the portal serves");
        crate::serve::asked_to_stop().await;
        stop.cancel();
        tasks.close();
        // Pages that wait for news never end by themselves.
        drop(tokio::time::timeout(std::time::Duration::from_secs(5), tasks.wait()).await);
        Ok(())
    }
}
