//! What became of mails.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Actor;

/// Data of `notification.sent` and `notification.failed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotificationResult {
    /// The request it was about, if it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_request: Option<String>,
    /// Id of the notice.
    pub notification: Uuid,
    /// What the mail says, such as `decision_needed`.
    pub template: String,
    /// Address it went to.
    pub recipient: String,
    /// `Message-ID` of the mail.
    pub mail_message_id: String,
    /// How many tries it took.
    pub attempts: i32,
    /// Why it was given up on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Lockbox.
    pub actor: Actor,
}
