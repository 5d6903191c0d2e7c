//! Role `approval`: takes the customer's yes or no (`customer.decide`), early ends (`access.end`) and answers to closing
//! reports (`report.answer`), and says `request.customer_approved` with `access.granted`, `request.customer_rejected`,
//! `access.ended`, `report.accepted` or `report.disputed`.

use contracts::commands::{AnswerReport, EndAccess};
use contracts::events::Actor;
use contracts::{Command, Envelope, Kind, Malformed};
use domain::Fact;
use domain::lifecycle::ReportAnswered;
use store::Wanted;

use crate::manager_review::decides;
use crate::role::{Received, Role, RoleName, command};
use crate::signatures::Signatures;
use crate::world::{World, check_comment};

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
        command(kind, envelope, &[Kind::CustomerDecide, Kind::AccessEnd, Kind::ReportAnswer])
    }

    fn want(&self, received: &Received<Command>, wanted: &mut Wanted) {
        let (request, by) = match &received.body {
            Command::CustomerDecide(decide) => {
                wanted.passkeys.extend(decide.assertion.as_ref().map(|assertion| assertion.credential.clone()));
                (decide.request, &decide.by)
            }
            Command::EndAccess(end) => (end.request, &end.by),
            Command::AnswerReport(answer) => {
                wanted.doors = true;
                (answer.request, &answer.by)
            }
            _ => return,
        };
        wanted.requests.push(request);
        wanted.people.push(by.clone());
    }

    fn handle(&self, received: &Received<Command>, world: &mut World<'_>) {
        match &received.body {
            Command::CustomerDecide(decide) => {
                decides(received, decide, world, &self.signatures, Fact::CustomerDecided)
            }
            Command::EndAccess(end) => end_access(received, end, world),
            Command::AnswerReport(answer) => answer_report(received, answer, world),
            _ => {}
        }
    }
}

fn end_access(received: &Received<Command>, end: &EndAccess, world: &mut World<'_>) {
    let at = world.now();
    match world.person(&end.by).and_then(|by| check_comment(end.comment.as_ref()).map(|()| by)) {
        Ok(by) => world.step(received, end.request, Some(&end.by), |_| Fact::EndAsked {
            by,
            comment: end.comment.clone().map(String::from),
            at,
        }),
        Err(refusal) => world.refuse(received, &refusal, Actor::claimed(&end.by), None),
    }
}

fn answer_report(received: &Received<Command>, answer: &AnswerReport, world: &mut World<'_>) {
    let at = world.now();
    let confirmed = !world.snapshot.unconfirmed.contains(&answer.request);
    match world.person(&answer.by).and_then(|by| check_comment(answer.comment.as_ref()).map(|()| by)) {
        Ok(by) => world.step(received, answer.request, Some(&answer.by), |_| {
            let (accepts, comment) = (answer.accepts, answer.comment.clone().map(String::from));
            Fact::ReportAnswered(ReportAnswered { by, accepts, comment, confirmed, at })
        }),
        Err(refusal) => world.refuse(received, &refusal, Actor::claimed(&answer.by), None),
    }
}
