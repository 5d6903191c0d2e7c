//! Notifications: messages asking for a mail. Any consumer may take them instead of Lockbox' own mailer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::events::Auth;

/// Ask for one mail to one address (`mail`). Holds no free text of the engineer and nothing that decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    /// Id of the notice: the same for every try.
    pub notification: Uuid,
    /// The request.
    pub request: Uuid,
    /// What to say: `review_needed`, `decision_needed`, `vendor_denied`, `customer_denied`, `granted`, `ended`,
    /// `expired`, `withdrawn`, `reminder`, `commented`, `approval_recorded` and others.
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
    pub decision_deadline: Option<DateTime<Utc>>,
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
    /// What a person did, where the mail is about that: their receipt, and the notice to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// What the audit log says that a person did, and how it is known that it was they.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// Name for people of whom it is put on.
    pub person_name: String,
    /// Whether that person gets this mail.
    pub to_person: bool,
    /// What they did: `approved for the customer`. Empty in mails about settings, which say it in sentences.
    pub action: String,
    /// Channel, sign-in method, address, passkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Id of the event in the audit log.
    pub event: Uuid,
}

/// Where a mail goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recipient {
    /// Name for people.
    pub name: String,
    /// E-mail address.
    pub address: String,
}

/// Tell somebody that a tenant's settings, its people, or a person's passkeys and tokens changed (`mail.settings`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsMail {
    /// Id of the notice: the same for every try.
    pub notification: Uuid,
    /// What to say: `settings_changed`, `directory_changed`, `passkey_added`, `passkey_removed`, `token_added`,
    /// `token_revoked`.
    pub template: String,
    /// Who gets it.
    pub recipient: Recipient,
    /// Tenant's short name; absent for the vendor's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Tenant's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_name: Option<String>,
    /// What changed, a sentence each.
    pub changes: Vec<String>,
    /// Name for people of who changed it.
    pub by_name: String,
    /// On whom it is put and how that is known.
    pub receipt: Receipt,
    /// When.
    pub happened_at: DateTime<Utc>,
}
