//! A request and its states.

use chrono::{DateTime, Utc};

use crate::content::{Content, named_values};
use crate::digest::Digest;
use crate::ids::PersonId;
use crate::people::{Role, Side};
use crate::signature::Proof;
use crate::verdict::Verdict;

named_values!(
    /// One of the two stages in which a request needs approval.
    Stage {
        /// Review by a manager of the vendor.
        Vendor = "vendor",
        /// Decision by approvers of the customer.
        Customer = "customer",
    }
);

named_values!(
    /// Why access ended.
    EndCause {
        /// The approved duration was over.
        Expired = "expired",
        /// An approver of the customer revoked it.
        RevokedByCustomer = "revoked_by_customer",
        /// A manager of the vendor revoked it.
        RevokedByVendor = "revoked_by_vendor",
        /// The requester released it.
        Released = "released",
        /// The service request was closed.
        TicketClosed = "ticket_closed",
        /// The requester was disabled.
        RequesterDisabled = "requester_disabled",
    }
);

named_values!(
    /// Why a request was withdrawn before access became active.
    Withdrawal {
        /// The requester withdrew it.
        Requester = "requester",
        /// The service request was closed.
        TicketClosed = "ticket_closed",
        /// The requester was disabled.
        RequesterDisabled = "requester_disabled",
    }
);

named_values!(
    /// The kinds of timers; a request has at most one of each.
    TimerKind {
        /// The deadline of the vendor review.
        ReviewDeadline = "review_deadline",
        /// The deadline of the customer's decision.
        DecisionDeadline = "decision_deadline",
        /// A reminder to the customer.
        Reminder = "reminder",
        /// The end of access.
        GrantEnd = "grant_end",
        /// The requester was disabled. The database arms this timer in the transaction that disables the person.
        RequesterDisabled = "requester_disabled",
    }
);

/// One approval that counts towards the customer's required approvals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who approved.
    pub person: PersonId,
    /// The duration that this approver approves in seconds, at most the requested one.
    pub duration_seconds: i64,
}

/// The state of a request. Times are the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A manager of the vendor has not decided yet.
    PendingVendor {
        /// When the request expires.
        review_deadline: DateTime<Utc>,
        /// For break-glass access: the first of the two managers who approved.
        first: Option<PersonId>,
    },
    /// The customer has not decided yet.
    PendingCustomer {
        /// The manager who approved.
        manager: PersonId,
        /// When the request expires.
        decision_deadline: DateTime<Utc>,
        /// The approvals so far.
        approvals: Vec<Approval>,
    },
    /// Access is active from `access_from` until `access_until`. The last approval sets both.
    Active {
        /// Start of access.
        access_from: DateTime<Utc>,
        /// End of access, even if no process runs at that time.
        access_until: DateTime<Utc>,
    },
    /// Access was active and is over.
    Ended {
        /// Why.
        cause: EndCause,
    },
    /// A manager of the vendor denied.
    VendorDenied,
    /// An approver of the customer denied.
    CustomerDenied,
    /// The deadline passed without a decision. This is not a denial.
    Expired {
        /// The stage that had no decision.
        stage: Stage,
    },
    /// The request was withdrawn.
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

    /// Whether the state is final.
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

/// A request and its current state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The requested access; immutable.
    pub content: Content,
    /// Digest of the stored bytes of the content.
    pub digest: Digest,
    /// State.
    pub state: State,
    /// Number of events so far: events carry the versions 1…n without a gap.
    pub version: i32,
}

/// One person's decision at one stage. It is stored permanently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The stage.
    pub stage: Stage,
    /// Who decided.
    pub person: PersonId,
    /// The person's side.
    pub side: Side,
    /// The person's role at that moment.
    pub role: Role,
    /// Approve or deny.
    pub verdict: Verdict,
    /// The comment.
    pub comment: Option<String>,
    /// Digest of the content that they decided on.
    pub digest: Digest,
    /// Where they decided: `cli`, `portal`, `api`.
    pub channel: String,
    /// The approved duration in seconds; only with an approval by the customer.
    pub duration_seconds: Option<i64>,
    /// The verified signature.
    pub proof: Option<Proof>,
    /// When, by the database's clock.
    pub decided_at: DateTime<Utc>,
}

/// A timer to arm or to disarm. The row decides; a delayed message only wakes the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerChange {
    /// Due at this moment; replaces a timer of the same kind.
    Arm(TimerKind, DateTime<Utc>),
    /// No longer needed.
    Disarm(TimerKind),
}
