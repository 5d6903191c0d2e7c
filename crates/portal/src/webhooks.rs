//! A tenant's webhooks, for its approvers: who gets its events over HTTP.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;
use store::webhooks::{NewWebhook, WebhookView};
use uuid::Uuid;
use workers::webhooks::{OVERLAP_LIMIT, check_url, secret};

use super::App;
use super::answer::{Answer, Fault, Filled, go, page};
use super::look::Moment;
use super::refused::Problem;
use super::session::Viewer;
use super::settings::{Typed, own, publish, settings_page};

/// Most webhooks of a tenant.
const LIMIT: usize = 20;
/// Attempts that a page shows.
const ATTEMPTS: i64 = 100;

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    viewer: Viewer,
    name: String,
    url: String,
    secret: String,
    /// Whether it had a secret before, and until when that one signs too.
    rotated: Option<Option<Moment>>,
}

/// An attempt in the delivery log.
struct Shown {
    at: Moment,
    event: Uuid,
    type_name: String,
    attempt: i32,
    /// What the receiver answered, or why not.
    answer: String,
    is_delivered: bool,
    duration_ms: i32,
}

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    viewer: Viewer,
    hook: WebhookView,
    attempts: Vec<Shown>,
}

/// A webhook to add.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Asked {
    form_token: String,
    pub(super) name: String,
    pub(super) url: String,
    #[serde(default)]
    pub(super) types: String,
}

/// The address that was typed, or the first thing that is wrong.
fn read(asked: &Asked, app: &App) -> Result<String, Problem> {
    if let Some(problem) = domain::text::problem(&domain::text::one_line(&asked.name), 64, false) {
        return Err(Problem::new("name", format!("Name: {problem}")));
    }
    if !asked.types.trim().chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.') {
        return Err(Problem::new("types", "Types: only small letters, dots and underscores, such as access."));
    }
    let url = check_url(asked.url.trim(), &app.webhook_inside);
    url.map(|url| url.to_string()).map_err(|problem| Problem::new("url", format!("Address: {problem}")))
}

pub(crate) async fn add(State(app): State<App>, viewer: Viewer, Filled(asked): Filled<Asked>) -> Answer {
    viewer.check(&asked.form_token)?;
    let tenant = own(&app, &viewer).await?;
    let url = match read(&asked, &app) {
        Ok(url) if app.store.webhooks(Some(tenant.id.0)).await?.len() < LIMIT => url,
        read => {
            let full = || Problem::new("", format!("There are {LIMIT} webhooks, which is the most. Remove one first."));
            let typed = Typed::refused("webhooks", vec![read.err().unwrap_or_else(full)]);
            return settings_page(&app, viewer, Typed { webhook: asked, ..typed }).await;
        }
    };
    let (name, types) = (domain::text::one_line(&asked.name), asked.types.trim());
    let secret = secret().ok_or_else(|| Fault::Away("the system has no random numbers".to_owned()))?;
    let new = NewWebhook { tenant: Some(tenant.id.0), name: &name, url: &url, types, secret: &secret };
    let (_, messages) = app.store.add_webhook(new, &viewer.person.display_name, viewer.by().actor()).await?;
    publish(&app, messages).await?;
    page(&WebhookPage { name, url, secret, rotated: None, viewer })
}

/// A webhook to remove.
#[derive(Deserialize)]
pub(crate) struct Which {
    form_token: String,
    id: Uuid,
}

pub(crate) async fn remove(State(app): State<App>, viewer: Viewer, Filled(which): Filled<Which>) -> Answer {
    viewer.check(&which.form_token)?;
    let tenant = own(&app, &viewer).await?;
    let (by, actor) = (&viewer.person.display_name, viewer.by().actor());
    let messages = app.store.remove_webhook(which.id, Some(tenant.id.0), by, actor).await?;
    publish(&app, messages).await
}

/// A secret to rotate.
#[derive(Deserialize)]
pub(crate) struct Rotation {
    form_token: String,
    id: Uuid,
    #[serde(default)]
    overlap_seconds: u64,
}

pub(crate) async fn rotate(State(app): State<App>, viewer: Viewer, Filled(asked): Filled<Rotation>) -> Answer {
    viewer.check(&asked.form_token)?;
    let (tenant, hook) = own_webhook(&app, &viewer, asked.id).await?;
    let overlap = asked.overlap_seconds.min(OVERLAP_LIMIT.as_secs());
    let overlap = std::time::Duration::from_secs(overlap).as_secs_f64();
    let secret = secret().ok_or_else(|| Fault::Away("the system has no random numbers".to_owned()))?;
    let (by, actor) = (&viewer.person.display_name, viewer.by().actor());
    let rotating = app.store.rotate_webhook((hook.id, Some(tenant)), (&secret, overlap), by, actor);
    let (messages, until) = rotating.await?;
    publish(&app, messages).await?;
    page(&WebhookPage { name: hook.name, url: hook.url, secret, rotated: Some(until.map(Moment::from)), viewer })
}

/// The webhook, if it is one of the viewer's tenant.
async fn own_webhook(app: &App, viewer: &Viewer, id: Uuid) -> Result<(Uuid, WebhookView), Fault> {
    let tenant = own(app, viewer).await?.id.0;
    let hook = app.store.webhooks(Some(tenant)).await?.into_iter().find(|hook| hook.id == id);
    Ok((tenant, hook.ok_or(Fault::Missing)?))
}

pub(crate) async fn deliveries(State(app): State<App>, viewer: Viewer, Path(id): Path<Uuid>) -> Answer {
    let (_, hook) = own_webhook(&app, &viewer, id).await?;
    let attempts = app.store.webhook_attempts(id, None, ATTEMPTS).await?.into_iter().map(|one| Shown {
        at: one.at.into(),
        event: one.event,
        type_name: one.type_name,
        attempt: one.attempt,
        is_delivered: one.error.is_none(),
        answer: one.error.unwrap_or_else(|| format!("delivered ({})", one.status.unwrap_or_default())),
        duration_ms: one.duration_ms,
    });
    page(&DeliveriesPage { attempts: attempts.collect(), hook, viewer })
}

/// An event to send again.
#[derive(Deserialize)]
pub(crate) struct Redelivery {
    form_token: String,
    id: Uuid,
    event: Uuid,
}

pub(crate) async fn redeliver(State(app): State<App>, viewer: Viewer, Filled(asked): Filled<Redelivery>) -> Answer {
    viewer.check(&asked.form_token)?;
    let (tenant, hook) = own_webhook(&app, &viewer, asked.id).await?;
    app.store.redeliver(hook.id, asked.event, Some(tenant)).await?;
    go(&format!("/settings/webhooks/{}", hook.id))
}
