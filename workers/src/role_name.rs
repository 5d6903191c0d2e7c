//! The names of the roles.

/// A role, which operators start and scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleName {
    /// Admits access requests.
    Intake,
    /// Processes the vendor's decisions.
    ManagerReview,
    /// Determines who is notified.
    Notification,
    /// Processes the customer's decisions and revocations.
    Approval,
    /// Fires timers: deadlines, reminders and the end of access.
    Expiry,
    /// Opens and revokes provisionings in target systems.
    Access,
    /// Writes the audit log.
    Audit,
    /// Sends mail.
    Mail,
    /// Places events in the logs; part of `audit` unless it runs alone.
    Sequencer,
    /// Signs the logs; part of `audit` unless it runs alone.
    Signer,
}

impl RoleName {
    /// Every role with a queue of its own.
    pub const ALL: [Self; 8] = [
        Self::Intake,
        Self::ManagerReview,
        Self::Notification,
        Self::Approval,
        Self::Expiry,
        Self::Access,
        Self::Audit,
        Self::Mail,
    ];

    /// Roles without a queue, which the role `audit` includes.
    pub const AUDIT_PARTS: [Self; 2] = [Self::Sequencer, Self::Signer];

    /// Name on the command line, of the queue and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::ManagerReview => "manager-review",
            Self::Notification => "notification",
            Self::Approval => "approval",
            Self::Expiry => "expiry",
            Self::Access => "access",
            Self::Audit => "audit",
            Self::Mail => "mail",
            Self::Sequencer => "sequencer",
            Self::Signer => "signer",
        }
    }

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain(Self::AUDIT_PARTS).find(|role| role.as_str() == name)
    }
}
