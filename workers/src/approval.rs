//! Role `approval`: takes the customer's yes or no (`customer.decide`), early ends (`grant.revoke`) and answers to closing
//! reports (`report.respond`), and says `request.customer_approved` with `grant.activated`, `request.customer_denied`,
//! `grant.ended`, `report.acknowledged` or `report.disputed`.

use contracts::commands::{RespondToReport, RevokeAccess};
use contracts::events::Actor;
use contracts::{Command, Envelope, Kind, Malformed};
use domain::Fact;
use domain::lifecycle::ReportResponded;
use store::ReadSet;

use crate::context::{BatchContext, check_comment};
use crate::manager_review::decides;
use crate::role::{Received, Role, RoleName, command};
use crate::signatures::Signatures;

/// The role.
#[derive(Clone, Debug, Default)]
pub struct Approval {
    /// Verifies passkeys.
    pub signatures: Signatures,
}

impl Role for Approval {
    type Message = Command;

    fn name(&self) -> RoleName {
        RoleName::Approval
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Command, Malformed> {
        command(kind, envelope, &[Kind::CustomerDecide, Kind::GrantRevoke, Kind::ReportRespond])
    }

    fn want(&self, received: &Received<Command>, read_set: &mut ReadSet) {
        let (request, by) = match &received.body {
            Command::CustomerDecide(decide) => {
                read_set.passkeys.extend(decide.assertion.as_ref().map(|assertion| assertion.credential.clone()));
                (decide.request, &decide.by)
            }
            Command::RevokeAccess(end) => (end.request, &end.by),
            Command::RespondToReport(answer) => {
                read_set.provisionings = true;
                (answer.request, &answer.by)
            }
            _ => return,
        };
        read_set.requests.push(request);
        read_set.people.push(by.clone());
    }

    fn handle(&self, received: &Received<Command>, context: &mut BatchContext<'_>) {
        match &received.body {
            Command::CustomerDecide(decide) => {
                decides(received, decide, context, &self.signatures, Fact::CustomerDecided)
            }
            Command::RevokeAccess(end) => revoke_access(received, end, context),
            Command::RespondToReport(answer) => respond_to_report(received, answer, context),
            _ => {}
        }
    }
}

fn revoke_access(received: &Received<Command>, end: &RevokeAccess, context: &mut BatchContext<'_>) {
    let at = context.now();
    match context.person(&end.by).and_then(|by| check_comment(end.comment.as_ref()).map(|()| by)) {
        Ok(by) => context.step(received, end.request, Some(&end.by), |_| Fact::EndAsked {
            by,
            comment: end.comment.clone().map(String::from),
            at,
        }),
        Err(refusal) => context.refuse(received, &refusal, Actor::claimed(&end.by), None),
    }
}

fn respond_to_report(received: &Received<Command>, answer: &RespondToReport, context: &mut BatchContext<'_>) {
    let at = context.now();
    let confirmed = !context.snapshot.unconfirmed.contains(&answer.request);
    match context.person(&answer.by).and_then(|by| check_comment(answer.comment.as_ref()).map(|()| by)) {
        Ok(by) => context.step(received, answer.request, Some(&answer.by), |_| {
            let (acknowledges, comment) = (answer.acknowledges, answer.comment.clone().map(String::from));
            Fact::ReportResponded(ReportResponded { by, acknowledges, comment, confirmed, at })
        }),
        Err(refusal) => context.refuse(received, &refusal, Actor::claimed(&answer.by), None),
    }
}
