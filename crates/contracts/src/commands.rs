//! Commands: instructions with one owner. Read strictly: an unknown field is an error, not a guess.

use chrono::{DateTime, Utc};
use domain::{Digest, Verdict};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::Envelope;
use crate::kinds::Kind;
use crate::malformed::Malformed;

/// Ask for access to a tenant's content (`request.submit`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// Short name of the tenant.
    pub tenant: String,
    /// Number in the ticketing system.
    pub service_request: String,
    /// Service whose content is asked for.
    pub service: String,
    /// Mailbox address, site or folder URL.
    pub resource: String,
    /// Why.
    pub reason: Reason,
    /// `low`, `normal`, `high` or `critical`.
    pub severity: String,
    /// Short name of the engineer.
    pub requester: String,
    /// How long, in seconds; the tenant's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
    /// Access begins no earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<DateTime<Utc>>,
}

/// Why access is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Typed reason.
    pub code: String,
    /// In the engineer's words.
    pub text: String,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The service request was closed (`ticket.closed`): its pending requests are withdrawn, its access ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketClosed {
    /// Short name of the tenant.
    pub tenant: String,
    /// Number in the ticketing system.
    pub service_request: String,
}

/// A yes or no (`manager.decide`, `customer.decide`).
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where they decided: `cli`, `portal`, `api`.
    pub channel: String,
    /// With a customer's yes: allow this many seconds instead of what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<i64>,
}

/// End access early (`access.end`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndAccess {
    /// The request whose access is to end.
    pub request: Uuid,
    /// Short name of the person who ends it.
    pub by: String,
    /// In their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
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
    /// `ticket.closed`
    TicketClosed(TicketClosed),
    /// `manager.decide`
    ManagerDecide(Decide),
    /// `customer.decide`
    CustomerDecide(Decide),
    /// `access.end`
    EndAccess(EndAccess),
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
            Kind::TicketClosed => envelope.data().map(Self::TicketClosed),
            Kind::ManagerDecide => envelope.data().map(Self::ManagerDecide),
            Kind::CustomerDecide => envelope.data().map(Self::CustomerDecide),
            Kind::AccessEnd => envelope.data().map(Self::EndAccess),
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
        Verdict::parse(&text).ok_or_else(|| Error::custom("verdict must be \"approve\" or \"reject\""))
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
