//! Changes the approvers of a tenant.

use axum::extract::State;

use super::approvers_form::{ApproversInput, values};
use super::page::{RefusedSettings, own_tenant, publish, settings_page};
use crate::app::App;
use crate::response::{Form, PageResult, redirect};
use crate::session::Viewer;

pub(crate) async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Form(sent): Form<Vec<(String, String)>>,
) -> PageResult {
    viewer.check(values(&sent, "form_token").next().unwrap_or_default())?;
    let tenant = own_tenant(&app, &viewer).await?;
    let people = app.store.people_of(tenant.id.0).await?;
    let services = app.services().await?;
    let input = ApproversInput::of(&sent, &people, &services);
    match input.parse(&tenant) {
        Ok(_) if app.store.has_authority(tenant.id.0).await? => redirect("/authority"),
        Ok(rules) => {
            let messages = app.store.change_approvers(viewer.by(), &rules).await?;
            publish(&app, messages).await
        }
        Err(problem) => {
            let refused = RefusedSettings::new("approvers", vec![problem]);
            settings_page(&app, viewer, RefusedSettings { approvers: Some(input), ..refused }).await
        }
    }
}
