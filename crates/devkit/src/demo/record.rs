//! The demo's ending: a tenant's record leaves the house, two verifiers look at it, and one changed byte is found.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Instant;

use evidence::Report;
use evidence::bundle::Trust;
use servers::programs::Program;
use tlog::Verifier;
use uuid::Uuid;

use super::{PATIENCE, Show};
use operations::{examine::bundle as examine_bundle, export::bundle as export_bundle, export::prove as prove_event};
use runtime::outcome::Failure;
use runtime::output::{line, printable, tell, time};

/// The tenant whose requests the demo shows.
const TENANT: &str = "adatum";
/// The verifier that shares no line with this program.
const SECOND: &str = "tools/verify";

impl Show {
    /// Exports the record into `folder`, verifies it twice, and does the same with a copy in which one byte is changed.
    pub(super) async fn record_leaves_the_house(&self, folder: &Path, granted: Option<Uuid>) -> Result<(), Failure> {
        line("\n== The record leaves the house: evidence that proves itself ==")?;
        self.wait_until_signed().await?;
        let bundle = folder.join(format!("{TENANT}.tar"));
        let mut still = self.store.still().await?;
        let entries = export_bundle(&mut still, Some(TENANT), (None, None), &bundle).await?;
        let keys = self.store.log_keys(Some(TENANT)).await?;
        self.say(&format!("{} holds {entries} events of {TENANT}, signed and in order", bundle.display()))?;
        for key in &keys {
            line(&format!("          with the key {key}"))?;
        }
        let verifiers: Vec<Verifier> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        let trust = Trust { keys: verifiers, ..Trust::default() };
        let good = examine_bundle(&bundle, &trust)?;
        if let Some(finding) = good.findings.first() {
            return Err(Failure::Failed(format!("the demo's own record is not good: {finding}")));
        }
        self.say(&format!(
            "verified: nothing is missing or changed, {} requests replayed by the rules; exit code {}",
            good.requests,
            good.code()
        ))?;
        self.second_opinion(&bundle, &keys, 0).await?;
        if let Some(event) = granted {
            let path = folder.join("granted.tlog-proof");
            std::fs::write(&path, prove_event(&mut still, event).await?.to_string())?;
            self.say(&format!("{} proves one event of it: that access was granted", path.display()))?;
        }
        self.one_byte(&bundle, &trust, &keys).await
    }

    /// WriteSet one byte of a copy and shows what is found.
    async fn one_byte(&self, bundle: &Path, trust: &Trust, keys: &[String]) -> Result<(), Failure> {
        let copy = bundle.with_file_name(format!("{TENANT}-changed.tar"));
        let words = change(bundle, &copy)?;
        line(&format!("\n== And if somebody changed it? In a copy, one byte is another: {words} =="))?;
        let report = examine_bundle(&copy, trust)?;
        // The one that names the event says more to people than the one that names the file.
        let named = report.findings.iter().find(|finding| finding.event.is_some()).or(report.findings.first());
        let Some(shown) = named else {
            return Err(Failure::Failed("a changed byte was not found".to_owned()));
        };
        self.say(&format!("found: NOT VALID, exit code {}", report.code()))?;
        for text in printable(&shown.to_string()).lines() {
            line(&format!("          {text}"))?;
        }
        if more(&report) > 0 {
            line(&format!("          and {} more findings that follow from it", more(&report)))?;
        }
        self.second_opinion(&copy, keys, report.code()).await?;
        let key = keys.first().map_or("KEY", String::as_str);
        line(&format!("\nTo do it yourself: lockbox audit verify {} --key {key}", copy.display()))
    }

    /// Waits until every event of the tenant has its place under a signature.
    async fn wait_until_signed(&self) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            let log = self.store.completeness(Some(TENANT)).await?;
            let incomplete = self.store.incomplete_requests(TENANT).await?;
            match &log.checkpoint {
                Some(signed) if log.waiting == 0 && incomplete == 0 && signed.size == log.entries => {
                    let at = time(signed.signed_at);
                    return self.say(&format!("{} events in {TENANT}'s log, none missing; signed {at}", log.entries));
                }
                _ if started.elapsed() > PATIENCE => {
                    return Err(Failure::TimedOut(format!("the log of {TENANT} is not signed")));
                }
                _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    }

    /// Asks the second verifier; both must come to the same.
    async fn second_opinion(&self, bundle: &Path, keys: &[String], expected: u8) -> Result<(), Failure> {
        let python = if Path::new(SECOND).exists() { python(bundle).await } else { None };
        let Some(python) = python else {
            return self.say(&format!(
                "skipped, for want of python3 or {SECOND}: `python3 {SECOND} {}` is a second verifier",
                bundle.display()
            ));
        };
        let mut asking = tokio::process::Command::from(python.command());
        asking.arg(SECOND).arg(bundle).args(keys.iter().flat_map(|key| ["--key", key])).kill_on_drop(true);
        let answer = asking.output().await?;
        if code(answer.status) != Some(expected) {
            let said = String::from_utf8_lossy(&answer.stdout).into_owned();
            return Err(Failure::Failed(format!(
                "the two verifiers do not agree; {SECOND} says: {}",
                printable(&said)
            )));
        }
        self.say(&format!("{SECOND}, a second verifier that shares no code, says the same: exit code {expected}"))
    }
}

/// Python, installed or unpacked into the servers' cache.
async fn python(bundle: &Path) -> Option<Program> {
    let cache = std::path::absolute(bundle.with_file_name("cache")).ok()?;
    let progress: servers::Progress = Arc::new(tell);
    let finding = tokio::task::spawn_blocking(move || servers::programs::python(&cache, &progress));
    finding.await.ok()?.inspect_err(|error| tracing::debug!(%error, "no Python")).ok()
}

fn code(status: ExitStatus) -> Option<u8> {
    status.code().and_then(|code| u8::try_from(code).ok())
}

fn more(report: &Report) -> u64 {
    report.unlisted + (report.findings.len() as u64).saturating_sub(1)
}

/// Copies the bundle with access that lasts into another year; says what it changed.
fn change(bundle: &Path, copy: &PathBuf) -> Result<String, Failure> {
    const BEFORE: &[u8] = b"\"access_until\":\"";
    let mut bytes = std::fs::read(bundle)?;
    // The entries come before the views, which repeat them.
    let found = bytes.windows(BEFORE.len()).position(|window| window == BEFORE);
    let start = found.ok_or_else(|| Failure::Failed("the record holds no access".to_owned()))? + BEFORE.len();
    let date = |bytes: &[u8]| String::from_utf8_lossy(&bytes[start..start + 10]).into_owned();
    let old = date(&bytes);
    let last = &mut bytes[start + 3];
    *last = if *last == b'9' { b'8' } else { *last + 1 };
    let new = date(&bytes);
    std::fs::write(copy, bytes)?;
    Ok(format!("access until {new}, not {old}"))
}
