//! Role `signer`: signs the trees of the logs with its own key. It signs no tree that is inconsistent with one that it
//! signed before, whatever the database contains. It runs inside the role `audit`, or alone; one at a time is active.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use store::log::Head;
use store::log::seal::Unsigned;
use tlog::{Checkpoint, Hash, Note, Signer};

use crate::error_chain::error_chain;
use crate::role_name::RoleName;
use crate::session::supervise;
use crate::shared::Shared;

mod cosign;
mod keys;
mod memory;

pub use keys::Seeds;
pub use memory::{Memory, MemoryFault};

/// Name in health, logs and on the command line.
pub const NAME: &str = RoleName::Signer.as_str();
/// How often the signer checks for logs that have grown.
const PERIOD: Duration = Duration::from_millis(250);
/// How often a standby signer checks whether it must take over.
const STANDBY_PERIOD: Duration = Duration::from_secs(1);

/// Why the signer stops.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] store::Error),
    /// The file of signed trees failed.
    #[error("the signer's memory failed")]
    Memory(#[from] MemoryFault),
    /// The keys cannot be used.
    #[error("the keys in {folder} cannot be used")]
    Keys {
        /// Folder of the keys.
        folder: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The connection that holds its lock failed.
    #[error("the connection that holds the signer's lock failed")]
    LockLost,
}

/// Why a tree is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The database has fewer entries than were signed.
    #[error("{signed} entries were signed, but the database has only {shown}; it may be an old copy")]
    Shrunk {
        /// Entries that were signed.
        signed: u64,
        /// Entries in the database.
        shown: u64,
    },
    /// The signed tree is not the beginning of the tree in the database.
    #[error("the tree in the database does not extend the tree that was signed at {signed} entries (split view)")]
    Forked {
        /// Entries that were signed.
        signed: u64,
    },
    /// The log has signatures, but the signer's file has no tree of it.
    #[error(
        "{signed} entries were signed, but the signer's folder has no tree of this log; restore the folder, or compare the \
         log with a checkpoint from a mail and run `lockbox audit reset-signer`"
    )]
    Forgotten {
        /// Entries that were signed, from the database.
        signed: u64,
    },
    /// Another key signed this log, and it is not in the folder.
    #[error("the folder has none of the keys that signed this log")]
    ForeignKeys,
}

/// Runs the role until the stop. `folder` has the keys and the file of signed trees.
pub async fn run(shared: Shared, folder: PathBuf) {
    shared.health.set(NAME, Err("starting".to_owned()));
    shared.tasks.spawn(cosign::run(shared.clone()));
    supervise(&shared, NAME, || session(&shared, &folder)).await;
}

async fn session(shared: &Shared, folder: &Path) -> Result<(), Fault> {
    shared.store.check_schema().await?;
    let mut is_logged = false;
    while !shared.stop.is_cancelled() {
        if let Some(lock) = become_active(shared, folder).await? {
            return sign_until_stop(shared, folder, lock).await;
        }
        if !is_logged {
            tracing::info!(role = NAME, "standby: another signer is active, or the folder has no keys");
            is_logged = true;
        }
        shared.health.set(NAME, Ok(()));
        pause(shared, STANDBY_PERIOD).await;
    }
    Ok(())
}

type Active = (store::log::seal::SignerLock, Memory);

/// Becomes the active signer, if there is none and the folder has the keys. The very first signer creates a key.
async fn become_active(shared: &Shared, folder: &Path) -> Result<Option<Active>, Fault> {
    let seeds = read_keys(folder)?;
    if seeds.is_empty() && !shared.store.all_log_keys().await?.is_empty() {
        return Ok(None);
    }
    let memory = match Memory::open(folder) {
        Ok(memory) => memory,
        Err(MemoryFault::Taken(_)) => return Ok(None),
        Err(fault) => return Err(fault.into()),
    };
    let Some(lock) = shared.store.signer_lock().await? else { return Ok(None) };
    if seeds.is_empty() {
        tracing::warn!(folder = %folder.display(), "the folder has no key to sign the audit log; created a new one");
        Seeds::add(folder).map_err(|source| Fault::Keys { folder: folder.to_owned(), source })?;
    }
    Ok(Some((lock, memory)))
}

fn read_keys(folder: &Path) -> Result<Seeds, Fault> {
    Seeds::read(folder).map_err(|source| Fault::Keys { folder: folder.to_owned(), source })
}

async fn sign_until_stop(shared: &Shared, folder: &Path, (mut lock, mut memory): Active) -> Result<(), Fault> {
    tracing::info!(role = NAME, "ready");
    let mut refused = BTreeSet::new();
    while !shared.stop.is_cancelled() {
        if !lock.is_held().await {
            return Err(Fault::LockLost);
        }
        let seeds = read_keys(folder)?;
        let now_refused = sign_grown(shared, &mut memory, &seeds).await?;
        for (origin, why) in &now_refused {
            if !refused.contains(origin) {
                tracing::error!(log = origin, "ALARM: the signer refuses to sign a log: {why}");
            }
        }
        let state = match now_refused.iter().next() {
            Some((origin, why)) => Err(format!("{origin} is not signed: {why}")),
            None => Ok(()),
        };
        shared.health.set(NAME, state);
        refused = now_refused.into_keys().collect();
        #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
        metrics::gauge!("lockbox_audit_refused_logs").set(refused.len() as f64);
        pause(shared, PERIOD).await;
    }
    shared.health.set(NAME, Err("stopping".to_owned()));
    lock.release().await;
    Ok(())
}

async fn pause(shared: &Shared, period: Duration) {
    tokio::select! {
        () = shared.stop.cancelled() => {}
        () = tokio::time::sleep(period) => {}
    }
}

/// Signs the logs that have grown. Returns the refused logs with the reasons.
async fn sign_grown(shared: &Shared, memory: &mut Memory, seeds: &Seeds) -> Result<BTreeMap<String, Refused>, Fault> {
    let mut refused = BTreeMap::new();
    let grown = shared.store.unsigned_heads().await?;
    if grown.is_empty() {
        return Ok(refused);
    }
    let mut registered: HashMap<i32, Vec<String>> = HashMap::new();
    for (log, key) in shared.store.all_log_keys().await? {
        registered.entry(log).or_default().push(key);
    }
    let mut trees = Vec::new();
    for Unsigned { head, signed } in grown {
        let signers = seeds.signers(&head.origin);
        let known = registered.remove(&head.id).unwrap_or_default();
        let checked = match register(shared, &head, &signers, &known).await? {
            Err(refusal) => Err(refusal),
            Ok(()) => check(shared, memory, &head, signed).await?,
        };
        match checked {
            Ok(tree) => trees.push((head, tree, signers)),
            Err(refusal) => drop(refused.insert(head.origin, refusal)),
        }
    }
    // The trees must be on the disk before a signature leaves this function.
    memory.remember(&trees.iter().map(|(_, tree, _)| tree.clone()).collect::<Vec<_>>())?;
    let signed: Vec<(Head, String)> = trees.into_iter().map(|(head, tree, keys)| (head, sign(&tree, &keys))).collect();
    shared.store.store_checkpoints(&signed).await?;
    metrics::counter!("lockbox_audit_signed_total").increment(u64::try_from(signed.len()).unwrap_or_default());
    Ok(refused)
}

/// Signs a tree with every key.
pub fn sign(tree: &Checkpoint, keys: &[Signer]) -> String {
    let text = tree.to_string();
    let signatures = keys.iter().map(|key| key.sign(&text, 0)).collect();
    Note { text, signatures }.to_string()
}

/// Adds our keys to a log. Only the holder of a key that is already in the log can add another key.
async fn register(
    shared: &Shared,
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
        shared.store.add_log_key(head, key, previous.map(String::as_str)).await?;
        previous = Some(key);
    }
    Ok(Ok(()))
}

/// Checks that the tree in the database extends the tree that was signed last.
async fn check(
    shared: &Shared,
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
    let tiles = shared.store.log_tiles(head.id, &tlog::tiles_for_consistency(old, shown)).await?;
    let proof = tlog::prove_consistency(&tiles, old, shown).unwrap_or_default();
    let holds = tlog::verify_consistency((old, &old_root), (shown, &root), &proof);
    Ok(holds.map(|()| tree).map_err(|fault| {
        tracing::error!(
            log = head.origin,
            error = error_chain(&fault),
            "cannot prove that a log is consistent with its last signed tree"
        );
        Refused::Forked { signed: old }
    }))
}
