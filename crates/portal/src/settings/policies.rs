//! Break-glass policies of a tenant, given and taken back by its approvers. There are none until somebody gives one.

use axum::extract::State;
use chrono::NaiveDateTime;
use contracts::directory::parse_seconds;
use domain::{BreakGlassPolicy, Tenant};
use serde::Deserialize;
use uuid::Uuid;

use super::super::App;
use super::super::answer::{Answer, Fault, Filled, sentence};
use super::super::ask::every_service;
use super::super::look::{Moment, duration};
use super::super::refused::Problem;
use super::super::session::Viewer;
use super::{Typed, own, publish, settings_page};

/// A rule as the page shows it.
pub(super) struct Shown {
    pub id: String,
    pub name: String,
    pub services: String,
    pub ceiling: String,
    pub used: i64,
    pub quota: i32,
    pub until: Moment,
    pub digest: String,
}

pub(super) async fn shown(app: &App, tenant: Uuid) -> Result<Vec<Shown>, Fault> {
    let policy_status = app.store.policies(tenant).await?.into_iter().map(|policy_status| Shown {
        id: policy_status.policy.id.to_string(),
        services: policy_status.policy.services.join(", "),
        ceiling: duration(policy_status.policy.ceiling_seconds),
        used: policy_status.used,
        quota: policy_status.policy.quota,
        until: policy_status.policy.until.into(),
        digest: policy_status.policy.digest().to_string(),
        name: policy_status.policy.name,
    });
    Ok(policy_status.collect())
}

/// What an approver typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Rule {
    form_token: String,
    pub(super) name: String,
    pub(super) services: String,
    pub(super) ceiling: String,
    pub(super) quota: String,
    pub(super) until: String,
}

impl Rule {
    fn read(
        &self,
        tenant: &Tenant,
        known: &[String],
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<BreakGlassPolicy, Vec<Problem>> {
        let until = NaiveDateTime::parse_from_str(self.until.trim(), "%Y-%m-%dT%H:%M").map(|at| at.and_utc());
        let mut services: Vec<String> = self.services.split_whitespace().map(str::to_owned).collect();
        services.sort();
        services.dedup();
        let policy = BreakGlassPolicy {
            id: Uuid::now_v7(),
            tenant: tenant.id,
            name: domain::text::one_line(&self.name),
            services,
            ceiling_seconds: parse_seconds(&self.ceiling).unwrap_or_default(),
            quota: self.quota.trim().parse().unwrap_or_default(),
            until: until.unwrap_or_default(),
        };
        let faults = policy.faults(known, now);
        if faults.is_empty() { Ok(policy) } else { Err(faults.iter().map(|fault| of_rule(fault)).collect()) }
    }
}

pub(crate) async fn give(State(app): State<App>, viewer: Viewer, Filled(rule): Filled<Rule>) -> Answer {
    viewer.check(&rule.form_token)?;
    let tenant = own(&app, &viewer).await?;
    let known = every_service(app.store.services().await?);
    let problems = match rule.read(&tenant, &known, app.store.clock().await?) {
        Ok(policy) => {
            let taken = app.store.policies(tenant.id.0).await?;
            if taken.iter().all(|policy_status| policy_status.policy.name != policy.name) {
                let messages = app.store.create_policy(viewer.by(), &policy).await?;
                return publish(&app, messages).await;
            }
            vec![of_rule(&format!("name: {} is in force already; end it first", policy.name))]
        }
        Err(problems) => problems,
    };
    settings_page(&app, viewer, Typed { policy: rule, ..Typed::refused("emergencies", problems) }).await
}

/// A fault of a rule, with the field that its first words name.
fn of_rule(fault: &str) -> Problem {
    const FIELDS: [(&str, &str); 5] = [
        ("name", "name"),
        ("services", "services"),
        ("longest access", "ceiling"),
        ("quota", "quota"),
        ("valid until", "until"),
    ];
    let field = FIELDS.iter().find(|(words, _)| fault.starts_with(words)).map_or("", |(_, field)| *field);
    Problem::new(field, sentence(fault))
}

/// Which rule.
#[derive(Deserialize)]
pub(crate) struct Back {
    form_token: String,
    #[serde(default)]
    policy: String,
}

pub(crate) async fn take_back(State(app): State<App>, viewer: Viewer, Filled(form): Filled<Back>) -> Answer {
    viewer.check(&form.form_token)?;
    own(&app, &viewer).await?;
    let id: Uuid = form.policy.parse().map_err(|_| Fault::Missing)?;
    let messages = app.store.revoke_policy(viewer.by(), id).await?;
    publish(&app, messages).await
}
