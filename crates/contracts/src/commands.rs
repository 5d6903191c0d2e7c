//! Commands: instructions with one owner. Read strictly: an unknown field is an error, not a guess.

use chrono::{DateTime, Utc};
use domain::{Digest, FreeText, Verdict};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::Envelope;
use crate::kinds::Kind;
use crate::malformed::Malformed;
use crate::reading;

/// Ask for access to a tenant's content (`request.submit`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// Short name of the tenant.
    pub tenant: String,
    /// Number in the ticketing system.
    #[serde(deserialize_with = "reading::line")]
    pub service_request: String,
    /// Service whose content is asked for.
    pub service: String,
    /// Mailbox address, site or folder URL.
    #[serde(deserialize_with = "reading::line")]
    pub resource: String,
    /// Why.
    pub justification: Justification,
    /// `low`, `normal`, `high` or `critical`.
    pub severity: String,
    /// Short name of the engineer.
    pub requester: String,
    /// How long, in seconds; the tenant's default when absent.
    #[serde(default, deserialize_with = "reading::whole", skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// `read_only`, which is the default, or `read_write`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_level: Option<String>,
    /// Access begins no earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<DateTime<Utc>>,
    /// The request whose access is to go on, of the same engineer for the same content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<Uuid>,
    /// An emergency, under the standing consent of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
}

/// Why access is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Justification {
    /// Category of the reason, such as `customer_reported`.
    pub category: String,
    /// In the engineer's words.
    pub text: FreeText,
}

/// Take a request back (`request.withdraw`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawRequest {
    /// The request.
    pub request: Uuid,
    /// Short name of the engineer who asked.
    pub by: String,
    /// In their words.
    #[serde(default, deserialize_with = "reading::words", skip_serializing_if = "Option::is_none")]
    pub comment: Option<FreeText>,
}

/// Ask or answer something in a request's thread (`request.comment`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommentRequest {
    /// The request.
    pub request: Uuid,
    /// Short name of the person who asks or answers.
    pub by: String,
    /// In their words.
    pub comment: FreeText,
}

/// Report what became of a notice (`notification.report`), by a consumer that sends them instead of Lockbox' own mailer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportNotification {
    /// Id of the message that asked for it (`id` of its envelope): it is not sent again.
    pub message: Uuid,
    /// Id of the notice.
    pub notification: Uuid,
    /// The request it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Uuid>,
    /// Number in the ticketing system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_request: Option<String>,
    /// What it says, such as `decision_needed`.
    pub template: String,
    /// Where it went.
    pub recipient: String,
    /// Why it was given up on; absent when it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The service request was closed (`ticket.closed`): its pending requests are withdrawn, its access ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketClosed {
    /// Short name of the tenant.
    pub tenant: String,
    /// Number in the ticketing system.
    #[serde(deserialize_with = "reading::line")]
    pub service_request: String,
}

/// A yes or no (`vendor.decide`, `customer.decide`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// The request.
    pub request: Uuid,
    /// Short name of the person who decides.
    pub by: String,
    /// `approve` or `reject`.
    #[serde(with = "verdict")]
    pub verdict: Verdict,
    /// Digest of what the person was shown: 64 hexadecimal digits.
    #[serde(with = "digest")]
    pub digest: Digest,
    /// In their words.
    #[serde(default, deserialize_with = "reading::words", skip_serializing_if = "Option::is_none")]
    pub comment: Option<FreeText>,
    /// Where they decided: `cli`, `portal`, `api`.
    pub channel: String,
    /// With a customer's yes: allow this many seconds instead of what was asked for.
    #[serde(default, deserialize_with = "reading::whole", skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// The person's passkey signs request, verdict and time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
}

/// A passkey's signature, each field as the browser said it (base64url without padding).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// Id of the passkey.
    pub credential: String,
    /// What the authenticator says of itself, signed.
    pub authenticator_data: String,
    /// What the browser says of the page, signed.
    pub client_data: String,
    /// Signature.
    pub signature: String,
}

/// End access early (`grant.revoke`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeAccess {
    /// The request whose access is to end.
    pub request: Uuid,
    /// Short name of the person who ends it.
    pub by: String,
    /// In their words.
    #[serde(default, deserialize_with = "reading::words", skip_serializing_if = "Option::is_none")]
    pub comment: Option<FreeText>,
}

/// Accept or dispute a closing report (`report.respond`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RespondToReport {
    /// The request whose access is over.
    pub request: Uuid,
    /// Short name of the approver.
    pub by: String,
    /// Accepts, or disputes.
    pub acknowledges: bool,
    /// In their words; a dispute needs some.
    #[serde(default, deserialize_with = "reading::words", skip_serializing_if = "Option::is_none")]
    pub comment: Option<FreeText>,
}

/// A timer may be due (`timer.due`): a hint, checked against the row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimerDue {
    /// The request.
    pub request: Uuid,
    /// Which of its timers.
    pub timer: String,
    /// Generation the hint was made for.
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
    /// [`Malformed`] when the kind is no command or the data does not fit its schema.
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
                format_args!("{} is no command this queue takes", other.type_name()),
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
