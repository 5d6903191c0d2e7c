//! The settings page: the current settings, and a form again that was refused.

use askama::Template;
use contracts::envelope::Message;
use domain::{Role, Side, Tenant};
use serde::Deserialize;
use store::settings::Delegation;
use store::webhooks::WebhookView;

use super::approvers_form::{ApproversForm, ApproversInput, approvers_form};
use super::policy_form::{PolicyInput, PolicyRow, policy_rows};
use super::rules_form::{RulesInput, SelectOption, proof_options};
use super::webhook_form::WebhookInput;
use crate::app::App;
use crate::format::{DisplayTime, duration};
use crate::refused::{Problem, at};
use crate::response::{PageError, PageResult, redirect, render};
use crate::session::Viewer;

/// A person who is out of office.
struct OutOfOffice {
    sentence: String,
    until: DisplayTime,
    /// Whether the person is the viewer.
    is_viewer: bool,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    viewer: Viewer,
    tenant: Tenant,
    input: RulesInput,
    /// Time for the vendor's decision, such as `2 h`.
    review_time: String,
    approvers: ApproversForm,
    webhooks: Vec<WebhookView>,
    /// Short name and display name of the people who could be the viewer's delegate.
    colleagues: Vec<(String, String)>,
    out_of_office: Vec<OutOfOffice>,
    policies: Vec<PolicyRow>,
    services: Vec<String>,
    proofs: Vec<SelectOption>,
    /// A form that was refused.
    typed: RefusedSettings,
}

/// A form of this page that was refused: what was entered, and why it was refused.
#[derive(Default)]
pub(super) struct RefusedSettings {
    /// The form: `rules`, `out-of-office`, `approvers`, `webhooks` or `break-glass`.
    pub form: &'static str,
    pub problems: Vec<Problem>,
    pub rules: Option<RulesInput>,
    pub out_of_office: OutOfOfficeInput,
    pub approvers: Option<ApproversInput>,
    pub webhook: WebhookInput,
    pub policy: PolicyInput,
}

impl RefusedSettings {
    /// A form that was refused for these reasons.
    pub fn new(form: &'static str, problems: Vec<Problem>) -> Self {
        Self { form, problems, ..Self::default() }
    }

    /// The error message of a field of a form.
    fn at(&self, form: &str, field: &str) -> Option<&str> {
        if self.form == form { at(&self.problems, field) } else { None }
    }
}

/// Who decides while the viewer is out of office.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct OutOfOfficeInput {
    pub form_token: String,
    /// Short name; empty when the viewer is back.
    pub delegate: String,
    /// UTC.
    #[serde(default)]
    pub until: String,
}

/// The tenant whose settings this person may change.
///
/// # Errors
/// [`PageError::NotFound`] for people who are not approvers of a tenant.
pub(super) async fn own_tenant(app: &App, viewer: &Viewer) -> Result<Tenant, PageError> {
    let Side::Customer(id) = viewer.person.side else { return Err(PageError::NotFound) };
    if !viewer.is(Role::Approver) {
        return Err(PageError::NotFound);
    }
    app.store.tenants().await?.into_iter().find(|tenant| tenant.id == id).ok_or(PageError::NotFound)
}

pub(super) async fn settings_page(app: &App, viewer: Viewer, typed: RefusedSettings) -> PageResult {
    let tenant = own_tenant(app, &viewer).await?;
    let people = app.store.people_of(tenant.id.0).await?;
    let colleagues = people.iter().filter(|person| person.id != viewer.person.id);
    let colleagues = colleagues.map(|person| (person.name.clone(), person.display_name.clone())).collect();
    let delegations = app.store.delegations(tenant.id.0).await?;
    let out_of_office = delegations.into_iter().map(|delegation: Delegation| OutOfOffice {
        sentence: format!("{} decides for {}", delegation.delegate_name, delegation.person_name),
        until: delegation.until_at.into(),
        is_viewer: delegation.person == viewer.person.name,
    });
    let approver_rules = app.store.approver_rules(tenant.id.0).await?;
    let services = app.services().await?;
    render(&SettingsPage {
        input: typed.rules.clone().unwrap_or_else(|| RulesInput::of(&tenant)),
        review_time: duration(tenant.rules.review_deadline_seconds),
        approvers: approvers_form(&approver_rules, typed.approvers.as_ref(), &people, &services),
        webhooks: app.store.webhooks(Some(tenant.id.0)).await?,
        colleagues,
        out_of_office: out_of_office.collect(),
        policies: policy_rows(app.store.policies(tenant.id.0).await?),
        services,
        proofs: proof_options(app.store.witnesses_required(tenant.id.0).await?),
        typed,
        tenant,
        viewer,
    })
}

/// Publishes the events of a change, and shows the settings again.
pub(super) async fn publish(app: &App, messages: Vec<Message>) -> PageResult {
    app.relay.publish(messages, Vec::new(), app.store.clock().await?).await;
    redirect("/settings")
}
