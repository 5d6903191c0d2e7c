//! The portal: web pages for requesters, managers, approvers and auditors, and the HTTP API. Pages are rendered on the
//! server and work without scripts, except for passkeys.
//!
//! A submitted form becomes a command in the outbox. The page waits for the result of the command and shows the stored
//! state. The portal decides nothing: the worker role that handles the command checks permissions again.

use std::net::SocketAddr;
use std::sync::Arc;

use ::passkeys::Passkeys;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use clap::Args;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::target_login::TargetLogins;
use store::{Store, StoreOptions};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::{Health, Relay};

use crate::app::{App, BUNDLES_AT_ONCE, Inner};
use crate::mailbox::Mailbox;

pub use oidc::{Claim, Entry, Provider, check as check_providers};

mod access_token;
pub mod api;
mod app;
mod assets;
mod audit;
mod authority;
mod commands;
mod completeness;
mod developer;
mod digest_mismatch;
mod evidence;
mod format;
mod founding;
mod grants;
mod guard;
mod installation;
mod log;
pub mod mailbox;
mod mailbox_page;
mod oidc;
mod passkeys;
mod refused;
mod request;
mod request_form;
mod requests;
mod response;
mod session;
mod settings;
mod signing;
mod timeline;
mod tokens;
mod updates;
mod visibility;

/// Longest body of a form, in bytes.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// Serve the web portal.
#[derive(Args, Clone, Debug)]
pub struct Portal {
    /// Address to listen on. Put a TLS proxy in front of an address that other machines can reach.
    #[arg(long, env = "LOCKBOX_PORTAL_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Let people sign in as any person, without a password, for development. The portal refuses this unless it listens
    /// on a loopback address, `LOCKBOX_PORTAL_URL` is a loopback address, and no identity provider is set.
    #[arg(long)]
    developer_sign_in: bool,
    #[command(flatten)]
    provider: Provider,
}

/// Options of a portal.
pub struct Options {
    /// Whether people sign in by choosing a name.
    pub developer_sign_in: bool,
    /// Identity providers.
    pub provider: Provider,
    /// Mails to show in development.
    pub mailbox: Option<Mailbox>,
}

/// Routes under construction. The router and the list of routes are built together, so that the tests know every route.
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
        .get("/", requests::pending)
        .get("/updates", updates::pending)
        .get("/sign-in", session::sign_in_page)
        .post("/sign-in", session::sign_in)
        .get("/sign-in/start", oidc::start)
        .get("/sign-in/callback", oidc::callback)
        .post("/sign-out", session::sign_out)
        .get("/requests", requests::list)
        .get("/requests/new", request_form::show)
        .post("/requests", request_form::submit)
        .post("/requests/preview", request_form::preview)
        .get("/requests/{id}", request::show)
        .get("/requests/{id}/updates", updates::request)
        .post("/requests/{id}/decision", commands::decide)
        .post("/requests/{id}/signing", signing::issue)
        .post("/requests/{id}/revocation", commands::revoke)
        .post("/requests/{id}/withdrawal", commands::withdraw)
        .post("/requests/{id}/comments", commands::comment)
        .post("/requests/{id}/report", commands::respond_to_report)
        .post("/requests/{id}/access-token", access_token::create)
        .get("/grants", grants::list)
        .get("/grants/updates", updates::grants)
        .get("/audit", audit::search)
        .get("/audit/export", audit::export)
        .get("/audit/bundle", evidence::bundle)
        .post("/audit/searches", audit::save_search)
        .post("/audit/searches/removal", audit::delete_search)
        .get("/audit/{id}", audit::event)
        .get("/audit/{id}/proof", evidence::proof)
        .get("/passkeys", passkeys::list)
        .post("/passkeys", passkeys::add)
        .post("/passkeys/options", passkeys::options)
        .post("/passkeys/removal", passkeys::remove)
        .get("/tokens", tokens::list)
        .post("/tokens", tokens::add)
        .post("/tokens/revocation", tokens::revoke)
        .get("/founding/{token}", founding::show)
        .post("/founding/{token}", founding::enter_code)
        .post("/founding/{token}/statement", founding::found)
        .get("/authority", authority::show)
        .get("/authority/file", authority::file)
        .post("/authority/changes", authority::propose)
        .get("/authority/changes/{id}", authority::change)
        .post("/authority/changes/{id}/signatures", authority::sign)
        .post("/authority/changes/{id}/withdrawal", authority::withdraw)
        .get("/settings", settings::show)
        .post("/settings", settings::change)
        .post("/settings/out-of-office", settings::set_out_of_office)
        .post("/settings/approvers", settings::approvers::change)
        .post("/settings/webhooks", settings::webhooks::add)
        .post("/settings/webhooks/removal", settings::webhooks::remove)
        .post("/settings/webhooks/rotation", settings::webhooks::rotate)
        .post("/settings/webhooks/redelivery", settings::webhooks::redeliver)
        .get("/settings/webhooks/{id}", settings::webhooks::deliveries)
        .post("/settings/break-glass", settings::policies::add)
        .post("/settings/break-glass/revocation", settings::policies::end)
        .get("/installation", installation::show)
        .get("/mailbox", mailbox_page::list)
        .get("/assets/{file}", assets::file)
        .get("/verify.html", assets::verify_page)
        .get("/.well-known/lockbox/{tenant}/checkpoint", log::checkpoint)
        .get("/.well-known/lockbox/{tenant}/keys", log::keys)
        .get("/.well-known/lockbox/{tenant}/tile/{*path}", log::tile)
}

/// Method and path of every route. A test goes through this list and fails when it has no expectation for a route.
pub fn routes() -> Vec<(&'static str, &'static str)> {
    pages().listed
}

fn router(app: App) -> Router {
    pages()
        .router
        .nest("/api/v1", api::router())
        .fallback(response::not_found)
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .with_state(app)
}

/// Starts a portal on a bound listener.
///
/// # Errors
/// When developer sign-in is set on a portal that other machines can reach, or a setting is not valid.
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
        oidc: oidc::providers::Oidc::new(&options.provider, &origin)?,
        mailbox: options.mailbox,
        limits: api::limits::Limits::default(),
        counts: completeness::Counts::default(),
        bundles: tokio::sync::Semaphore::new(BUNDLES_AT_ONCE),
        target_logins: TargetLogins::of(settings),
        webhook_inside: settings.webhook_inside.clone(),
        passkeys: Passkeys::at(&origin),
        origin,
    }));
    tasks.spawn(runtime::listen::serve(listener, router(app), stop));
    Ok(())
}

impl Portal {
    /// Serves until the process is asked to stop.
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
                "the portal URL is a loopback address, so only browsers on this machine can use the portal; set LOCKBOX_PORTAL_URL \
                 to the address that browsers use"
            );
        }
        let options = Options { developer_sign_in: self.developer_sign_in, provider, mailbox: None };
        let listener = runtime::listen::bind(self.listen).await?;
        start(settings, listener, options, stop.clone(), &tasks)?;
        tracing::info!(address = %self.listen, %admin, "portal is ready");
        runtime::serve::stop_requested().await;
        stop.cancel();
        tasks.close();
        // Update streams of open pages never end by themselves.
        drop(tokio::time::timeout(std::time::Duration::from_secs(5), tasks.wait()).await);
        Ok(())
    }
}
