//! Adds and ends break-glass policies of a tenant. A tenant has none until an approver adds one.

use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::founded::proposed;
use super::page::{RefusedSettings, own_tenant, publish, settings_page};
use super::policy_form::{PolicyInput, policy_problem};
use crate::app::App;
use crate::founding::rule;
use crate::response::{Form, PageError, PageResult};
use crate::session::Viewer;

pub(crate) async fn add(State(app): State<App>, viewer: Viewer, Form(input): Form<PolicyInput>) -> PageResult {
    viewer.check(&input.form_token)?;
    let tenant = own_tenant(&app, &viewer).await?;
    let known_services = app.services().await?;
    let problems = match input.parse(&tenant, &known_services, app.store.clock().await?) {
        Ok(policy) => {
            let current = app.store.policies(tenant.id.0).await?;
            if current.iter().all(|usage| usage.policy.name != policy.name) {
                let stated = |draft: &mut consent::Statement| draft.break_glass.push(rule(&policy));
                if let Some(page) = proposed(&app, &viewer, &tenant, "break-glass", stated).await? {
                    return Ok(page);
                }
                let messages = app.store.create_policy(viewer.by(), &policy).await?;
                return publish(&app, messages).await;
            }
            vec![policy_problem(&format!("name: {} exists already; end that policy first", policy.name))]
        }
        Err(problems) => problems,
    };
    let refused = RefusedSettings { policy: input, ..RefusedSettings::new("break-glass", problems) };
    settings_page(&app, viewer, refused).await
}

/// The policy to end.
#[derive(Deserialize)]
pub(crate) struct EndForm {
    form_token: String,
    #[serde(default)]
    policy: String,
}

pub(crate) async fn end(State(app): State<App>, viewer: Viewer, Form(form): Form<EndForm>) -> PageResult {
    viewer.check(&form.form_token)?;
    let tenant = own_tenant(&app, &viewer).await?;
    let id: Uuid = form.policy.parse().map_err(|_| PageError::NotFound)?;
    let ended = |draft: &mut consent::Statement| draft.break_glass.retain(|policy| policy.policy != id);
    if let Some(page) = proposed(&app, &viewer, &tenant, "break-glass", ended).await? {
        return Ok(page);
    }
    let messages = app.store.revoke_policy(viewer.by(), id).await?;
    publish(&app, messages).await
}
