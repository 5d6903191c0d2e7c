//! Role `approval`: takes the customer's yes or no (`customer.decide`) and early ends (`access.end`), and says
//! `request.customer_approved` with `access.granted`, `request.customer_rejected` or `access.ended`.

use contracts::commands::EndAccess;
use contracts::events::Actor;
use contracts::{Command, Envelope, Kind, Malformed};
use domain::Fact;
use store::Wanted;

use crate::manager_review::decides;
use crate::role::{Received, Role, RoleName, command};
use crate::world::{World, check_comment};

/// The role.
#[derive(Clone, Copy, Debug, Default)]
pub struct Approval;

impl Role for Approval {
    type Message = Command;

    fn name(&self) -> RoleName {
        RoleName::Approval
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Command, Malformed> {
        command(kind, envelope, &[Kind::CustomerDecide, Kind::AccessEnd])
    }

    fn want(&self, received: &Received<Command>, wanted: &mut Wanted) {
        let (request, by) = match &received.body {
            Command::CustomerDecide(decide) => (decide.request, &decide.by),
            Command::EndAccess(end) => (end.request, &end.by),
            _ => return,
        };
        wanted.requests.push(request);
        wanted.people.push(by.clone());
    }

    fn handle(&self, received: &Received<Command>, world: &mut World<'_>) {
        match &received.body {
            Command::CustomerDecide(decide) => decides(received, decide, world, Fact::CustomerDecided),
            Command::EndAccess(end) => end_access(received, end, world),
            _ => {}
        }
    }
}

fn end_access(received: &Received<Command>, end: &EndAccess, world: &mut World<'_>) {
    let at = world.now();
    match world.person(&end.by).and_then(|by| check_comment(end.comment.as_deref()).map(|()| by)) {
        Ok(by) => world.step(received, end.request, Some(&end.by), |_| Fact::EndAsked {
            by,
            comment: end.comment.clone(),
            at,
        }),
        Err(refusal) => world.refuse(received, &refusal, Actor::claimed(&end.by), None),
    }
}
