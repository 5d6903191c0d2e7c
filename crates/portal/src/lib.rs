//! The portal: pages for engineers, managers, approvers and auditors. Server rendered; every page works without script.
//!
//! A click becomes a command in the outbox, like everywhere else; the page waits for what became of it and shows the
//! truth. Nothing here decides: authority is checked again by the role that acts.

use std::net::SocketAddr;
use std::sync::Arc;

use ::passkeys::Passkeys;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use clap::Args;
use store::{Store, StoreOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::{Health, Relay};

use crate::mailbox::Mailbox;
use runtime::configuration::Settings;
use runtime::outcome::Failure;

pub use oidc::{Claim, Entry, Provider, check as check_providers};

mod answer;
pub mod api;
mod approvers;
mod ask;
mod assets;
mod audit;
mod changed;
mod clicks;
mod complete;
mod developer;
mod evidence;
mod grants;
mod guard;
mod handles;
mod live;
mod log;
mod look;
pub mod mailbox;
mod mails;
mod oidc;
mod pages;
mod passkeys;
mod refused;
mod request;
mod session;
mod settings;
mod sight;
mod story;
mod webhooks;

/// Longest body of a form, in bytes.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// Serve the web portal.
#[derive(Args, Clone, Debug)]
pub struct Portal {
    /// Where to listen. Put a proxy that speaks TLS before any address that others reach.
    #[arg(long, env = "LOCKBOX_PORTAL_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Let anybody sign in as anybody, for development. Refused unless the portal listens on, and is known under, an
    /// address of this machine, and no identity provider is set.
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
    oidc: oidc::Oidc,
    mailbox: Option<Mailbox>,
    limits: api::Limits,
    counts: complete::Counts,
    /// Bundles that may be made at once: each holds a moment of the database still.
    bundles: tokio::sync::Semaphore,
    /// Hosts inside the house that webhooks may reach.
    webhook_inside: workers::webhooks::Inside,
    /// Logins at targets that are databases.
    target_logins: runtime::target_login::TargetLogins,
    /// Passkeys bound to this portal, or why there are none.
    passkeys: Result<Passkeys, ::passkeys::Error>,
    /// What browsers know it by, such as `https://lockbox.fabrikam.example`.
    origin: String,
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Pages under construction: the list of routes and the router are made in the same breath, so that no route is
/// without expectations in the tests.
struct Pages {
    router: Router<App>,
    listed: Vec<(&'static str, &'static str)>,
}

impl Pages {
    fn get<H: Handler<T, App>, T: 'static>(mut self, path: &'static str, handler: H) -> Self {
        self.listed.push(("GET", path));
        Self { router: self.router.route(path, get(handler)), ..self }
    }

    fn post<H: Handler<T, App>, T: 'static>(mut self, path: &'static str, handler: H) -> Self {
        self.listed.push(("POST", path));
        Self { router: self.router.route(path, post(handler)), ..self }
    }
}

fn pages() -> Pages {
    Pages { router: Router::new(), listed: Vec::new() }
        .get("/", pages::home)
        .get("/live", live::home)
        .get("/sign-in", session::page)
        .post("/sign-in", session::sign_in)
        .get("/sign-in/start", oidc::start)
        .get("/sign-in/callback", oidc::callback)
        .post("/sign-out", session::sign_out)
        .get("/requests", pages::history)
        .get("/requests/new", ask::form)
        .post("/requests", ask::submit)
        .post("/requests/preview", ask::preview)
        .get("/requests/{id}", request::show)
        .get("/requests/{id}/live", live::events)
        .post("/requests/{id}/decision", clicks::decide)
        .post("/requests/{id}/end", clicks::end)
        .post("/requests/{id}/withdrawal", clicks::withdraw)
        .post("/requests/{id}/comments", clicks::comment)
        .post("/requests/{id}/report", clicks::report)
        .post("/requests/{id}/access-token", handles::fetch)
        .get("/grants", grants::list)
        .get("/grants/live", live::grants)
        .get("/audit", audit::search)
        .get("/audit/export", audit::export)
        .get("/audit/bundle", evidence::bundle)
        .post("/audit/searches", audit::keep)
        .post("/audit/searches/removal", audit::forget)
        .get("/audit/{id}", audit::event)
        .get("/audit/{id}/proof", evidence::proof)
        .get("/passkeys", passkeys::list)
        .post("/passkeys", passkeys::add)
        .post("/passkeys/options", passkeys::options)
        .post("/passkeys/removal", passkeys::remove)
        .get("/settings", settings::show)
        .post("/settings", settings::change)
        .post("/settings/away", settings::leave)
        .post("/settings/approvers", approvers::change)
        .post("/settings/webhooks", webhooks::add)
        .post("/settings/webhooks/removal", webhooks::remove)
        .post("/settings/webhooks/rotation", webhooks::rotate)
        .post("/settings/webhooks/redelivery", webhooks::redeliver)
        .get("/settings/webhooks/{id}", webhooks::deliveries)
        .post("/settings/break-glass", settings::policies::give)
        .post("/settings/break-glass/end", settings::policies::take_back)
        .get("/mailbox", mails::list)
        .get("/assets/{file}", assets::file)
        .get("/.well-known/lockbox/{tenant}/checkpoint", log::checkpoint)
        .get("/.well-known/lockbox/{tenant}/keys", log::keys)
}

/// Every page, with its method. The tests walk this list: a route without expectations fails them.
pub fn routes() -> Vec<(&'static str, &'static str)> {
    pages().listed
}

fn router(app: App) -> Router {
    pages()
        .router
        .nest("/api/v1", api::router())
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
    if options.developer_sign_in {
        developer::may_start(listener.local_addr()?, &settings.mail.portal_url, &options.provider)?;
    }
    let name = runtime::serve::process_name("portal");
    let store = Store::connect_portal(&StoreOptions {
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
        limits: api::Limits::default(),
        counts: complete::Counts::default(),
        bundles: tokio::sync::Semaphore::new(evidence::AT_ONCE),
        webhook_inside: settings.webhook_inside.clone(),
        target_logins: runtime::target_login::TargetLogins::of(settings),
        passkeys: Passkeys::at(&origin),
        origin,
    }));
    tasks.spawn(runtime::listen::serve(listener, router(app), stop));
    Ok(())
}

impl Portal {
    /// Serves until asked to stop.
    ///
    /// # Errors
    /// As [`start`].
    pub async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let metrics = runtime::admin::record_metrics()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let health = Health::default();
        health.set("portal", Ok(()));
        let admin = runtime::admin::serve(settings.admin_listen, health, metrics, stop.clone(), &tasks).await?;
        let provider = Provider { others: settings.sign_in.clone(), ..self.provider };
        check_providers(settings, &provider).await?;
        if !self.developer_sign_in && developer::is_loopback_origin(&settings.mail.portal_url) {
            tracing::warn!(
                portal_url = settings.mail.portal_url,
                "only browsers on this machine can use the portal; set LOCKBOX_PORTAL_URL to the address that browsers use"
            );
        }
        let options = Options { developer_sign_in: self.developer_sign_in, provider, mailbox: None };
        let listener = runtime::listen::bind(self.listen).await?;
        start(settings, listener, options, stop.clone(), &tasks)?;
        tracing::info!(address = %self.listen, %admin, "the portal serves");
        runtime::serve::stop_requested().await;
        stop.cancel();
        tasks.close();
        // Pages that wait for news never end by themselves.
        drop(tokio::time::timeout(std::time::Duration::from_secs(5), tasks.wait()).await);
        Ok(())
    }
}
