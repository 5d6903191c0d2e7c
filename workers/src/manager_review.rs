//! Role `manager-review`: takes the vendor manager's yes or no (`vendor.decide`) and says `request.vendor_approved`,
//! which starts the customer's clock, or `request.vendor_denied`; in an emergency, with the second yes, `grant.activated`.

use contracts::commands::Decide;
use contracts::events::Actor;
use contracts::{Command, Envelope, Kind, Malformed};
use domain::Fact;
use domain::lifecycle::Decided;
use store::ReadSet;

use crate::context::{BatchContext, check_comment};
use crate::role::{Received, Role, RoleName, command};
use crate::signatures::Signatures;

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
        command(kind, envelope, &[Kind::VendorDecide])
    }

    fn want(&self, received: &Received<Command>, read_set: &mut ReadSet) {
        if let Command::VendorDecide(decide) = &received.body {
            read_set.requests.push(decide.request);
            read_set.people.push(decide.by.clone());
            read_set.passkeys.extend(decide.assertion.as_ref().map(|assertion| assertion.credential.clone()));
        }
    }

    fn handle(&self, received: &Received<Command>, context: &mut BatchContext<'_>) {
        if let Command::VendorDecide(decide) = &received.body {
            decides(received, decide, context, &self.signatures, Fact::VendorDecided);
        }
    }
}

/// A yes or no becomes a fact: who it is and what they may do is read from the rows, never from the message.
pub(crate) fn decides(
    received: &Received<Command>,
    decide: &Decide,
    context: &mut BatchContext<'_>,
    signatures: &Signatures,
    fact: impl FnOnce(Decided) -> Fact,
) {
    let known = context.person(&decide.by).and_then(|by| {
        check_comment(decide.comment.as_ref())?;
        let proof = signatures.check(decide, &by, context)?;
        Ok((by, proof))
    });
    let at = context.now();
    match known {
        Ok((by, proof)) => {
            let request = context.snapshot.requests.get(&decide.request);
            let decided = Decided {
                by,
                verdict: decide.verdict,
                digest: decide.digest,
                comment: decide.comment.clone().map(String::from),
                channel: decide.channel.chars().filter(|c| !c.is_control()).take(32).collect(),
                duration_seconds: decide.duration_seconds,
                proof,
                policy_status: request.and_then(|request| context.snapshot.standing_of(request)).cloned(),
                at,
            };
            context.step(received, decide.request, Some(&decide.by), |_| fact(decided));
        }
        Err(refusal) => {
            let request = context.snapshot.requests.get(&decide.request).cloned();
            let actor = match context.actor(Some(&decide.by)) {
                actor if actor.id.is_some() => actor,
                _ => Actor::claimed(&decide.by),
            };
            context.refuse(received, &refusal, actor, request.as_ref());
        }
    }
}
