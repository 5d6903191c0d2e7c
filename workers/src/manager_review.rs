//! Role `manager-review`: consumes the vendor's decisions (`vendor.decide`). It writes `request.vendor_approved`, which
//! starts the decision deadline of the customer, or `request.vendor_denied`. For break-glass access it writes
//! `grant.activated` after the second approval.

use contracts::{Command, Envelope, Kind, Malformed};
use domain::{Fact, Stage};
use store::ReadSet;

use crate::context::BatchContext;
use crate::decision::apply_decision;
use crate::received::Received;
use crate::role::{Role, read_command};
use crate::role_name::RoleName;
use crate::signatures::{Signatures, collect_signature};

/// The role.
#[derive(Clone, Debug, Default)]
pub struct ManagerReview {
    /// Verifies signatures.
    pub signatures: Signatures,
}

impl Role for ManagerReview {
    type Message = Command;

    fn name(&self) -> RoleName {
        RoleName::ManagerReview
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Command, Malformed> {
        read_command(kind, envelope, &[Kind::VendorDecide])
    }

    fn collect_reads(&self, received: &Received<Command>, read_set: &mut ReadSet) {
        if let Command::VendorDecide(decide) = &received.body {
            read_set.requests.push(decide.request);
            read_set.people.push(decide.by.clone());
            collect_signature(decide, read_set);
        }
    }

    fn handle(&self, received: &Received<Command>, context: &mut BatchContext<'_>) {
        if let Command::VendorDecide(decide) = &received.body {
            apply_decision(received, decide, (Stage::Vendor, Fact::VendorDecided), context, &self.signatures);
        }
    }
}
