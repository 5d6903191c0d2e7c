//! Notices: messages asking for a mail. Any consumer may take them instead of Lockbox' own mailer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Ask for one mail to one address (`mail`). Holds no free text of the engineer and nothing that decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    /// Id of the notice: the same for every try.
    pub notice: Uuid,
    /// The request.
    pub request: Uuid,
    /// What to say: `review_needed`, `decision_needed`, `manager_rejected`, `customer_rejected`, `granted`, `ended`,
    /// `expired`, `withdrawn`, `reminder`, `commented`.
    pub template: String,
    /// Who gets it.
    pub recipient: Recipient,
    /// Tenant's short name.
    pub tenant: String,
    /// Tenant's name for people.
    pub tenant_name: String,
    /// Number in the ticketing system.
    pub service_request: String,
    /// Service.
    pub service: String,
    /// Engineer's name for people.
    pub requester_name: String,
    /// Seconds asked for.
    pub duration_seconds: i64,
    /// Answer before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_by: Option<DateTime<Utc>>,
    /// Access from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<DateTime<Utc>>,
    /// Access until.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_until: Option<DateTime<Utc>>,
    /// Why it ended or was withdrawn, or at which stage it expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// `ended`: how much other access to the same content stays open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also_open: Option<u32>,
    /// When the step happened that this is about.
    pub happened_at: DateTime<Utc>,
}

/// Where a mail goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recipient {
    /// Name for people.
    pub name: String,
    /// E-mail address.
    pub address: String,
}

/// Tell an approver that their tenant's settings changed (`mail.settings`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsMail {
    /// Id of the notice: the same for every try.
    pub notice: Uuid,
    /// Who gets it.
    pub recipient: Recipient,
    /// Tenant's short name.
    pub tenant: String,
    /// Tenant's name for people.
    pub tenant_name: String,
    /// What changed, a sentence each.
    pub changes: Vec<String>,
    /// Name for people of who changed it.
    pub by_name: String,
    /// When.
    pub happened_at: DateTime<Utc>,
}
