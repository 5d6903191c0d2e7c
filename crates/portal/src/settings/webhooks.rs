//! The webhooks of a tenant, for its approvers: adds, removes and rotates them, and shows their delivery log.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;
use store::webhooks::{NewWebhook, WebhookView};
use uuid::Uuid;
use workers::webhooks::{OVERLAP_LIMIT, secret};

use super::page::{RefusedSettings, own_tenant, publish, settings_page};
use super::webhook_form::WebhookInput;
use crate::app::App;
use crate::format::DisplayTime;
use crate::refused::Problem;
use crate::response::{Form, PageError, PageResult, redirect, render};
use crate::session::Viewer;

/// Most webhooks of a tenant.
const WEBHOOK_LIMIT: usize = 20;
/// Most attempts in the delivery log.
const ATTEMPT_LIMIT: i64 = 100;

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    viewer: Viewer,
    name: String,
    url: String,
    secret: String,
    /// After a rotation: until when the old secret signs too.
    rotated: Option<Option<DisplayTime>>,
}

/// An attempt in the delivery log.
struct Attempt {
    at: DisplayTime,
    event: Uuid,
    type_name: String,
    attempt: i32,
    /// Status of the receiver, or the error.
    result: String,
    is_delivered: bool,
    duration_ms: i32,
}

#[derive(Template)]
#[template(path = "webhook_deliveries.html")]
struct DeliveriesPage {
    viewer: Viewer,
    hook: WebhookView,
    attempts: Vec<Attempt>,
}

pub(crate) async fn add(State(app): State<App>, viewer: Viewer, Form(input): Form<WebhookInput>) -> PageResult {
    viewer.check(&input.form_token)?;
    let tenant = own_tenant(&app, &viewer).await?;
    let url = match input.parse(&app.webhook_inside) {
        Ok(url) if app.store.webhooks(Some(tenant.id.0)).await?.len() < WEBHOOK_LIMIT => url,
        parsed => {
            let full = || {
                let problem = format!("There are {WEBHOOK_LIMIT} webhooks, which is the limit. Remove one first.");
                Problem::new("", problem)
            };
            let refused = RefusedSettings::new("webhooks", vec![parsed.err().unwrap_or_else(full)]);
            return settings_page(&app, viewer, RefusedSettings { webhook: input, ..refused }).await;
        }
    };
    let (name, types) = (domain::text::one_line(&input.name), input.types.trim());
    let secret = new_secret()?;
    let new = NewWebhook { tenant: Some(tenant.id.0), name: &name, url: &url, types, secret: &secret };
    let (_, messages) = app.store.add_webhook(new, &viewer.person.display_name, viewer.by().actor()).await?;
    publish(&app, messages).await?;
    render(&WebhookPage { name, url, secret, rotated: None, viewer })
}

fn new_secret() -> Result<String, PageError> {
    secret().ok_or_else(|| PageError::Unavailable("the operating system has no random numbers".to_owned()))
}

/// The webhook to remove.
#[derive(Deserialize)]
pub(crate) struct RemoveForm {
    form_token: String,
    id: Uuid,
}

pub(crate) async fn remove(State(app): State<App>, viewer: Viewer, Form(form): Form<RemoveForm>) -> PageResult {
    viewer.check(&form.form_token)?;
    let tenant = own_tenant(&app, &viewer).await?;
    let (by, actor) = (&viewer.person.display_name, viewer.by().actor());
    let messages = app.store.remove_webhook(form.id, Some(tenant.id.0), by, actor).await?;
    publish(&app, messages).await
}

/// The webhook whose secret to rotate.
#[derive(Deserialize)]
pub(crate) struct RotateForm {
    form_token: String,
    id: Uuid,
    #[serde(default)]
    overlap_seconds: u64,
}

pub(crate) async fn rotate(State(app): State<App>, viewer: Viewer, Form(form): Form<RotateForm>) -> PageResult {
    viewer.check(&form.form_token)?;
    let (tenant, hook) = own_webhook(&app, &viewer, form.id).await?;
    let overlap = form.overlap_seconds.min(OVERLAP_LIMIT.as_secs());
    let overlap = std::time::Duration::from_secs(overlap).as_secs_f64();
    let secret = new_secret()?;
    let (by, actor) = (&viewer.person.display_name, viewer.by().actor());
    let rotating = app.store.rotate_webhook((hook.id, Some(tenant)), (&secret, overlap), by, actor);
    let (messages, until) = rotating.await?;
    publish(&app, messages).await?;
    render(&WebhookPage { name: hook.name, url: hook.url, secret, rotated: Some(until.map(DisplayTime::from)), viewer })
}

/// A webhook of the viewer's tenant, with the tenant's id.
async fn own_webhook(app: &App, viewer: &Viewer, id: Uuid) -> Result<(Uuid, WebhookView), PageError> {
    let tenant = own_tenant(app, viewer).await?.id.0;
    let hook = app.store.webhooks(Some(tenant)).await?.into_iter().find(|hook| hook.id == id);
    Ok((tenant, hook.ok_or(PageError::NotFound)?))
}

pub(crate) async fn deliveries(State(app): State<App>, viewer: Viewer, Path(id): Path<Uuid>) -> PageResult {
    let (_, hook) = own_webhook(&app, &viewer, id).await?;
    let attempts = app.store.webhook_attempts(id, None, ATTEMPT_LIMIT).await?.into_iter().map(|attempt| Attempt {
        at: attempt.at.into(),
        event: attempt.event,
        type_name: attempt.type_name,
        attempt: attempt.attempt,
        is_delivered: attempt.error.is_none(),
        result: attempt.error.unwrap_or_else(|| format!("delivered ({})", attempt.status.unwrap_or_default())),
        duration_ms: attempt.duration_ms,
    });
    render(&DeliveriesPage { attempts: attempts.collect(), hook, viewer })
}

/// The event to send again.
#[derive(Deserialize)]
pub(crate) struct RedeliverForm {
    form_token: String,
    id: Uuid,
    event: Uuid,
}

pub(crate) async fn redeliver(State(app): State<App>, viewer: Viewer, Form(form): Form<RedeliverForm>) -> PageResult {
    viewer.check(&form.form_token)?;
    let (tenant, hook) = own_webhook(&app, &viewer, form.id).await?;
    app.store.redeliver(hook.id, form.event, Some(tenant), viewer.by().actor()).await?;
    redirect(&format!("/settings/webhooks/{}", hook.id))
}
