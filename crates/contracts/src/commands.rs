//! Commands: instructions with one owner. They are read strictly: an unknown field is an error.

use chrono::{DateTime, Utc};
use consent::SignedDecision;
use domain::{Digest, FreeText, Verdict};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::Envelope;
use crate::kinds::Kind;
use crate::malformed::Malformed;
use crate::reading;

/// Requests access to a tenant's content (`request.submit`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// Short name of the tenant.
    pub tenant: String,
    /// Number in the ticketing system.
    #[serde(deserialize_with = "reading::line")]
    pub service_request: String,
    /// Service whose content is requested.
    pub service: String,
    /// Mailbox address, site or folder URL.
    #[serde(deserialize_with = "reading::line")]
    pub resource: String,
    /// Justification.
    pub justification: Justification,
    /// `low`, `normal`, `high` or `critical`.
    pub severity: String,
    /// Short name of the requester.
    pub requester: String,
    /// Requested duration in seconds; the tenant's default when absent.
    #[serde(default, deserialize_with = "reading::whole", skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// `read_only`, which is the default, or `read_write`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_level: Option<String>,
    /// Access starts no earlier than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<DateTime<Utc>>,
    /// The request that this one extends, of the same requester for the same content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<Uuid>,
    /// Name of the break-glass policy, for break-glass access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
}

/// Why access is requested.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Justification {
    /// Reason category, such as `customer_reported`.
    pub category: String,
    /// The explanation, in the requester's words.
    pub text: FreeText,
}

/// Withdraws a request (`request.withdraw`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawRequest {
    /// The request.
    pub request: Uuid,
    /// Short name of the requester.
    pub by: String,
    /// The comment.
    #[serde(default, deserialize_with = "reading::words", skip_serializing_if = "Option::is_none")]
    pub comment: Option<FreeText>,
}

/// Comments on a request (`request.comment`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommentRequest {
    /// The request.
    pub request: Uuid,
    /// Short name of the author.
    pub by: String,
    /// The comment.
    pub comment: FreeText,
}

/// Reports the delivery of a notification (`notification.report`), by a consumer that replaces Lockbox' own mailer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportNotification {
    /// Id of the message that ordered the notification (`id` of its envelope). It is not sent again.
    pub message: Uuid,
    /// Id of the notification.
    pub notification: Uuid,
    /// The request that the notification is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_request: Option<String>,
    /// Template of the notification, such as `decision_needed`.
    pub template: String,
    /// Address of the recipient.
    pub recipient: String,
    /// Why delivery failed; absent when the notification was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Reports that the service request was closed (`ticket.closed`). Its pending requests are withdrawn and its access ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketClosed {
    /// Short name of the tenant.
    pub tenant: String,
    /// Number in the ticketing system.
    #[serde(deserialize_with = "reading::line")]
    pub service_request: String,
}

/// Approves or denies (`vendor.decide`, `customer.decide`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// The request.
    pub request: Uuid,
    /// Short name of the person who decides.
    pub by: String,
    /// `approve` or `deny`.
    #[serde(with = "verdict")]
    pub verdict: Verdict,
    /// Digest of the content that the person saw: 64 hexadecimal digits.
    #[serde(with = "digest")]
    pub digest: Digest,
    /// The comment.
    #[serde(default, deserialize_with = "reading::words", skip_serializing_if = "Option::is_none")]
    pub comment: Option<FreeText>,
    /// Where they decided: `cli`, `portal`, `api`.
    pub channel: String,
    /// With a customer approval: approve for this many seconds, instead of the requested duration.
    #[serde(default, deserialize_with = "reading::whole", skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// What the person signed, and the assertion of their key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignedDecision>,
    /// With a signature and a comment: the salt of the comment, 64 hexadecimal digits. The signature covers the commitment.
    #[serde(default, with = "salt", skip_serializing_if = "Option::is_none")]
    pub comment_salt: Option<[u8; 32]>,
}

/// Revokes or releases access before its end (`grant.revoke`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeAccess {
    /// The request whose access is revoked.
    pub request: Uuid,
    /// Short name of the person who revokes it.
    pub by: String,
    /// The comment.
    #[serde(default, deserialize_with = "reading::words", skip_serializing_if = "Option::is_none")]
    pub comment: Option<FreeText>,
}

/// Acknowledges or disputes an access report (`report.respond`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RespondToReport {
    /// The request whose access ended.
    pub request: Uuid,
    /// Short name of the approver.
    pub by: String,
    /// `true` acknowledges the report, `false` disputes it.
    pub acknowledges: bool,
    /// The comment; required for a dispute.
    #[serde(default, deserialize_with = "reading::words", skip_serializing_if = "Option::is_none")]
    pub comment: Option<FreeText>,
}

/// Wakes the timer worker because a timer may be due (`timer.due`). The worker checks the row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimerDue {
    /// The request.
    pub request: Uuid,
    /// The timer's kind.
    pub timer: String,
    /// Generation of the timer when the message was published.
    pub generation: i32,
    /// When it is due.
    pub due_at: DateTime<Utc>,
}

/// Any command.
#[derive(Clone, Debug)]
pub enum Command {
    /// `request.submit`
    Submit(SubmitRequest),
    /// `request.withdraw`
    Withdraw(WithdrawRequest),
    /// `request.comment`
    Comment(CommentRequest),
    /// `notification.report`
    ReportNotification(ReportNotification),
    /// `ticket.closed`
    TicketClosed(TicketClosed),
    /// `vendor.decide`
    VendorDecide(Decide),
    /// `customer.decide`
    CustomerDecide(Decide),
    /// `grant.revoke`
    RevokeAccess(RevokeAccess),
    /// `report.respond`
    RespondToReport(RespondToReport),
    /// `timer.due`
    TimerDue(TimerDue),
}

impl Command {
    /// Reads the command in an envelope.
    ///
    /// # Errors
    /// [`Malformed`] when the kind is not a command or the data does not fit its schema.
    pub fn read(kind: Kind, envelope: &Envelope) -> Result<Self, Malformed> {
        match kind {
            Kind::RequestSubmit => envelope.data().map(Self::Submit),
            Kind::RequestWithdraw => envelope.data().map(Self::Withdraw),
            Kind::RequestComment => envelope.data().map(Self::Comment),
            Kind::NotificationReport => envelope.data().map(Self::ReportNotification),
            Kind::TicketClosed => envelope.data().map(Self::TicketClosed),
            Kind::VendorDecide => envelope.data().map(Self::VendorDecide),
            Kind::CustomerDecide => envelope.data().map(Self::CustomerDecide),
            Kind::GrantRevoke => envelope.data().map(Self::RevokeAccess),
            Kind::ReportRespond => envelope.data().map(Self::RespondToReport),
            Kind::TimerDue => envelope.data().map(Self::TimerDue),
            other => Err(Malformed::new(
                "schema.unexpected_type",
                format_args!("{} is not a command that this queue accepts", other.type_name()),
            )),
        }
    }
}

mod verdict {
    use domain::Verdict;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(verdict.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Verdict, D::Error> {
        let text = String::deserialize(deserializer)?;
        Verdict::parse(&text).ok_or_else(|| Error::custom("verdict must be \"approve\" or \"deny\""))
    }
}

mod digest {
    use domain::Digest;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| Error::custom("digest must be 64 hexadecimal digits"))
    }
}

/// The salt of a comment.
pub mod salt {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes 64 hexadecimal digits.
    ///
    /// # Errors
    /// Those of the serializer.
    #[allow(clippy::ref_option, reason = "the form that serde calls")]
    pub fn serialize<S: Serializer>(salt: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
        match salt {
            Some(salt) => serializer.serialize_str(&hex::encode(salt)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut salt = [0; 32];
        hex::decode_to_slice(&text, &mut salt)
            .map_err(|_| Error::custom("comment_salt must be 64 hexadecimal digits"))?;
        Ok(Some(salt))
    }
}
