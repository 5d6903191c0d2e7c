//! A standing consent: the yes that a customer's approvers gave beforehand, for emergencies, to a narrow rule.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::digest::Digest;
use crate::ids::TenantId;
use crate::refusal::Refusal;

/// No emergency may last longer: 4 hours.
pub const BREAK_GLASS_CEILING_SECONDS: i64 = 4 * 3600;
/// No rule may allow more emergencies.
pub const BREAK_GLASS_QUOTA: i32 = 100;
/// No rule may stand longer, in days.
pub const STANDING_LIMIT_DAYS: i64 = 366;

/// What an approver allows beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakGlassPolicy {
    /// Internal id.
    pub id: Uuid,
    /// Whose content.
    pub tenant: TenantId,
    /// What the tenant calls it; requests name it.
    pub name: String,
    /// For these services only.
    pub services: Vec<String>,
    /// Longest access, in seconds.
    pub ceiling_seconds: i64,
    /// How many emergencies, in all.
    pub quota: i32,
    /// Until this moment.
    pub until: DateTime<Utc>,
}

/// How a rule stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStatus {
    /// The rule.
    pub policy: BreakGlassPolicy,
    /// Emergencies so far.
    pub used: i64,
    /// Whether it was taken back.
    pub ended: bool,
}

impl BreakGlassPolicy {
    /// The bytes that are stored and digested: JSON with sorted keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        let document = json!({
            "v": 1,
            "policy": self.id.to_string(),
            "tenant": self.tenant.to_string(),
            "name": self.name,
            "services": self.services,
            "ceiling_seconds": self.ceiling_seconds,
            "quota": self.quota,
            "until": self.until.to_rfc3339_opts(SecondsFormat::Micros, true),
        });
        document.to_string().into_bytes()
    }

    /// Digest of [`Self::to_bytes`].
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// Every part of a rule that cannot stand, as sentences.
    pub fn faults(&self, known_services: &[String], now: DateTime<Utc>) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(problem) = crate::text::problem(&self.name, 64, false) {
            faults.push(format!("name: {problem}"));
        }
        if self.services.is_empty() {
            faults.push("services: name at least one; there is no rule for everything".to_owned());
        }
        for service in self.services.iter().filter(|service| !known_services.contains(service)) {
            faults.push(format!("services: {service} is unknown"));
        }
        if !(1..=BREAK_GLASS_CEILING_SECONDS).contains(&self.ceiling_seconds) {
            faults.push(format!("longest access: between 1 s and {} h", BREAK_GLASS_CEILING_SECONDS / 3600));
        }
        if !(1..=BREAK_GLASS_QUOTA).contains(&self.quota) {
            faults.push(format!("how many: between 1 and {BREAK_GLASS_QUOTA}"));
        }
        if self.until <= now || self.until > now + chrono::TimeDelta::days(STANDING_LIMIT_DAYS) {
            faults.push(format!("until: within the next {STANDING_LIMIT_DAYS} days"));
        }
        faults
    }
}

impl PolicyStatus {
    /// Whether it stands for a service at a moment.
    ///
    /// # Errors
    /// [`Refusal::NoBreakGlassPolicy`] with what is missing.
    pub fn check(&self, service: &str, at: DateTime<Utc>) -> Result<(), Refusal> {
        let why = if self.ended {
            "it was taken back"
        } else if at >= self.policy.until {
            "its time is over"
        } else if !self.policy.services.iter().any(|allowed| allowed == service) {
            "it is not for this service"
        } else if self.used >= i64::from(self.policy.quota) {
            "its quota is used up"
        } else {
            return Ok(());
        };
        Err(Refusal::NoBreakGlassPolicy { why })
    }
}
