//! The form of a break-glass policy: what an approver entered, and whether it is valid.

use chrono::{DateTime, NaiveDateTime, Utc};
use contracts::directory::parse_seconds;
use domain::{BreakGlassPolicy, PolicyUsage, Tenant};
use serde::Deserialize;
use uuid::Uuid;

use crate::format::{DisplayTime, duration};
use crate::refused::Problem;
use crate::response::sentence;

/// A policy as the page shows it.
pub(super) struct PolicyRow {
    pub id: String,
    pub name: String,
    pub services: String,
    pub ceiling: String,
    pub used: i64,
    pub quota: i32,
    pub until: DisplayTime,
    pub digest: String,
}

pub(super) fn policy_rows(policies: Vec<PolicyUsage>) -> Vec<PolicyRow> {
    let row = |PolicyUsage { policy, used, .. }: PolicyUsage| PolicyRow {
        id: policy.id.to_string(),
        services: policy.services.join(", "),
        ceiling: duration(policy.ceiling_seconds),
        used,
        quota: policy.quota,
        until: policy.until.into(),
        digest: policy.digest().to_string(),
        name: policy.name,
    };
    policies.into_iter().map(row).collect()
}

/// What an approver entered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PolicyInput {
    pub form_token: String,
    pub name: String,
    pub services: String,
    pub ceiling: String,
    pub quota: String,
    /// UTC.
    pub until: String,
}

impl PolicyInput {
    /// The policy.
    ///
    /// # Errors
    /// Everything that is not valid.
    pub(super) fn parse(
        &self,
        tenant: &Tenant,
        known_services: &[String],
        now: DateTime<Utc>,
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
        let faults = policy.faults(known_services, now);
        if faults.is_empty() { Ok(policy) } else { Err(faults.iter().map(|fault| policy_problem(fault)).collect()) }
    }
}

/// An error message with the label of its field. The domain's message begins with the name of the field.
pub(super) fn policy_problem(problem: &str) -> Problem {
    const FIELDS: [(&str, &str, &str); 5] = [
        ("name", "name", "Policy name"),
        ("services", "services", "Services"),
        ("longest access", "ceiling", "Maximum duration"),
        ("quota", "quota", "Maximum number of uses"),
        ("valid until", "until", "Until"),
    ];
    let named = problem.split_once(": ").and_then(|(name, text)| {
        let (_, field, label) = FIELDS.iter().find(|(known, ..)| *known == name)?;
        Some(Problem::new(field, format!("{label}: {text}")))
    });
    named.unwrap_or_else(|| Problem::new("", sentence(problem)))
}
