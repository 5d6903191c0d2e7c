//! Decisions for the vendor and for the customer, as facts for the lifecycle.

use contracts::Command;
use contracts::commands::Decide;
use contracts::events::Actor;
use domain::lifecycle::Decided;
use domain::{Fact, Stage};

use crate::context::{BatchContext, check_comment};
use crate::received::Received;
use crate::signatures::Signatures;

/// Applies a decision as a fact. The approver's identity and rights come from the database, never from the message.
pub(crate) fn apply_decision(
    received: &Received<Command>,
    decide: &Decide,
    (stage, fact): (Stage, impl FnOnce(Decided) -> Fact),
    context: &mut BatchContext<'_>,
    signatures: &Signatures,
) {
    let known = context.person(&decide.by).and_then(|by| {
        check_comment(decide.comment.as_ref())?;
        let proof = signatures.check(decide, stage, &by, context)?;
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
                policy_usage: request.and_then(|request| context.snapshot.policy_of(request)).cloned(),
                at,
            };
            context.apply_fact(received, decide.request, Some(&decide.by), |_| fact(decided));
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
