//! What operators do with the log's keys and with what people wrote: erase, add and retire keys, adopt a memory.

use clap::{ArgGroup, Args, Subcommand};
use store::Store;
use store::texts::{Erasure, Whose};
use tlog::{Checkpoint, Note, Verifier};
use uuid::Uuid;
use workers::signer::{Memory, Seeds};

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::line;

/// Whose words to erase.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("whose").required(true)))]
pub struct Redact {
    /// What anybody wrote about this request.
    #[arg(long, group = "whose")]
    request: Option<Uuid>,
    /// What this person wrote, by short name.
    #[arg(long, group = "whose")]
    person: Option<String>,
    /// Who erases.
    #[arg(long = "as", value_name = "PERSON")]
    by: String,
}

/// What to do with the keys.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Keys {
    /// Add a key: it signs beside the others, and the signer announces it in every log.
    Add,
    /// Take the oldest key away, when everybody has learnt the new one.
    Retire,
}

impl Redact {
    pub(super) async fn run(self, store: &Store) -> Result<(), Failure> {
        let whose = match (self.request, self.person) {
            (Some(request), _) => Whose::Request(request),
            (None, person) => Whose::Person(person.unwrap_or_default()),
        };
        match store.redact_texts(&whose, &self.by).await? {
            Erasure::Done(texts) => line(&format!("{texts} texts erased; the log says so and stays whole")),
            Erasure::Waits { requests, dead_letter, on_their_way } => Err(Failure::Refused {
                code: "erasure.waits".to_owned(),
                message: waits(&requests, &dead_letter, on_their_way),
            }),
        }
    }
}

/// What has to come to its end before anything is erased.
fn waits(requests: &[Uuid], dead_letter: &[Uuid], on_their_way: i64) -> String {
    let ids = |ids: &[Uuid]| ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ");
    let mut words = Vec::new();
    if !requests.is_empty() {
        words.push(format!(
            "requests that are not over are decided by what was written: withdraw or end them, or wait: {}",
            ids(requests)
        ));
    }
    if !dead_letter.is_empty() {
        words.push(format!("parked messages hold words: replay or discard them: {}", ids(dead_letter)));
    }
    if on_their_way > 0 {
        words.push(format!("{on_their_way} messages are still on their way: again in a moment"));
    }
    format!("nothing was erased. {}", words.join("; "))
}

impl Keys {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let folder = &settings.audit.folder;
        match self {
            Self::Add => Seeds::add(folder)?,
            Self::Retire => Seeds::retire(folder)?,
        }
        line(&format!("{} keys in {}; the signer takes them up at once", Seeds::read(folder)?.len(), folder.display()))
    }
}

/// Takes the database's checkpoints for what was signed last: for a signer whose memory was lost. Only those that its
/// own key signed.
pub(super) async fn reset_signer(settings: &Settings, store: &Store) -> Result<(), Failure> {
    let failed = |fault: &dyn std::error::Error| Failure::Failed(workers::error_chain(fault));
    let seeds = Seeds::read(&settings.audit.folder)?;
    let mut memory = Memory::open(&settings.audit.folder).map_err(|fault| failed(&fault))?;
    for head in store.log_heads().await? {
        let Some(latest) = store.latest_checkpoint(head.tenant.as_deref()).await? else { continue };
        let keys: Vec<Verifier> = seeds.signers(&head.origin).iter().map(|key| key.verifier().clone()).collect();
        let note: Note = latest.note.parse().map_err(|fault: tlog::Error| failed(&fault))?;
        let (tree, _) = Checkpoint::open(&note, &keys).map_err(|fault| failed(&fault))?;
        if memory.tree(&head.origin).is_some_and(|(size, _)| size >= tree.size) {
            continue;
        }
        line(&format!("{} at {} entries, root {}", tree.origin, tree.size, tree.root))?;
        memory.remember(&[tree]).map_err(|fault| failed(&fault))?;
    }
    Ok(())
}
