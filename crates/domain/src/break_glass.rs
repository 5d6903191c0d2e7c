//! A break-glass policy: an approval that a customer's approvers give in advance for break-glass access, within narrow limits.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::digest::Digest;
use crate::ids::TenantId;
use crate::refusal::Refusal;

/// Longest break-glass access that a policy may allow: 4 hours.
pub const BREAK_GLASS_CEILING_SECONDS: i64 = 4 * 3600;
/// Most uses that a policy may allow.
pub const BREAK_GLASS_QUOTA: i32 = 100;
/// Longest validity of a policy, in days.
pub const POLICY_LIMIT_DAYS: i64 = 366;

/// What an approver allows in advance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakGlassPolicy {
    /// Internal id.
    pub id: Uuid,
    /// The tenant whose content it covers.
    pub tenant: TenantId,
    /// The tenant's name for it; requests refer to it by this name.
    pub name: String,
    /// Services that it covers.
    pub services: Vec<String>,
    /// Longest access, in seconds.
    pub ceiling_seconds: i64,
    /// How often it may be used in total.
    pub quota: i32,
    /// When it stops being valid.
    pub until: DateTime<Utc>,
}

/// A break-glass policy, and how it has been used so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyUsage {
    /// The policy.
    pub policy: BreakGlassPolicy,
    /// Requests for break-glass access that became active under it.
    pub used: i64,
    /// Whether an approver revoked it.
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

    /// Every field that is not acceptable, as sentences.
    pub fn faults(&self, known_services: &[String], now: DateTime<Utc>) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(problem) = crate::text::problem(&self.name, 64, false) {
            faults.push(format!("name: {problem}"));
        }
        if self.services.is_empty() {
            faults.push("services: name at least one service; a policy cannot cover all services".to_owned());
        }
        for service in self.services.iter().filter(|service| !known_services.contains(service)) {
            faults.push(format!("services: there is no service {service}"));
        }
        if !(1..=BREAK_GLASS_CEILING_SECONDS).contains(&self.ceiling_seconds) {
            faults.push(format!(
                "longest access: must be between 1 second and {} hours",
                BREAK_GLASS_CEILING_SECONDS / 3600
            ));
        }
        if !(1..=BREAK_GLASS_QUOTA).contains(&self.quota) {
            faults.push(format!("quota: must be between 1 and {BREAK_GLASS_QUOTA}"));
        }
        if self.until <= now || self.until > now + chrono::TimeDelta::days(POLICY_LIMIT_DAYS) {
            faults.push(format!("valid until: must be within the next {POLICY_LIMIT_DAYS} days"));
        }
        faults
    }
}

impl PolicyUsage {
    /// Whether the policy allows access to a service at a given time.
    ///
    /// # Errors
    /// [`Refusal::NoBreakGlassPolicy`] with the reason.
    pub fn check(&self, service: &str, at: DateTime<Utc>) -> Result<(), Refusal> {
        let why = if self.ended {
            "the policy was revoked"
        } else if at >= self.policy.until {
            "the policy is no longer valid"
        } else if !self.policy.services.iter().any(|allowed| allowed == service) {
            "the policy does not cover this service"
        } else if self.used >= i64::from(self.policy.quota) {
            "the quota of the policy is used up"
        } else {
            return Ok(());
        };
        Err(Refusal::NoBreakGlassPolicy { why })
    }
}
