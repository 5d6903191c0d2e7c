//! What happens to a request, as values.

use chrono::{DateTime, Utc};

use crate::break_glass::PolicyStatus;
use crate::consent::Proof;
use crate::digest::Digest;
use crate::people::Person;
use crate::request::Stage;
use crate::verdict::Verdict;

/// Something that happened to a request. All times are the database's clock, read after the row was locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A manager of the vendor decided.
    VendorDecided(Decided),
    /// An approver of the customer decided.
    CustomerDecided(Decided),
    /// A deadline's timer went off.
    DeadlineReached {
        /// Which deadline.
        stage: Stage,
        /// Now.
        at: DateTime<Utc>,
    },
    /// The timer for a reminder went off.
    ReminderReached {
        /// Now.
        at: DateTime<Utc>,
    },
    /// The timer for the end of access went off.
    AccessTimeReached {
        /// Now.
        at: DateTime<Utc>,
    },
    /// Somebody wants access to end early.
    EndAsked {
        /// Who.
        by: Person,
        /// In their words.
        comment: Option<String>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// The engineer takes the request back.
    WithdrawAsked {
        /// Who.
        by: Person,
        /// In their words.
        comment: Option<String>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Somebody asked or answered something in the thread.
    Commented(Comment),
    /// The engineer who asked was disabled.
    RequesterDisabled {
        /// Now.
        at: DateTime<Utc>,
    },
    /// An approver accepts or disputes the closing report.
    ReportResponded(ReportResponded),
    /// The ticketing system closed the service request.
    TicketClosed {
        /// Now.
        at: DateTime<Utc>,
    },
}

/// A question or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Who, as the directory has them at this moment.
    pub by: Person,
    /// In their words.
    pub text: String,
    /// Now.
    pub at: DateTime<Utc>,
}

/// An approver's answer to the closing report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportResponded {
    /// Who, as the directory has them at this moment.
    pub by: Person,
    /// Accepts, or disputes.
    pub acknowledges: bool,
    /// In their words.
    pub comment: Option<String>,
    /// Whether the end is confirmed: the provisioning was read back as closed.
    pub confirmed: bool,
    /// Now.
    pub at: DateTime<Utc>,
}

/// One person's yes or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Who, as the directory has them at this moment.
    pub by: Person,
    /// Yes or no.
    pub verdict: Verdict,
    /// Digest of what they were shown.
    pub digest: Digest,
    /// In their words.
    pub comment: Option<String>,
    /// `cli`, `portal` or `api`.
    pub channel: String,
    /// An approver may allow less time than asked for.
    pub duration_seconds: Option<i64>,
    /// The passkey that signed this decision, verified.
    pub proof: Option<Proof>,
    /// With a manager's yes to an emergency: how the rule it names stands at this moment.
    pub policy_status: Option<PolicyStatus>,
    /// Now.
    pub at: DateTime<Utc>,
}
