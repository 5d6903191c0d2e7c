//! `lockbox audit reset-signer`: restores the signer's lost state from the database.

use contracts::events::Operation;
use store::Store;
use tlog::{Checkpoint, Note, Verifier};
use workers::signer::{Memory, Seeds};

use crate::operator::Operator;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::line;

/// Stores the database's latest checkpoints as the last that were signed. Checkpoints that the signer's own key did not sign
/// are refused.
pub(super) async fn run(settings: &Settings, store: &Store, operator: &Operator) -> Result<(), Failure> {
    let failed = |fault: &dyn std::error::Error| Failure::Failed(workers::error_chain(fault));
    let seeds = Seeds::read(&settings.audit.folder)?;
    let mut memory = Memory::open(&settings.audit.folder).map_err(|fault| failed(&fault))?;
    let mut details = Vec::new();
    for head in store.log_heads().await? {
        let Some(latest) = store.latest_checkpoint(head.tenant.as_deref()).await? else { continue };
        let keys: Vec<Verifier> = seeds.signers(&head.origin).iter().map(|key| key.verifier().clone()).collect();
        let note: Note = latest.note.parse().map_err(|fault: tlog::Error| failed(&fault))?;
        let (tree, _) = Checkpoint::open(&note, &keys).map_err(|fault| failed(&fault))?;
        if memory.tree(&head.origin).is_some_and(|(size, _)| size >= tree.size) {
            continue;
        }
        let detail = format!("{}: {} entries, root {}", tree.origin, tree.size, tree.root);
        line(&detail)?;
        details.push(detail);
        memory.remember(&[tree]).map_err(|fault| failed(&fault))?;
    }
    if !details.is_empty() {
        store.record_operation(Operation::AuditResetSigner, details, operator.actor()).await?;
    }
    Ok(())
}
