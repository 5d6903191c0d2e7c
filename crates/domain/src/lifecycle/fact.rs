//! What happens to a request, as values.

use chrono::{DateTime, Utc};

use crate::break_glass::PolicyUsage;
use crate::digest::Digest;
use crate::people::Person;
use crate::request::Stage;
use crate::signature::Proof;
use crate::verdict::Verdict;

/// Something that happened to a request. All times are the database's clock, read after the row was locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A manager of the vendor decided.
    VendorDecided(Decided),
    /// An approver of the customer decided.
    CustomerDecided(Decided),
    /// The timer of a deadline fired.
    DeadlineReached {
        /// Which deadline.
        stage: Stage,
        /// Now.
        at: DateTime<Utc>,
    },
    /// The timer of a reminder fired.
    ReminderReached {
        /// Now.
        at: DateTime<Utc>,
    },
    /// The timer for the end of access fired.
    AccessTimeReached {
        /// Now.
        at: DateTime<Utc>,
    },
    /// Somebody revokes or releases access before its end.
    RevocationRequested {
        /// Who.
        by: Person,
        /// In their words.
        comment: Option<String>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// The requester withdraws the request.
    WithdrawalRequested {
        /// Who.
        by: Person,
        /// In their words.
        comment: Option<String>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Somebody commented on the request.
    Commented(Comment),
    /// The requester was disabled.
    RequesterDisabled {
        /// Now.
        at: DateTime<Utc>,
    },
    /// An approver acknowledges or disputes the access report.
    ReportResponded(ReportResponded),
    /// The ticketing system closed the service request.
    TicketClosed {
        /// Now.
        at: DateTime<Utc>,
    },
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The author, as the directory has them at this moment.
    pub by: Person,
    /// The text.
    pub text: String,
    /// Now.
    pub at: DateTime<Utc>,
}

/// An approver's response to the access report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportResponded {
    /// The approver, as the directory has them at this moment.
    pub by: Person,
    /// Whether the approver acknowledges the report; `false` disputes it.
    pub acknowledges: bool,
    /// The comment.
    pub comment: Option<String>,
    /// Whether the target system confirmed the revocation.
    pub confirmed: bool,
    /// Now.
    pub at: DateTime<Utc>,
}

/// One person's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The person, as the directory has them at this moment.
    pub by: Person,
    /// Approve or deny.
    pub verdict: Verdict,
    /// Digest of the content that they saw.
    pub digest: Digest,
    /// The comment.
    pub comment: Option<String>,
    /// `cli`, `portal` or `api`.
    pub channel: String,
    /// The approved duration in seconds, which may be shorter than requested.
    pub duration_seconds: Option<i64>,
    /// The verified passkey signature of this decision.
    pub proof: Option<Proof>,
    /// For an approval of break-glass access: the policy that the request names, and its uses so far.
    pub policy_usage: Option<PolicyUsage>,
    /// Now.
    pub at: DateTime<Utc>,
}
