//! Role `manager-review`: takes the vendor manager's yes or no (`manager.decide`) and says `request.manager_approved`,
//! which starts the customer's clock, or `request.manager_rejected`; in an emergency, with the second yes, `access.granted`.

use contracts::commands::Decide;
use contracts::events::Actor;
use contracts::{Command, Envelope, Kind, Malformed};
use domain::Fact;
use domain::lifecycle::Decided;
use store::Wanted;

use crate::role::{Received, Role, RoleName, command};
use crate::signatures::Signatures;
use crate::world::{World, check_comment};

/// The role.
#[derive(Clone, Debug, Default)]
pub struct ManagerReview {
    /// Verifies passkeys.
    pub signatures: Signatures,
}

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
            wanted.passkeys.extend(decide.assertion.as_ref().map(|assertion| assertion.credential.clone()));
        }
    }

    fn handle(&self, received: &Received<Command>, world: &mut World<'_>) {
        if let Command::ManagerDecide(decide) = &received.body {
            decides(received, decide, world, &self.signatures, Fact::ManagerDecided);
        }
    }
}

/// A yes or no becomes a fact: who it is and what they may do is read from the rows, never from the message.
pub(crate) fn decides(
    received: &Received<Command>,
    decide: &Decide,
    world: &mut World<'_>,
    signatures: &Signatures,
    fact: impl FnOnce(Decided) -> Fact,
) {
    let known = world.person(&decide.by).and_then(|by| {
        check_comment(decide.comment.as_ref())?;
        let proof = signatures.check(decide, &by, world)?;
        Ok((by, proof))
    });
    let at = world.now();
    match known {
        Ok((by, proof)) => {
            let request = world.snapshot.requests.get(&decide.request);
            let decided = Decided {
                by,
                verdict: decide.verdict,
                digest: decide.digest,
                comment: decide.comment.clone().map(String::from),
                channel: decide.channel.chars().filter(|c| !c.is_control()).take(32).collect(),
                duration_seconds: decide.duration_seconds,
                proof,
                standing: request.and_then(|request| world.snapshot.standing_of(request)).cloned(),
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
