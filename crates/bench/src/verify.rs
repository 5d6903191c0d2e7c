//! Time to verify a large bundle offline, and to prove one event of a large log.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

use evidence::bundle::{Bundler, Manifest, Trust};
use evidence::fixtures::SampleLog;
use tlog::{Verifier, leaf_hash};
use uuid::Uuid;
use workers::RoleName;

use super::log_growth;
use super::rig::{Rig, number, print_metric, quantile, wait_for};
use operations::bundle_files;
use operations::export::prove;
use runtime::outcome::Failure;

/// Number of proofs.
const PROOFS: usize = 200;
/// Seed of the sample log.
const SEED: u64 = 4711;
/// Number of entries in memory while a bundle is written.
const PORTION: u64 = 4096;

pub(super) async fn measure(rig: &Rig, entries: u64) -> Result<(), Failure> {
    let folder = rig.settings.audit.folder.with_file_name("bundle");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("sample.tar");
    let trust = write(&path, entries)?;
    #[allow(clippy::cast_precision_loss, reason = "an approximate number for people")]
    let mib = std::fs::metadata(&path)?.len() as f64 / f64::from(1 << 20);
    let started = Instant::now();
    let (opened, damage) = bundle_files::open(&path)?;
    let report = evidence::bundle::examine_damaged(&opened, damage.as_ref(), &trust, &mut |_, _| {});
    let seconds = started.elapsed().as_secs_f64();
    std::fs::remove_dir_all(folder)?;
    if report.code() != 0 {
        return Err(Failure::Failed(format!("the sample log is not valid: {report}")));
    }
    let what = format!("verify: {} entries, {mib:.0} MiB, offline", report.entries);
    print_metric(&what, &format!("{seconds:.1} s"), "goal: 60 s for 1,000,000")?;
    proofs(rig, entries).await
}

/// Writes the bundle of a sample log of this size and returns what somebody trusts who keeps its authority. Generates the log
/// twice, so that it is never in memory.
fn write(path: &Path, entries: u64) -> Result<Trust, Failure> {
    let log = grown(entries, &mut |_| Ok(()))?;
    let manifest = Manifest {
        origin: log.origin.clone(),
        size: log.size(),
        first: 0,
        end: log.size(),
        since: None,
        until: None,
        made_at: contracts::envelope::wall_clock(),
    };
    let trust = log.trust();
    let spool = |number: u8| {
        let path = path.with_extension(number.to_string());
        File::options().read(true).write(true).create(true).truncate(true).open(path)
    };
    let spools = [spool(0)?, spool(1)?, spool(2)?];
    let into = BufWriter::new(File::create(path)?);
    let mut bundler = Bundler::begin(into, spools, manifest, log.checkpoint(), &[log.signer.verifier().to_string()])?;
    for (size, note) in log.earlier.iter().rev().take(200).rev() {
        bundler.earlier(*size, &note.to_string())?;
    }
    bundler.texts(&log.texts)?;
    drop(log);
    grown(entries, &mut |entry| bundler.leaf(leaf_hash(entry), Some(entry)))?;
    bundler.finish()?;
    Ok(trust)
}

/// Generates the log and passes each entry to `each`.
fn grown(entries: u64, each: &mut dyn FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<SampleLog> {
    let mut log = SampleLog::repeatable("contoso", SEED);
    let mut goal = 0;
    while log.size() < entries {
        goal = (goal + PORTION).min(entries);
        log.grow(goal);
        for entry in std::mem::take(&mut log.entries) {
            each(&entry)?;
        }
    }
    Ok(log)
}

/// Creates and verifies proofs of events that are spread over a live log.
async fn proofs(rig: &Rig, entries: u64) -> Result<(), Failure> {
    rig.begin_logs().await?;
    log_growth::fill(rig, entries).await?;
    let stop = rig.work(&[RoleName::Audit]).await?;
    wait_for("the log to be signed", std::time::Duration::from_secs(60), async || {
        Ok(rig.store.unsigned_heads().await?.is_empty().then_some(()))
    })
    .await?;
    stop.cancel();
    let keys: Vec<Verifier> =
        rig.store.log_keys(Some(log_growth::TENANT)).await?.iter().filter_map(|key| key.parse().ok()).collect();
    let events: Vec<Uuid> = rig.store.sample_entries(log_growth::TENANT, number_of(PROOFS)).await?;
    let (mut issued, mut checked) = (Vec::new(), Vec::new());
    for event in events {
        let started = Instant::now();
        let proof = prove(&mut rig.store.read_snapshot().await?, event).await?;
        issued.push(started.elapsed().as_secs_f64() * 1000.0);
        let started = Instant::now();
        let entry = proof.extra.clone().unwrap_or_default();
        proof.verify(&entry, &keys).map_err(|fault| Failure::Failed(fault.to_string()))?;
        checked.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    issued.sort_by(f64::total_cmp);
    checked.sort_by(f64::total_cmp);
    let what = format!("verify: create a proof, {entries} entries, p50 and p99");
    let value = format!("{:.1}, {:.1} ms", quantile(&issued, 0.5), quantile(&issued, 0.99));
    print_metric(&what, &value, "goal: 10 ms or less")?;
    let value = format!("{:.2}, {:.2} ms", quantile(&checked, 0.5), quantile(&checked, 0.99));
    print_metric(&format!("verify: verify a proof, {:.0} proofs, p50 and p99", number(issued.len())), &value, "")
}

fn number_of(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
