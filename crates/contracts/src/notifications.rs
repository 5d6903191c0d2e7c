//! Notifications: messages that order a mail. Another consumer may replace Lockbox' own mailer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::events::Auth;

/// Orders one mail to one address (`mail`). It contains no free text of the requester and no authority to decide.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    /// Id of the notification: the same for every attempt.
    pub notification: Uuid,
    /// The request.
    pub request: Uuid,
    /// Template: `review_needed`, `decision_needed`, `vendor_denied`, `customer_denied`, `granted`, `ended`,
    /// `expired`, `withdrawn`, `reminder`, `commented`, `approval_recorded` and others.
    pub template: String,
    /// The recipient.
    pub recipient: Recipient,
    /// Tenant's short name.
    pub tenant: String,
    /// Tenant's display name.
    pub tenant_name: String,
    /// Number in the ticketing system.
    pub service_request: String,
    /// Service.
    pub service: String,
    /// Requester's display name.
    pub requester_name: String,
    /// Requested seconds.
    pub duration_seconds: i64,
    /// Decision deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_deadline: Option<DateTime<Utc>>,
    /// Start of access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<DateTime<Utc>>,
    /// End of access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_until: Option<DateTime<Utc>>,
    /// Why it ended or was withdrawn, or at which stage it expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// `ended`: how many other grants to the same content are still active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also_open: Option<u32>,
    /// When the event happened.
    pub happened_at: DateTime<Utc>,
    /// What a person did, when the mail is about that: a receipt for them, and a notification for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// What the audit log says that a person did, and how that person was authenticated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// Display name of the person.
    pub person_name: String,
    /// Whether that person receives this mail.
    pub to_person: bool,
    /// What they did: `approved for the customer`. Empty in mails about settings, which list the changes as sentences.
    pub action: String,
    /// Channel, sign-in method, address, passkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Id of the event in the audit log.
    pub event: Uuid,
}

/// The recipient of a mail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recipient {
    /// Display name.
    pub name: String,
    /// E-mail address.
    pub address: String,
}

/// Orders a mail about a change of a tenant's settings, its people, or a person's passkeys and tokens (`mail.settings`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsMail {
    /// Id of the notification: the same for every attempt.
    pub notification: Uuid,
    /// Template: `settings_changed`, `directory_changed`, `passkey_added`, `passkey_removed`, `token_added`,
    /// `token_revoked`.
    pub template: String,
    /// The recipient.
    pub recipient: Recipient,
    /// Tenant's short name; absent for the vendor's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Tenant's display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_name: Option<String>,
    /// What changed, one sentence each.
    pub changes: Vec<String>,
    /// Display name of the person who made the change.
    pub by_name: String,
    /// Who made the change and how that person was authenticated.
    pub receipt: Receipt,
    /// When.
    pub happened_at: DateTime<Utc>,
}
