//! Role `approval`: consumes the customer's decision (`customer.decide`), revocations (`grant.revoke`) and responses to
//! access reports (`report.respond`). It writes `request.customer_approved` with `grant.activated`,
//! `request.customer_denied`, `grant.ended`, `report.acknowledged` or `report.disputed`.

use contracts::commands::{RespondToReport, RevokeAccess};
use contracts::events::Actor;
use contracts::{Command, Envelope, Kind, Malformed};
use domain::lifecycle::ReportResponded;
use domain::{Fact, Stage};
use store::ReadSet;

use crate::context::{BatchContext, check_comment};
use crate::decision::apply_decision;
use crate::received::Received;
use crate::role::{Role, read_command};
use crate::role_name::RoleName;
use crate::signatures::{Signatures, collect_signature};

/// The role.
#[derive(Clone, Debug, Default)]
pub struct Approval {
    /// Verifies signatures.
    pub signatures: Signatures,
}

impl Role for Approval {
    type Message = Command;

    fn name(&self) -> RoleName {
        RoleName::Approval
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Command, Malformed> {
        read_command(kind, envelope, &[Kind::CustomerDecide, Kind::GrantRevoke, Kind::ReportRespond])
    }

    fn collect_reads(&self, received: &Received<Command>, read_set: &mut ReadSet) {
        let (request, by) = match &received.body {
            Command::CustomerDecide(decide) => {
                collect_signature(decide, read_set);
                (decide.request, &decide.by)
            }
            Command::RevokeAccess(revoke) => (revoke.request, &revoke.by),
            Command::RespondToReport(response) => {
                read_set.provisionings = true;
                (response.request, &response.by)
            }
            _ => return,
        };
        read_set.requests.push(request);
        read_set.people.push(by.clone());
    }

    fn handle(&self, received: &Received<Command>, context: &mut BatchContext<'_>) {
        match &received.body {
            Command::CustomerDecide(decide) => {
                apply_decision(received, decide, (Stage::Customer, Fact::CustomerDecided), context, &self.signatures)
            }
            Command::RevokeAccess(revoke) => revoke_access(received, revoke, context),
            Command::RespondToReport(response) => respond_to_report(received, response, context),
            _ => {}
        }
    }
}

fn revoke_access(received: &Received<Command>, revoke: &RevokeAccess, context: &mut BatchContext<'_>) {
    let at = context.now();
    match context.person(&revoke.by).and_then(|by| check_comment(revoke.comment.as_ref()).map(|()| by)) {
        Ok(by) => context.apply_fact(received, revoke.request, Some(&revoke.by), |_| Fact::RevocationRequested {
            by,
            comment: revoke.comment.clone().map(String::from),
            at,
        }),
        Err(refusal) => context.refuse(received, &refusal, Actor::claimed(&revoke.by), None),
    }
}

fn respond_to_report(received: &Received<Command>, response: &RespondToReport, context: &mut BatchContext<'_>) {
    let at = context.now();
    let confirmed = !context.snapshot.unconfirmed.contains(&response.request);
    match context.person(&response.by).and_then(|by| check_comment(response.comment.as_ref()).map(|()| by)) {
        Ok(by) => context.apply_fact(received, response.request, Some(&response.by), |_| {
            let (acknowledges, comment) = (response.acknowledges, response.comment.clone().map(String::from));
            Fact::ReportResponded(ReportResponded { by, acknowledges, comment, confirmed, at })
        }),
        Err(refusal) => context.refuse(received, &refusal, Actor::claimed(&response.by), None),
    }
}
