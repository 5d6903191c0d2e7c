//! A request and the states it passes through.

use chrono::{DateTime, Utc};

use crate::consent::Proof;
use crate::content::{Content, words};
use crate::digest::Digest;
use crate::ids::PersonId;
use crate::people::{Role, Side};
use crate::verdict::Verdict;

words!(
    /// One of the two yeses a request needs.
    Stage {
        /// Review by the vendor's manager.
        Vendor = "vendor",
        /// Decision by the customer.
        Customer = "customer",
    }
);

words!(
    /// Why access ended.
    EndCause {
        /// The time asked for was over.
        Expired = "expired",
        /// An approver of the customer ended it.
        RevokedByCustomer = "revoked_by_customer",
        /// A manager of the vendor revoked it.
        RevokedByVendor = "revoked_by_vendor",
        /// The requester released it.
        Released = "released",
        /// The service request was closed.
        TicketClosed = "ticket_closed",
        /// The engineer was disabled.
        RequesterDisabled = "requester_disabled",
    }
);

words!(
    /// Why a request was taken back before anybody got access.
    Withdrawal {
        /// The engineer took it back.
        Requester = "requester",
        /// The service request was closed.
        TicketClosed = "ticket_closed",
        /// The engineer was disabled.
        RequesterDisabled = "requester_disabled",
    }
);

words!(
    /// What a timer is for; a request has at most one of each kind.
    TimerKind {
        /// The vendor's review is overdue.
        ReviewDeadline = "review_deadline",
        /// The customer did not answer.
        DecisionDeadline = "decision_deadline",
        /// The customer is reminded.
        Reminder = "reminder",
        /// The time of access is over.
        GrantEnd = "grant_end",
        /// The engineer was disabled; armed by the database in the transaction that disables, whoever does it.
        RequesterDisabled = "requester_disabled",
    }
);

/// One yes that counts towards the customer's approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who said yes.
    pub person: PersonId,
    /// The time this approver allows, at most what was asked for.
    pub duration_seconds: i64,
}

/// Where a request stands. Times are the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for the vendor's manager.
    PendingVendor {
        /// Expires at this moment.
        review_deadline: DateTime<Utc>,
        /// In an emergency, the first of the two managers who say yes.
        first: Option<PersonId>,
    },
    /// Waits for the customer.
    PendingCustomer {
        /// The manager who said yes.
        manager: PersonId,
        /// Expires at this moment.
        decision_deadline: DateTime<Utc>,
        /// The yeses so far.
        approvals: Vec<Approval>,
    },
    /// Access is open from `access_from` until `access_until`, both fixed on the last yes.
    Active {
        /// Access opens.
        access_from: DateTime<Utc>,
        /// Access is over at this moment, whoever runs.
        access_until: DateTime<Utc>,
    },
    /// Access was granted and is over.
    Ended {
        /// Why.
        cause: EndCause,
    },
    /// The vendor's manager said no.
    VendorDenied,
    /// The customer said no.
    CustomerDenied,
    /// Nobody answered in time. Not a rejection: nobody decided.
    Expired {
        /// Whose answer was missing.
        stage: Stage,
    },
    /// Taken back.
    Withdrawn {
        /// Why.
        cause: Withdrawal,
    },
}

impl State {
    /// Name in messages and tables.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::PendingVendor { .. } => "pending_vendor",
            Self::PendingCustomer { .. } => "pending_customer",
            Self::Active { .. } => "active",
            Self::Ended { .. } => "ended",
            Self::VendorDenied => "vendor_denied",
            Self::CustomerDenied => "customer_denied",
            Self::Expired { .. } => "expired",
            Self::Withdrawn { .. } => "withdrawn",
        }
    }

    /// Whether nothing can follow.
    pub fn is_final(&self) -> bool {
        match self {
            Self::PendingVendor { .. } | Self::PendingCustomer { .. } | Self::Active { .. } => false,
            Self::Ended { .. }
            | Self::VendorDenied
            | Self::CustomerDenied
            | Self::Expired { .. }
            | Self::Withdrawn { .. } => true,
        }
    }
}

/// A request as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked for; immutable.
    pub content: Content,
    /// Digest of the stored bytes of the content.
    pub digest: Digest,
    /// Where it stands.
    pub state: State,
    /// Number of events so far: events carry the versions 1…n without a gap.
    pub version: i32,
}

/// One yes or no by one person at one stage, kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Which of the two yeses this is about.
    pub stage: Stage,
    /// Who decided.
    pub person: PersonId,
    /// The side they stood on.
    pub side: Side,
    /// The role they held at that moment.
    pub role: Role,
    /// Yes or no.
    pub verdict: Verdict,
    /// In their words.
    pub comment: Option<String>,
    /// Digest they decided on.
    pub digest: Digest,
    /// Where they decided: `cli`, `portal`, `api`.
    pub channel: String,
    /// The time they allow in seconds; only with the customer's yes.
    pub duration_seconds: Option<i64>,
    /// The passkey that signed it.
    pub proof: Option<Proof>,
    /// When, by the database's clock.
    pub decided_at: DateTime<Utc>,
}

/// A timer to arm or to disarm. The row is the truth; a delayed message only wakes somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerChange {
    /// Due at this moment; replaces one of the same kind.
    Arm(TimerKind, DateTime<Utc>),
    /// Not needed any more.
    Disarm(TimerKind),
}
