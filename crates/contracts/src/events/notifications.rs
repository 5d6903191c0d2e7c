//! Results of notifications.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Actor;

/// Data of `notification.sent` and `notification.failed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotificationResult {
    /// The request that the mail is about, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_request: Option<String>,
    /// Id of the notification.
    pub notification: Uuid,
    /// Template of the mail, such as `decision_needed`.
    pub template: String,
    /// Address of the recipient.
    pub recipient: String,
    /// `Message-ID` of the mail.
    pub mail_message_id: String,
    /// Number of attempts.
    pub attempts: i32,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Lockbox.
    pub actor: Actor,
}
