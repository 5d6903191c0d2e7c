//! Role `manager-review`: takes the vendor manager's yes or no (`manager.decide`) and says `request.manager_approved`,
//! which starts the customer's clock, or `request.manager_rejected`.

use contracts::commands::Decide;
use contracts::events::Actor;
use contracts::{Command, Envelope, Kind, Malformed};
use domain::Fact;
use domain::lifecycle::Decided;
use store::Wanted;

use crate::role::{Received, Role, RoleName, command};
use crate::world::{World, check_comment};

/// The role.
#[derive(Clone, Copy, Debug, Default)]
pub struct ManagerReview;

impl Role for ManagerReview {
    type Message = Command;

    fn name(&self) -> RoleName {
        RoleName::ManagerReview
    }

    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Command, Malformed> {
        command(kind, envelope, &[Kind::ManagerDecide])
    }

    fn want(&self, received: &Received<Command>, wanted: &mut Wanted) {
        if let Command::ManagerDecide(decide) = &received.body {
            wanted.requests.push(decide.request);
            wanted.people.push(decide.by.clone());
        }
    }

    fn handle(&self, received: &Received<Command>, world: &mut World<'_>) {
        if let Command::ManagerDecide(decide) = &received.body {
            decides(received, decide, world, Fact::ManagerDecided);
        }
    }
}

/// A yes or no becomes a fact: who it is and what they may do is read from the rows, never from the message.
pub(crate) fn decides(
    received: &Received<Command>,
    decide: &Decide,
    world: &mut World<'_>,
    fact: impl FnOnce(Decided) -> Fact,
) {
    let known = world.person(&decide.by).and_then(|by| check_comment(decide.comment.as_deref()).map(|()| by));
    let at = world.now();
    match known {
        Ok(by) => {
            let decided = Decided {
                by,
                verdict: decide.verdict,
                digest: decide.digest,
                comment: decide.comment.clone(),
                channel: decide.channel.chars().filter(|c| !c.is_control()).take(32).collect(),
                duration_seconds: decide.duration_seconds,
                at,
            };
            world.step(received, decide.request, Some(&decide.by), |_| fact(decided));
        }
        Err(refusal) => {
            let request = world.snapshot.requests.get(&decide.request).cloned();
            let actor = match world.actor(Some(&decide.by)) {
                actor if actor.id.is_some() => actor,
                _ => Actor::claimed(&decide.by),
            };
            world.refuse(received, &refusal, actor, request.as_ref());
        }
    }
}
