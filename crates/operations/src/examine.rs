//! Verifies evidence: a bundle on disk, or a log in the database with its tables.

use std::collections::HashSet;
use std::path::Path;

use evidence::bundle::Trust;
use evidence::rows::RequestRow;
use evidence::{ConsentTrust, Entry, Examination, Fault, Finding, Inputs, Report};
use runtime::outcome::Failure;
use runtime::output::print_message;
use store::evidence::{EntryRow, LogRow, ReadSnapshot, RequestTruth};
use tlog::{Hash, Note};
use uuid::Uuid;

/// Entries in each read.
const PAGE: i64 = 2000;

/// Verifies a bundle on disk.
pub fn bundle(path: &Path, trust: &Trust) -> Result<Report, Failure> {
    let (files, damage) = crate::bundle_files::open(path)?;
    let mut progress = Progress::default();
    let mut report = |done, all| progress.update(done, all);
    Ok(evidence::bundle::examine_damaged(&files, damage.as_ref(), trust, &mut report))
}

/// Verifies one log in the database, and its tables.
pub async fn live(still: &mut ReadSnapshot, log: &LogRow, trust: &Trust) -> Result<Report, Failure> {
    let mut notes = still.checkpoints(log.id).await?;
    let head = notes.pop().map(|(_, note)| note).unwrap_or_default();
    let is_own = |note: &Note| note.text.lines().next() == Some(log.origin.as_str());
    let keys = if trust.keys.is_empty() {
        still.keys(log.id).await?.iter().filter_map(|key| key.parse().ok()).collect()
    } else {
        trust.keys.clone()
    };
    let mut examination = Examination::new(Inputs {
        origin: log.origin.clone(),
        head,
        earlier: notes.into_iter().map(|(size, note)| (format!("checkpoint {size}"), note)).collect(),
        pinned: trust.pinned.iter().filter(|(_, note)| is_own(note)).cloned().collect(),
        keys,
        are_keys_trusted: !trust.keys.is_empty(),
        consent: consent_of(log, trust),
        covers: u64::try_from(log.cut).unwrap_or_default()..u64::try_from(log.size).unwrap_or_default(),
        is_live: true,
        age: trust.age,
    });
    if trust.keys.is_empty() {
        examination.add_remark("the key is from the database; give the key that you trust with --key");
    }
    if log.cut > 0 {
        examination.add_remark(format!(
            "events of entries before {} are in the archive; their hashes are verified here, the events in the archived bundles",
            log.cut
        ));
    }
    if log.quarantined > 0 {
        examination.add_remark(format!(
            "{} recorded events are quarantined and not in this log; `lockbox audit check` lists them",
            log.quarantined
        ));
    }
    archived_statements(still, log, &mut examination).await?;
    entries(still, log, &mut examination).await?;
    if let Some(tenant) = &log.tenant {
        let (mut after, mut seen) = (Uuid::nil(), HashSet::new());
        loop {
            let rows = still.requests(tenant, after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in rows {
                seen.insert(row.id);
                examination.compare_row(&request_row(row));
            }
        }
        examination.find_missing_rows(&seen);
    }
    Ok(examination.finish())
}

/// What is trusted about consent, when it is about the tenant of this log.
fn consent_of(log: &LogRow, trust: &Trust) -> ConsentTrust {
    let is_own = log.tenant.is_some();
    ConsentTrust { authority: trust.consent.authority.clone().filter(|_| is_own), ..trust.consent.clone() }
}

/// Adds the statements of the authority among the entries whose events are in the archive, when the database still has them.
async fn archived_statements(
    still: &mut ReadSnapshot,
    log: &LogRow,
    examination: &mut Examination,
) -> Result<(), Failure> {
    for index in still.statements(log.id, log.cut).await? {
        let row = still.entries(log.id, index, 1).await?.pop();
        let entry = row.and_then(|row| entry_bytes(&log.origin, &row));
        if let Some((_, event)) = entry.as_deref().and_then(|entry| evidence::admission::read(entry).ok()) {
            examination.add_proved_statement(u64::try_from(index).unwrap_or_default(), &event);
        }
    }
    Ok(())
}

async fn entries(still: &mut ReadSnapshot, log: &LogRow, examination: &mut Examination) -> Result<(), Failure> {
    let (mut next, mut frontier, mut progress) = (0, tlog::Frontier::default(), Progress::default());
    loop {
        let page = still.entries(log.id, next, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            // A missing row leaves its place empty.
            while next < row.index {
                drop(examination.add_leaf(None, None));
                next += 1;
            }
            // Some events before the cut may still be here; the archive proves them.
            let entry = if row.index < log.cut { None } else { entry_bytes(&log.origin, &row) };
            drop(examination.add_leaf(Hash::from_slice(&row.leaf), entry.as_deref()));
            frontier.push(Hash::from_slice(&row.leaf).unwrap_or(Hash([0; 32])));
            columns(&row, examination);
            next += 1;
        }
        progress.update(u64::try_from(next).unwrap_or_default(), u64::try_from(log.size).unwrap_or_default());
    }
    if next != log.size || frontier.root().0.as_slice() != log.root {
        // A missing row changes the root; the fault is the gap.
        let is_short = next < log.size || frontier.size() < u64::try_from(next).unwrap_or_default();
        let words = format!(
            "the row of the log states {} entries with another root than the {next} entries in the database",
            log.size
        );
        examination.add_finding(Finding::new(if is_short { Fault::Missing } else { Fault::Changed }, words));
    }
    Ok(())
}

/// The bytes of the entry, as they were hashed.
pub fn entry_bytes(origin: &str, row: &EntryRow) -> Option<Vec<u8>> {
    let entry = Entry {
        event: row.body.as_deref()?,
        log: origin,
        prev: Hash::from_slice(&row.prev)?,
        seq: u64::try_from(row.seq).ok()?,
        v: u8::try_from(row.v).ok()?,
    };
    Some(entry.to_bytes())
}

/// Checks that the search columns match the event.
fn columns(row: &EntryRow, examination: &mut Examination) {
    let Some(Ok(event)) = row.body.as_deref().map(contracts::events::index) else { return };
    let same = event.id == row.event
        && Some(event.at) == row.at
        && Some(&event.type_name) == row.type_name.as_ref()
        && (&event.tenant, event.request, &event.person) == (&row.tenant, row.request, &row.person);
    if !same {
        let index = u64::try_from(row.index).unwrap_or_default();
        let words = format!("event {}: its search columns differ from the event", row.event);
        examination.add_finding(Finding::new(Fault::DatabaseMismatch, words).at(index, None));
    }
}

fn request_row(row: RequestTruth) -> RequestRow {
    RequestRow {
        id: row.id,
        state: row.state,
        version: i64::from(row.version),
        digest: hex::encode(row.digest),
        content_digest: hex::encode(row.content_digest),
        requester: row.requester,
        manager: row.manager,
        review_deadline: row.review_deadline,
        decision_deadline: row.decision_deadline,
        access_from: row.access_from,
        access_until: row.access_until,
        cause: row.cause,
        finished_at: row.finished_at,
        approvals: row.approver_ids.into_iter().zip(row.approved_seconds).collect(),
        pending: row.pending,
    }
}

/// Prints the progress when the verification takes longer than a second.
#[derive(Default)]
pub struct Progress(Option<std::time::Instant>);

impl Progress {
    /// Prints the progress at most once a second.
    pub fn update(&mut self, done: u64, all: u64) {
        let since = self.0.get_or_insert_with(std::time::Instant::now);
        if since.elapsed().as_secs() >= 1 {
            *since = std::time::Instant::now();
            print_message(&format!("{done} of {all} entries"));
        }
    }
}
