//! The page of one proposed change: what it changes, who signed, and the form that signs it.

use askama::Template;
use consent::{Effect, KeyKind};
use store::authority::{Authority, Origin, Proposal};
use uuid::Uuid;

use crate::app::App;
use crate::format::{DisplayTime, duration};
use crate::response::{PageError, PageResult, render};
use crate::session::Viewer;

/// A sentence of a change, and what it does to the protection.
pub(super) struct Sentence {
    pub text: String,
    pub effect: &'static str,
}

/// The sentences of changes.
pub(super) fn sentences(changes: &[consent::Change]) -> Vec<Sentence> {
    let sentence = |change: &consent::Change| Sentence {
        text: crate::response::sentence(&change.sentence),
        effect: match change.effect {
            Effect::Weakens => "weakens protection",
            Effect::Strengthens => "strengthens protection",
            Effect::Neutral => "",
        },
    };
    changes.iter().map(sentence).collect()
}

#[derive(Template)]
#[template(path = "authority_change.html")]
struct ChangePage {
    viewer: Viewer,
    id: Uuid,
    proposer: String,
    is_from_directory: bool,
    proposed_at: DisplayTime,
    expires_at: DisplayTime,
    sentences: Vec<Sentence>,
    /// The delay, such as `24 h`, when the change takes effect later.
    delay: Option<String>,
    signers: Vec<String>,
    needed: usize,
    has_signed: bool,
    /// Whether the proposal follows the last recorded statement, so that it can still be recorded.
    is_current: bool,
    /// The statements as JSON: the proposed one, and the one in force.
    statement: String,
    in_force: String,
    rp_id: String,
    /// Ids of the viewer's passkeys in the statement in force, separated by spaces.
    keys: String,
    has_recovery: bool,
    /// Whether a recorded change waits for its time, which this one would replace.
    replaces_pending: bool,
}

pub(super) async fn page(app: &App, viewer: Viewer, authority: &Authority, id: Uuid) -> PageResult {
    let tenant = &authority.chain.founding().tenant;
    let now = app.store.clock().await?;
    let open = app.store.open_changes(tenant).await?;
    let Some(proposal) = open.into_iter().find(|proposal| proposal.id == id) else {
        return Err(PageError::NotFound);
    };
    let in_force = authority.chain.in_force(now);
    let signers = signers(&proposal, in_force);
    let own = viewer.person.id.0;
    let is_own = !proposal.changes.is_empty() && proposal.changes.iter().all(|change| change.own_of == Some(own));
    let weakens = proposal.changes.iter().any(|change| change.effect == Effect::Weakens);
    let delay = (weakens && !is_own).then(|| duration(in_force.change_delay_seconds));
    let keys = in_force.approver(own).into_iter().flat_map(|approver| &approver.keys);
    let keys: Vec<&str> = keys.filter(|key| key.kind == KeyKind::Passkey).map(|key| key.id.as_str()).collect();
    render(&ChangePage {
        id,
        is_from_directory: proposal.origin == Origin::Directory,
        proposed_at: proposal.proposed_at.into(),
        expires_at: proposal.expires_at.into(),
        sentences: sentences(&proposal.changes),
        delay,
        has_signed: in_force.approver(own).is_some_and(|approver| signers.contains(&approver.name)),
        signers,
        needed: if is_own { 1 } else { proposal.needed },
        is_current: proposal.statement.previous.as_deref()
            == Some(hex::encode(authority.chain.latest().hash()).as_str()),
        statement: proposal.statement.document().to_string(),
        in_force: in_force.document().to_string(),
        rp_id: in_force.portal.rp_id.clone(),
        keys: keys.join(" "),
        has_recovery: in_force.recovery_key.is_some(),
        replaces_pending: authority.chain.pending(now).is_some(),
        proposer: proposal.proposer,
        viewer,
    })
}

/// Names of the approvers who signed a proposal.
pub(super) fn signers(proposal: &Proposal, in_force: &consent::Statement) -> Vec<String> {
    let name = |assertion: &consent::Assertion| {
        let owner = in_force.key(assertion.key()).map(|(owner, _)| owner.name.clone());
        owner.unwrap_or_else(|| "the recovery code".to_owned())
    };
    proposal.signatures.iter().map(name).collect()
}
