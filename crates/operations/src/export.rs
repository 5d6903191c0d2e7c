//! Exports evidence bundles and proofs of events.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use chrono::{DateTime, Utc};
use evidence::bundle::{Bundler, Manifest};
use serde_json::json;
use store::evidence::{LogRow, ReadSnapshot};
use tlog::{Checkpoint, Hash, Note, ProofFile, Tiles};
use uuid::Uuid;

use crate::examine::{Progress, entry_bytes};
use runtime::outcome::Failure;

/// Entries in each read.
const PAGE: i64 = 2000;
/// Number of latest checkpoints in a bundle. Checkpoints that are needed to follow a change of keys are added, however old.
const LATEST: i64 = 201;

/// Writes the bundle of a tenant's log to a file; returns the number of its entries.
pub async fn bundle(
    still: &mut ReadSnapshot,
    tenant: Option<&str>,
    (since, until): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    to: &Path,
) -> Result<i64, Failure> {
    let log = still.logs().await?.into_iter().find(|log| log.tenant.as_deref() == tenant);
    let log =
        log.ok_or_else(|| Failure::NotFound(format!("there is no log of {}", tenant.unwrap_or("the operator"))))?;
    let mut notes = still.needed_checkpoints(log.id, LATEST).await?;
    let statements = statements(still, &log).await?;
    let (size, head) =
        head(&mut notes, statements.last().map(|(_, entry)| entry.as_slice())).ok_or_else(|| unsigned(&log))?;
    let (from, end) = still.span(log.id, since, until).await?;
    let from = (from.unwrap_or(size).min(size) / 256 * 256).max(log.cut);
    let end = (end.unwrap_or(0).min(size) + 255) / 256 * 256;
    let end = end.min(size).max(from);
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let manifest = Manifest {
        origin: log.origin.clone(),
        size: count(size),
        first: count(from),
        end: count(end),
        since,
        until,
        made_at: contracts::envelope::wall_clock(),
    };
    let note: Note =
        head.parse().map_err(|fault| Failure::Failed(format!("the checkpoint cannot be read: {fault}")))?;
    let spools = [spool(to, 0)?, spool(to, 1)?, spool(to, 2)?];
    let keys = still.keys(log.id).await?;
    let mut bundler = Bundler::begin(BufWriter::new(File::create(to)?), spools, manifest, note, &keys)?;
    for (size, note) in &notes {
        bundler.earlier(count(*size), note)?;
    }
    let mut lines = String::new();
    for (event, field, salt, text) in still.texts(log.id, from, end).await? {
        lines += &format!("{}\n", json!({"event": event.to_string(), "field": field, "salt": salt, "text": text}));
    }
    bundler.texts(&lines)?;
    bundler.page()?;
    for (index, entry) in statements.iter().filter(|(index, _)| *index < size && !(from..end).contains(index)) {
        bundler.statement(count(*index), entry);
    }
    let (mut next, mut progress) = (0, Progress::default());
    while next < size {
        let page = still.entries(log.id, next, PAGE.min(size - next)).await?;
        if page.is_empty() {
            return Err(Failure::Failed(format!(
                "entry {next} is not in the database; run `lockbox audit verify` for details"
            )));
        }
        for row in page {
            let entry = if (from..end).contains(&row.index) { entry_bytes(&log.origin, &row) } else { None };
            bundler.leaf(Hash::from_slice(&row.leaf).unwrap_or(Hash([0; 32])), entry.as_deref())?;
            next += 1;
        }
        progress.update(count(next), count(size));
    }
    bundler.finish()?;
    Ok(end - from)
}

/// The entries of the statements of the tenant's authority, with their indices.
async fn statements(still: &mut ReadSnapshot, log: &LogRow) -> Result<Vec<(i64, Vec<u8>)>, Failure> {
    let mut found = Vec::new();
    for index in still.statements(log.id, log.size).await? {
        let row = still.entries(log.id, index, 1).await?.pop();
        found.extend(row.and_then(|row| entry_bytes(&log.origin, &row)).map(|entry| (index, entry)));
    }
    Ok(found)
}

/// The newest checkpoint that has the cosignatures which the authority requires, otherwise the newest one. Removes it and those
/// after it from the notes.
fn head(notes: &mut Vec<(i64, String)>, statement: Option<&[u8]>) -> Option<(i64, String)> {
    let is_cosigned = |(_, note): &(i64, String)| match (statement, note.parse()) {
        (Some(entry), Ok(note)) => evidence::consent_rules::has_cosignatures(&note, entry),
        _ => true,
    };
    if let Some(place) = notes.iter().rposition(is_cosigned) {
        notes.truncate(place + 1);
    }
    notes.pop()
}

/// A file without a name, deleted when it is closed.
fn spool(beside: &Path, number: usize) -> Result<File, Failure> {
    let path = beside.with_extension(format!("part{number}"));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

fn unsigned(log: &LogRow) -> Failure {
    Failure::Failed(format!("the log {} has no signed checkpoint yet; check that the role signer runs", log.origin))
}

/// The proof of one event: the entry, its inclusion path, and the signed checkpoint.
pub async fn prove(still: &mut ReadSnapshot, event: Uuid) -> Result<ProofFile, Failure> {
    let (number, index) = still.place(event).await?;
    let log = still.logs().await?.into_iter().find(|log| log.id == number);
    let log = log.ok_or_else(|| Failure::NotFound(format!("log {number}")))?;
    let (size, head) = still.latest_checkpoint(log.id).await?.ok_or_else(|| unsigned(&log))?;
    if index >= size {
        return Err(Failure::TimedOut(
            "the event is in the log, but no signed checkpoint covers it yet; try again in a moment".to_owned(),
        ));
    }
    let failed = |fault: tlog::Error| Failure::Failed(fault.to_string());
    let note: Note = head.parse().map_err(failed)?;
    let checkpoint: Checkpoint = note.text.parse().map_err(failed)?;
    let place = u64::try_from(index).unwrap_or_default();
    let mut tiles = Tiles::new();
    for id in tlog::tiles_for_inclusion(place, checkpoint.size) {
        let hashes = still.tile(log.id, id.level, id.index, id.width).await?;
        tiles.insert((id.level, id.index), hashes.concat());
    }
    let path = tlog::prove_inclusion(&tiles, place, checkpoint.size).map_err(failed)?;
    let row = still.entries(log.id, index, 1).await?.pop();
    let extra = row.and_then(|row| entry_bytes(&log.origin, &row));
    Ok(ProofFile { extra, index: place, path, note })
}
