//! Settings of a founded tenant: a form becomes a proposed change of its authority, which approvers sign.

use axum::response::Response;
use consent::Statement;
use domain::Tenant;

use super::page::{RefusedSettings, settings_page};
use crate::app::App;
use crate::authority::propose_edit;
use crate::response::{PageError, redirect};
use crate::session::Viewer;

/// Proposes the change, and shows the proposal, or the settings again with what is not valid. `None` when the tenant is not
/// founded: then the form applies at once.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn proposed(
    app: &App,
    viewer: &Viewer,
    tenant: &Tenant,
    form: &'static str,
    edit: impl FnOnce(&mut Statement),
) -> Result<Option<Response>, PageError> {
    if !app.store.has_authority(tenant.id.0).await? {
        return Ok(None);
    }
    let done = propose_edit(app, viewer, |draft| {
        edit(draft);
        Ok(())
    });
    match done.await? {
        Ok(id) => redirect(&format!("/authority/changes/{id}")).map(Some),
        Err(problem) => settings_page(app, viewer.clone(), RefusedSettings::new(form, vec![problem])).await.map(Some),
    }
}
