//! A tenant's webhooks, for its approvers: who gets its events over HTTP.

use askama::Template;
use axum::extract::State;
use contracts::events::Actor;
use serde::Deserialize;
use store::webhooks::NewWebhook;
use uuid::Uuid;
use workers::webhooks::{check_url, secret};

use super::App;
use super::answer::{Answer, Fault, Filled, page};
use super::session::Viewer;
use super::settings::{own, publish, settings_page};

/// Most webhooks of a tenant.
const LIMIT: usize = 20;

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    viewer: Viewer,
    name: String,
    url: String,
    secret: String,
}

/// A webhook to add.
#[derive(Deserialize)]
pub(crate) struct Asked {
    form_token: String,
    name: String,
    url: String,
    #[serde(default)]
    types: String,
}

pub(crate) async fn add(State(app): State<App>, viewer: Viewer, Filled(asked): Filled<Asked>) -> Answer {
    viewer.check(&asked.form_token)?;
    let tenant = own(&app, &viewer).await?;
    let (name, types) = (asked.name.trim(), asked.types.trim());
    let named = |what: &str, problem: &str| format!("{what} {problem}");
    let problem = domain::policy::text_problem(name, 64, false).map(|problem| named("the name", &problem));
    let is_type = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
    let problem =
        problem.or_else(|| (!types.chars().all(is_type)).then(|| "types are letters and dots, such as access.".into()));
    let url = match (problem, check_url(asked.url.trim(), &app.webhook_inside)) {
        (None, Ok(url)) => url.to_string(),
        (Some(problem), _) | (None, Err(problem)) => return settings_page(&app, viewer, None, Some(problem)).await,
    };
    if app.store.webhooks(Some(tenant.id.0)).await?.len() >= LIMIT {
        let problem = format!("there are {LIMIT} webhooks, and no more fit; remove one first");
        return settings_page(&app, viewer, None, Some(problem)).await;
    }
    let secret = secret().ok_or_else(|| Fault::Away("the system has no random numbers".to_owned()))?;
    let new = NewWebhook { tenant: Some(tenant.id.0), name, url: &url, types, secret: &secret };
    let (_, messages) = app.store.add_webhook(new, &viewer.person.display_name, Actor::person(&viewer.person)).await?;
    publish(&app, messages).await?;
    page(&WebhookPage { name: name.to_owned(), url, secret, viewer })
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
    let (by, actor) = (&viewer.person.display_name, Actor::person(&viewer.person));
    let messages = app.store.remove_webhook(which.id, Some(tenant.id.0), by, actor).await?;
    publish(&app, messages).await
}
