//! `lockbox audit verify`: a bundle, or the log at work, examined; exit code and report say what is wrong and where.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use clap::Args;
use evidence::bundle::Trust;
use evidence::rows::RequestRow;
use evidence::{Entry, Examination, Fault, Finding, Given, Report};
use serde_json::json;
use store::evidence::{EntryRow, LogRow, RequestTruth, Still};
use tlog::{Hash, Note, Verifier};
use uuid::Uuid;

use crate::configuration::Settings;
use crate::outcome::Failure;
use crate::output::{Format, json, line, printable, tell};

/// Entries read at a time.
const PAGE: i64 = 2000;

/// What to verify.
#[derive(Args, Debug)]
pub struct Verify {
    /// A bundle (an archive or a folder) or the proof of one event. Without one, the log at work is verified, with its
    /// tables.
    bundle: Option<PathBuf>,
    /// The log of this tenant; without it, every log.
    #[arg(long, conflicts_with = "bundle")]
    tenant: Option<String>,
    /// A public key that you trust (name+id+base64); may be given several times.
    #[arg(long, value_name = "KEY")]
    key: Vec<Verifier>,
    /// A file with a checkpoint that you kept, such as a saved mail (.eml or text); may be given several times.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// How old the newest entry may be, in seconds.
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<i64>,
}

impl Verify {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let mut held = Vec::new();
        for path in &self.checkpoint {
            let text = std::fs::read(path)
                .map_err(|fault| Failure::Usage(format!("{} cannot be read: {fault}", path.display())))?;
            let notes = super::kept::notes(&text);
            if notes.is_empty() {
                return Err(Failure::Usage(format!("no checkpoint is in {}", path.display())));
            }
            held.extend(notes.into_iter().map(|note| (path.display().to_string(), note)));
        }
        let age = self.max_age.map(|seconds| (TimeDelta::seconds(seconds), contracts::envelope::wall_clock()));
        let trust = Trust { keys: self.key.clone(), held, age };
        if let Some(path) = &self.bundle
            && let Some(text) = proof(path)
        {
            return tell_proof(&text, &self.key, format);
        }
        let reports = match &self.bundle {
            Some(path) => vec![bundle(path, &trust)?],
            None => self.live(settings, &trust).await?,
        };
        tell_all(&reports, format)
    }

    async fn live(&self, settings: &Settings, trust: &Trust) -> Result<Vec<Report>, Failure> {
        let store = crate::serve::open_store(settings).await?;
        store.check_schema().await?;
        let mut still = store.still().await?;
        let mut reports = Vec::new();
        for log in still.logs().await? {
            if self.tenant.is_none() || self.tenant == log.tenant {
                reports.push(live(&mut still, &log, trust).await?);
            }
        }
        match (reports.is_empty(), &self.tenant) {
            (true, Some(tenant)) => Err(Failure::NotFound(format!("there is no log of {tenant}"))),
            _ => Ok(reports),
        }
    }
}

/// The text of a file that is the proof of one event.
fn proof(path: &Path) -> Option<String> {
    let mut beginning = vec![0; evidence::proof::BEGINNING.len()];
    std::fs::File::open(path).ok()?.read_exact(&mut beginning).ok()?;
    if beginning == evidence::proof::BEGINNING.as_bytes() { std::fs::read_to_string(path).ok() } else { None }
}

fn tell_proof(text: &str, keys: &[Verifier], format: Format) -> Result<(), Failure> {
    if keys.is_empty() {
        let words = "a proof says nothing without a key that you trust: give it with --key (`lockbox audit keys`, or the one you noted)";
        return Err(Failure::Usage(words.to_owned()));
    }
    let proved = evidence::proof::verify(text, keys)
        .map_err(|(fault, words)| Failure::Untrue { code: fault.code(), words: format!("not good: {words}") })?;
    let (event, checkpoint) = (&proved.event, &proved.checkpoint);
    if format == Format::Json {
        return json(&json!({
            "log": checkpoint.origin, "code": 0, "size": checkpoint.size, "index": proved.index,
            "signed_by": proved.signed_by, "event": event.document,
        }));
    }
    let who = event.who().map(|who| format!(" by {who}")).unwrap_or_default();
    let request = event.request.as_ref().map(|request| format!(", request {request}")).unwrap_or_default();
    let words = format!(
        "GOOD: {} at {}{who}{request} is entry {} of the {} in {}, signed by {}",
        event.kind,
        event.time,
        proved.index,
        checkpoint.size,
        checkpoint.origin,
        proved.signed_by.join(", ")
    );
    line(&printable(&words))
}

/// Examines a bundle on disk.
pub(crate) fn bundle(path: &Path, trust: &Trust) -> Result<Report, Failure> {
    let (files, torn) = super::files::open(path)?;
    let mut progress = Progress::default();
    let mut hear = |done, all| progress.hear(done, all);
    Ok(evidence::bundle::examine_torn(&files, torn.as_ref(), trust, &mut hear))
}

/// Examines one log at work, and the tables beside it.
pub(crate) async fn live(still: &mut Still, log: &LogRow, trust: &Trust) -> Result<Report, Failure> {
    let mut notes = still.checkpoints(log.id).await?;
    let head = notes.pop().map(|(_, note)| note).unwrap_or_default();
    let is_own = |note: &Note| note.text.lines().next() == Some(log.origin.as_str());
    let keys = if trust.keys.is_empty() {
        still.keys(log.id).await?.iter().filter_map(|key| key.parse().ok()).collect()
    } else {
        trust.keys.clone()
    };
    let mut examination = Examination::new(Given {
        origin: log.origin.clone(),
        head,
        older: notes.into_iter().map(|(size, note)| (format!("checkpoint {size}"), note)).collect(),
        held: trust.held.iter().filter(|(_, note)| is_own(note)).cloned().collect(),
        keys,
        covers: u64::try_from(log.cut).unwrap_or_default()..u64::try_from(log.size).unwrap_or_default(),
        is_live: true,
        age: trust.age,
    });
    if trust.keys.is_empty() {
        examination.remark("the key was taken from the database; give the one you trust with --key");
    }
    if log.cut > 0 {
        examination.remark(format!(
            "events of entries before {} are in the archive: their hashes were verified here, the events by its bundles",
            log.cut
        ));
    }
    if log.quarantined > 0 {
        examination.remark(format!(
            "{} recorded events are quarantined and not in this log; `lockbox audit complete` lists them",
            log.quarantined
        ));
    }
    entries(still, log, &mut examination).await?;
    if let Some(tenant) = &log.tenant {
        let (mut after, mut seen) = (Uuid::nil(), HashSet::new());
        loop {
            let rows = still.requests(tenant, after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in rows {
                seen.insert(row.id);
                examination.row(&request_row(row));
            }
        }
        examination.rows_end(&seen);
    }
    Ok(examination.finish())
}

async fn entries(still: &mut Still, log: &LogRow, examination: &mut Examination) -> Result<(), Failure> {
    let (mut next, mut frontier, mut progress) = (0, tlog::Frontier::default(), Progress::default());
    loop {
        let page = still.entries(log.id, next, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for row in page {
            // A row that is gone leaves its place empty.
            while next < row.index {
                drop(examination.leaf(None, None));
                next += 1;
            }
            // Some of those before the cut may be here still; they are the archive's to prove.
            let entry = if row.index < log.cut { None } else { entry_bytes(&log.origin, &row) };
            drop(examination.leaf(Hash::from_slice(&row.leaf), entry.as_deref()));
            frontier.push(Hash::from_slice(&row.leaf).unwrap_or(Hash([0; 32])));
            columns(&row, examination);
            next += 1;
        }
        progress.hear(u64::try_from(next).unwrap_or_default(), u64::try_from(log.size).unwrap_or_default());
    }
    if next != log.size || frontier.root().0.as_slice() != log.root {
        // A row that is gone makes another root: the gap is what is wrong.
        let is_short = next < log.size || frontier.size() < u64::try_from(next).unwrap_or_default();
        let words =
            format!("the log's row speaks of {} entries with another root than the {next} that are there", log.size);
        examination.find(Finding::new(if is_short { Fault::Gap } else { Fault::Mismatch }, words));
    }
    Ok(())
}

/// The entry's bytes, put together as they were hashed.
pub(crate) fn entry_bytes(origin: &str, row: &EntryRow) -> Option<Vec<u8>> {
    let entry = Entry {
        event: row.body.as_deref()?,
        log: origin,
        prev: Hash::from_slice(&row.prev)?,
        seq: u64::try_from(row.seq).ok()?,
        v: u8::try_from(row.v).ok()?,
    };
    Some(entry.to_bytes())
}

/// What the event is searched by is what it says.
fn columns(row: &EntryRow, examination: &mut Examination) {
    let Some(Ok(event)) = row.body.as_deref().map(contracts::events::index) else { return };
    let same = event.id == row.event
        && Some(event.at) == row.at
        && Some(&event.type_name) == row.type_name.as_ref()
        && (&event.tenant, event.request, &event.person) == (&row.tenant, row.request, &row.person);
    if !same {
        let index = u64::try_from(row.index).unwrap_or_default();
        let words = format!("event {}: the columns it is searched by say something else than the event", row.event);
        examination.find(Finding::new(Fault::State, words).at(index, None));
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
        review_by: row.review_by,
        decide_by: row.decide_by,
        access_from: row.access_from,
        access_until: row.access_until,
        cause: row.cause,
        over_at: row.over_at,
        yeses: row.yes_people.into_iter().zip(row.yes_seconds).collect(),
        pending: row.pending,
    }
}

/// Says how far it is, on anything over a second.
#[derive(Default)]
pub(crate) struct Progress(Option<std::time::Instant>);

impl Progress {
    pub(crate) fn hear(&mut self, done: u64, all: u64) {
        let since = self.0.get_or_insert_with(std::time::Instant::now);
        if since.elapsed().as_secs() >= 1 {
            *since = std::time::Instant::now();
            tell(&format!("{done} of {all} entries"));
        }
    }
}

fn tell_all(reports: &[Report], format: Format) -> Result<(), Failure> {
    for report in reports {
        if format == Format::Json {
            let findings: Vec<_> = report
                .findings
                .iter()
                .map(|one| {
                    let about = one.about.as_ref();
                    json!({
                        "code": one.fault.code(), "fault": one.fault.name(), "words": one.words, "index": one.index,
                        "event": about.map(|about| &about.event), "type": about.map(|about| &about.kind),
                        "request": about.and_then(|about| about.request.as_ref()),
                        "person": about.and_then(|about| about.person.as_ref()),
                    })
                })
                .collect();
            json(&json!({
                "log": report.origin, "code": report.code(), "size": report.size, "entries": report.entries,
                "requests": report.requests, "rows": report.rows, "unsigned": report.unsigned,
                "signed_by": report.signed_by, "remarks": report.remarks, "findings": findings,
            }))?;
        } else {
            line(&printable(&report.to_string()))?;
        }
    }
    let gravest = reports.iter().filter_map(|report| report.findings.first()).min_by_key(|finding| finding.fault);
    gravest.map_or(Ok(()), |finding| {
        Err(Failure::Untrue { code: finding.fault.code(), words: format!("not good: {}", finding.fault.name()) })
    })
}
