//! Role `signer`: signs the trees of the logs with its own key, and nothing that is inconsistent with what it signed
//! before, whatever the database says. Runs inside the role `audit`, or alone; one at a time is at work.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::log::Head;
use store::log::seal::Unsigned;
use tlog::{Checkpoint, Hash, Note, Signer};

use crate::engine::chain;
use crate::supervisor::{Surroundings, keep};

mod ask;
mod keys;
mod memory;

pub use keys::Seeds;
pub use memory::{Memory, MemoryFault};

/// Name in health, logs and on the command line.
pub const NAME: &str = "signer";
/// How often grown logs are looked for.
const PERIOD: Duration = Duration::from_millis(250);
/// How often one who stands by asks whether it is needed.
const STANDBY_PERIOD: Duration = Duration::from_secs(1);

/// Why the signer stops.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database's side.
    #[error("the database failed")]
    Store(#[from] store::Error),
    /// Its own memory.
    #[error("the signer's memory failed")]
    Memory(#[from] MemoryFault),
    /// Its keys.
    #[error("the keys in {folder} cannot be used")]
    Keys {
        /// Where they are looked for.
        folder: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Its lock went with its connection.
    #[error("the connection that holds the signer's lock is gone")]
    LockLost,
}

/// Why a tree is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The database shows fewer entries than were signed.
    #[error("{signed} entries were signed and the database shows {shown}: it may be an old copy")]
    Shrunk {
        /// Signed before.
        signed: u64,
        /// Shown now.
        shown: u64,
    },
    /// The tree that was signed is not the beginning of the one that is shown.
    #[error("the tree that is shown does not go on from the one that was signed at {signed} entries")]
    Forked {
        /// Signed before.
        signed: u64,
    },
    /// There are signatures, and nothing is remembered of what they stand under.
    #[error(
        "{signed} entries were signed and the signer's memory knows nothing of this log; put its folder back, or run \
         `lockbox audit reset-signer` after comparing with a checkpoint from a mail"
    )]
    Forgotten {
        /// Signed before, as the database has it.
        signed: u64,
    },
    /// Others signed this log, and none of their keys is here.
    #[error("the keys that signed this log so far are not here")]
    ForeignKeys,
}

/// Runs the role until the stop; key and memory are in `folder`.
pub async fn run(around: Surroundings, folder: PathBuf) {
    around.health.set(NAME, Err("starting".to_owned()));
    let asking = around.clone();
    around.tasks.spawn(async move { ask::run(asking).await });
    keep(&around, NAME, || session(&around, &folder)).await;
}

async fn session(around: &Surroundings, folder: &Path) -> Result<(), Fault> {
    around.store.check_schema().await?;
    let mut is_told = false;
    while !around.stop.is_cancelled() {
        if let Some(lock) = stand_in(around, folder).await? {
            return at_work(around, folder, lock).await;
        }
        if !is_told {
            tracing::info!(role = NAME, "stands by: another signer is at work, or the keys are not here");
            is_told = true;
        }
        around.health.set(NAME, Ok(()));
        pause(around, STANDBY_PERIOD).await;
    }
    Ok(())
}

type Held = (store::log::seal::SignerLock, Memory);

/// Becomes the signer, if nobody is and the keys are here. The first of all makes itself a key.
async fn stand_in(around: &Surroundings, folder: &Path) -> Result<Option<Held>, Fault> {
    let seeds = read_keys(folder)?;
    if seeds.is_empty() && !around.store.all_log_keys().await?.is_empty() {
        return Ok(None);
    }
    let memory = match Memory::open(folder) {
        Ok(memory) => memory,
        Err(MemoryFault::Taken(_)) => return Ok(None),
        Err(fault) => return Err(fault.into()),
    };
    let Some(lock) = around.store.signer_lock().await? else { return Ok(None) };
    if seeds.is_empty() {
        tracing::warn!(folder = %folder.display(), "no key was there to sign the audit log; a new one was made");
        Seeds::add(folder).map_err(|source| Fault::Keys { folder: folder.to_owned(), source })?;
    }
    Ok(Some((lock, memory)))
}

fn read_keys(folder: &Path) -> Result<Seeds, Fault> {
    Seeds::read(folder).map_err(|source| Fault::Keys { folder: folder.to_owned(), source })
}

async fn at_work(around: &Surroundings, folder: &Path, (mut lock, mut memory): Held) -> Result<(), Fault> {
    tracing::info!(role = NAME, "at work");
    let mut refused = BTreeSet::new();
    while !around.stop.is_cancelled() {
        if !lock.is_held().await {
            return Err(Fault::LockLost);
        }
        let seeds = read_keys(folder)?;
        let now_refused = round(around, &mut memory, &seeds).await?;
        for (origin, why) in &now_refused {
            if !refused.contains(origin) {
                tracing::error!(log = origin, "this log is not signed: {why}");
            }
        }
        let state = match now_refused.iter().next() {
            Some((origin, why)) => Err(format!("{origin} is not signed: {why}")),
            None => Ok(()),
        };
        around.health.set(NAME, state);
        refused = now_refused.into_keys().collect();
        #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
        metrics::gauge!("lockbox_audit_refused_logs").set(refused.len() as f64);
        pause(around, PERIOD).await;
    }
    around.health.set(NAME, Err("stopping".to_owned()));
    lock.release().await;
    Ok(())
}

async fn pause(around: &Surroundings, period: Duration) {
    tokio::select! {
        () = around.stop.cancelled() => {}
        () = tokio::time::sleep(period) => {}
    }
}

/// Signs what has grown. Answers with what it refuses to sign.
async fn round(around: &Surroundings, memory: &mut Memory, seeds: &Seeds) -> Result<BTreeMap<String, Refused>, Fault> {
    let mut refused = BTreeMap::new();
    let grown = around.store.unsigned_heads().await?;
    if grown.is_empty() {
        return Ok(refused);
    }
    let mut registered: HashMap<i32, Vec<String>> = HashMap::new();
    for (log, key) in around.store.all_log_keys().await? {
        registered.entry(log).or_default().push(key);
    }
    let mut trees = Vec::new();
    for Unsigned { head, signed } in grown {
        let signers = seeds.signers(&head.origin);
        let known = registered.remove(&head.id).unwrap_or_default();
        let checked = match register(around, &head, &signers, &known).await? {
            Err(refusal) => Err(refusal),
            Ok(()) => check(around, memory, &head, signed).await?,
        };
        match checked {
            Ok(tree) => trees.push((head, tree, signers)),
            Err(refusal) => drop(refused.insert(head.origin, refusal)),
        }
    }
    // On the disk before any signature leaves this function.
    memory.remember(&trees.iter().map(|(_, tree, _)| tree.clone()).collect::<Vec<_>>())?;
    let signed: Vec<(Head, String)> = trees.into_iter().map(|(head, tree, keys)| (head, sign(&tree, &keys))).collect();
    around.store.keep_checkpoints(&signed).await?;
    metrics::counter!("lockbox_audit_signed_total").increment(u64::try_from(signed.len()).unwrap_or_default());
    Ok(refused)
}

/// Signs a tree with every key.
pub fn sign(tree: &Checkpoint, keys: &[Signer]) -> String {
    let text = tree.to_string();
    let signatures = keys.iter().map(|key| key.sign(&text, 0)).collect();
    Note { text, signatures }.to_string()
}

/// Makes our keys known in a log. A key is only ever added by one who holds a key that the log has already.
async fn register(
    around: &Surroundings,
    head: &Head,
    signers: &[Signer],
    known: &[String],
) -> Result<Result<(), Refused>, store::Error> {
    let ours: Vec<String> = signers.iter().map(|signer| signer.verifier().to_string()).collect();
    if !known.is_empty() && !ours.iter().any(|key| known.contains(key)) {
        return Ok(Err(Refused::ForeignKeys));
    }
    let mut previous = ours.iter().rfind(|key| known.contains(key));
    for key in ours.iter().filter(|key| !known.contains(key)) {
        around.store.add_log_key(head, key, previous.map(String::as_str)).await?;
        previous = Some(key);
    }
    Ok(Ok(()))
}

/// Whether the tree that the database shows goes on from the one that was signed last.
async fn check(
    around: &Surroundings,
    memory: &Memory,
    head: &Head,
    signed: i64,
) -> Result<Result<Checkpoint, Refused>, store::Error> {
    let shown = u64::try_from(head.size).unwrap_or_default();
    let root = Hash::from_slice(&head.root).unwrap_or(Hash([0; 32]));
    let tree = Checkpoint { origin: head.origin.clone(), size: shown, root };
    let Some((old, old_root)) = memory.tree(&head.origin) else {
        let signed = u64::try_from(signed).unwrap_or_default();
        return Ok(if signed == 0 { Ok(tree) } else { Err(Refused::Forgotten { signed }) });
    };
    if shown < old {
        return Ok(Err(Refused::Shrunk { signed: old, shown }));
    }
    let tiles = around.store.log_tiles(head.id, &tlog::tiles_for_consistency(old, shown)).await?;
    let proof = tlog::prove_consistency(&tiles, old, shown).unwrap_or_default();
    let holds = tlog::verify_consistency((old, &old_root), (shown, &root), &proof);
    Ok(holds.map(|()| tree).map_err(|fault| {
        tracing::error!(log = head.origin, error = chain(&fault), "the consistency of a log cannot be proved");
        Refused::Forked { signed: old }
    }))
}
