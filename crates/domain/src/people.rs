//! People, the side they belong to, and what they may decide.

use crate::ids::{PersonId, TenantId};
use crate::rules::Rules;

/// A customer organization and its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Internal id.
    pub id: TenantId,
    /// Short name used in messages, such as `contoso`.
    pub name: String,
    /// Display name.
    pub display_name: String,
    /// A disabled tenant accepts no new requests.
    pub enabled: bool,
    /// Rules for new requests.
    pub rules: Rules,
    /// Additional addresses that receive notifications. They cannot decide.
    pub notification_recipients: Vec<String>,
}

/// Which of the two sides a person belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The vendor that holds the content.
    Vendor,
    /// One tenant.
    Customer(TenantId),
}

impl Side {
    /// `vendor` or `customer`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Customer(_) => "customer",
        }
    }
}

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Requests access (vendor).
    Engineer,
    /// Reviews requests before the customer sees them (vendor).
    Manager,
    /// Decides for the customer.
    Approver,
    /// Reads the audit log.
    Auditor,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Engineer, Self::Manager, Self::Approver, Self::Auditor];

    /// Name in directories and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Engineer => "engineer",
            Self::Manager => "manager",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
        }
    }

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// One role of one person, for one service or for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The role.
    pub role: Role,
    /// The service; `None` is every service.
    pub service: Option<String>,
}

/// A person, as the directory currently stores them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Internal id, by which people are compared.
    pub id: PersonId,
    /// Short name used in messages and on the command line, such as `robin`.
    pub name: String,
    /// Display name.
    pub display_name: String,
    /// Where mail goes.
    pub email: String,
    /// Vendor or customer.
    pub side: Side,
    /// A disabled person can neither request nor decide.
    pub enabled: bool,
    /// Roles.
    pub assignments: Vec<Assignment>,
}

impl Person {
    /// The tenant that this person belongs to, whose settings the person may see; `None` for the vendor's people.
    pub fn tenant(&self) -> Option<TenantId> {
        match self.side {
            Side::Customer(tenant) => Some(tenant),
            Side::Vendor => None,
        }
    }

    /// Whether this person has `role` for at least one service.
    pub fn has_role(&self, role: Role) -> bool {
        self.assignments.iter().any(|assignment| assignment.role == role)
    }

    /// Whether this person has `role` for `service`.
    pub fn holds(&self, role: Role, service: &str) -> bool {
        self.assignments
            .iter()
            .any(|held| held.role == role && held.service.as_deref().is_none_or(|only| only == service))
    }

    /// Whether this person may review requests for the vendor.
    pub fn may_review(&self, service: &str) -> bool {
        self.enabled && self.side == Side::Vendor && self.holds(Role::Manager, service)
    }

    /// Whether this person may decide for `tenant`.
    pub fn may_approve(&self, tenant: TenantId, service: &str) -> bool {
        self.enabled && self.side == Side::Customer(tenant) && self.holds(Role::Approver, service)
    }

    /// Whether this person may request access.
    pub fn may_request(&self, service: &str) -> bool {
        self.enabled && self.side == Side::Vendor && self.holds(Role::Engineer, service)
    }
}
