//! The settings of a tenant, for its approvers. New rules apply to new requests.

use axum::extract::State;
use chrono::NaiveDateTime;

use super::app::App;
use super::refused::Problem;
use super::response::{Form, PageResult};
use super::session::Viewer;
use consent::{Delegation, time_text};
use founded::proposed;
use page::{OutOfOfficeInput, RefusedSettings, own_tenant, publish, settings_page};
use rules_form::RulesInput;

pub(crate) mod approvers;
mod approvers_form;
mod founded;
mod page;
pub(crate) mod policies;
mod policy_form;
mod rules_form;
mod webhook_form;
pub(crate) mod webhooks;

/// A delegate decides for at most this many days.
const OUT_OF_OFFICE_LIMIT_DAYS: i64 = 90;

pub(crate) async fn show(State(app): State<App>, viewer: Viewer) -> PageResult {
    settings_page(&app, viewer, RefusedSettings::default()).await
}

pub(crate) async fn change(State(app): State<App>, viewer: Viewer, Form(input): Form<RulesInput>) -> PageResult {
    viewer.check(&input.form_token)?;
    let tenant = own_tenant(&app, &viewer).await?;
    let approvers = app.store.approver_count(tenant.id.0).await?;
    let parsed = match input.parse(&tenant.rules, approvers) {
        Ok((rules, addresses)) => match input.witnesses(app.store.witnesses_required(tenant.id.0).await?) {
            Ok(witnesses) => Ok((rules, addresses, witnesses)),
            Err(problem) => Err(vec![problem]),
        },
        Err(problems) => Err(problems),
    };
    let (rules, addresses, witnesses) = match parsed {
        Ok(parsed) => parsed,
        Err(problems) => {
            let refused = RefusedSettings { rules: Some(input), ..RefusedSettings::new("rules", problems) };
            return settings_page(&app, viewer, refused).await;
        }
    };
    let stated = |draft: &mut consent::Statement| {
        draft.rules.decision_deadline_seconds = rules.decision_deadline_seconds;
        draft.rules.access_ceiling_seconds = rules.access_ceiling_seconds;
        draft.rules.required_approvals = usize::try_from(rules.required_approvals).unwrap_or(1);
        draft.rules.comment_required = rules.comment_required;
        draft.notification_recipients.clone_from(&addresses);
        if let Some(required) = witnesses {
            draft.rules.witnesses_required = usize::try_from(required.unwrap_or_default()).unwrap_or_default();
        }
    };
    if let Some(page) = proposed(&app, &viewer, &tenant, "rules", stated).await? {
        return Ok(page);
    }
    let mut messages = app.store.change_settings(viewer.by(), &rules, &addresses).await?;
    if let Some(witnesses) = witnesses {
        messages.extend(app.store.require_witnesses(viewer.by(), witnesses).await?);
    }
    publish(&app, messages).await
}

pub(crate) async fn set_out_of_office(
    State(app): State<App>,
    viewer: Viewer,
    Form(input): Form<OutOfOfficeInput>,
) -> PageResult {
    viewer.check(&input.form_token)?;
    let tenant = own_tenant(&app, &viewer).await?;
    let own = viewer.person.id.0;
    if input.delegate.is_empty() {
        let ended = |draft: &mut consent::Statement| draft.delegations.retain(|delegation| delegation.person != own);
        if let Some(page) = proposed(&app, &viewer, &tenant, "out-of-office", ended).await? {
            return Ok(page);
        }
        let messages = app.store.end_delegation(viewer.by()).await?;
        return publish(&app, messages).await;
    }
    let now = app.store.clock().await?;
    let until = NaiveDateTime::parse_from_str(input.until.trim(), "%Y-%m-%dT%H:%M").map(|at| at.and_utc());
    let limit = now + chrono::TimeDelta::days(OUT_OF_OFFICE_LIMIT_DAYS);
    let Some(until) = until.ok().filter(|at| *at > now && *at <= limit) else {
        let problem = format!("Until: enter a time (UTC) within the next {OUT_OF_OFFICE_LIMIT_DAYS} days");
        let refused = RefusedSettings::new("out-of-office", vec![Problem::new("until", problem)]);
        return settings_page(&app, viewer, RefusedSettings { out_of_office: input, ..refused }).await;
    };
    let people = app.store.people_of(tenant.id.0).await?;
    let stated = |draft: &mut consent::Statement| {
        draft.delegations.retain(|delegation| delegation.person != own);
        let delegate = people.iter().find(|person| person.name == input.delegate);
        let delegation =
            |delegate: &domain::Person| Delegation { person: own, delegate: delegate.id.0, until: time_text(until) };
        draft.delegations.extend(delegate.map(delegation));
    };
    if let Some(page) = proposed(&app, &viewer, &tenant, "out-of-office", stated).await? {
        return Ok(page);
    }
    let messages = app.store.delegate(viewer.by(), &input.delegate, until).await?;
    publish(&app, messages).await
}
