//! The end of the demonstration: exports the audit log of a tenant, verifies it with two verifiers, and finds one changed byte.

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
use runtime::output::{line, print_message, printable, time};

/// Tenant of the requests.
const TENANT: &str = "adatum";
/// A second verifier that shares no code with this program.
const SECOND: &str = "tools/verify";

impl Show {
    /// Exports the audit log into `folder`, verifies it twice, and verifies a copy with one changed byte.
    pub(super) async fn export_and_verify(&self, folder: &Path, granted: Option<Uuid>) -> Result<(), Failure> {
        line("\n== The audit log is exported as an evidence bundle and verified ==")?;
        self.wait_until_signed().await?;
        let bundle = folder.join(format!("{TENANT}.tar"));
        let mut still = self.store.read_snapshot().await?;
        let entries = export_bundle(&mut still, Some(TENANT), (None, None), &bundle).await?;
        let keys = self.store.log_keys(Some(TENANT)).await?;
        self.print(&format!("{} holds {entries} signed events of {TENANT}", bundle.display()))?;
        for key in &keys {
            line(&format!("          with the key {key}"))?;
        }
        let verifiers: Vec<Verifier> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        let trust = Trust { keys: verifiers, ..Trust::default() };
        let good = examine_bundle(&bundle, &trust)?;
        if let Some(finding) = good.findings.first() {
            return Err(Failure::Failed(format!("the exported audit log does not verify: {finding}")));
        }
        self.print(&format!(
            "verified: no event is missing or changed, and {} requests follow the rules; exit code {}",
            good.requests,
            good.code()
        ))?;
        self.print("consent not verified: this tenant has no authority of its own")?;
        self.second_opinion(&bundle, &keys, good.code()).await?;
        if let Some(event) = granted {
            let path = folder.join("granted.tlog-proof");
            std::fs::write(&path, prove_event(&mut still, event).await?.to_string())?;
            self.print(&format!("{} is the proof of one event: access became active", path.display()))?;
        }
        self.one_byte(&bundle, &trust, &keys).await
    }

    /// Changes one byte of a copy and prints the findings.
    async fn one_byte(&self, bundle: &Path, trust: &Trust, keys: &[String]) -> Result<(), Failure> {
        let copy = bundle.with_file_name(format!("{TENANT}-changed.tar"));
        let changed = change(bundle, &copy)?;
        line(&format!("\n== One byte of a copy is changed: {changed} =="))?;
        let report = examine_bundle(&copy, trust)?;
        // A finding that names the event says more than one that names the file.
        let named = report.findings.iter().find(|finding| finding.event.is_some()).or(report.findings.first());
        let Some(shown) = named else {
            return Err(Failure::Failed("the verifier did not find the changed byte".to_owned()));
        };
        self.print(&format!("the copy does not verify: exit code {}", report.code()))?;
        for text in printable(&shown.to_string()).lines() {
            line(&format!("          {text}"))?;
        }
        if more(&report) > 0 {
            line(&format!("          and {} more findings with the same cause", more(&report)))?;
        }
        self.second_opinion(&copy, keys, report.code()).await?;
        let key = keys.first().map_or("KEY", String::as_str);
        line(&format!("\nTo verify it yourself: lockbox audit verify {} --key {key}", copy.display()))
    }

    /// Waits until a signed checkpoint covers every event of the tenant.
    async fn wait_until_signed(&self) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            let log = self.store.completeness(Some(TENANT)).await?;
            let incomplete = self.store.incomplete_requests(TENANT).await?;
            match &log.checkpoint {
                Some(signed) if log.waiting == 0 && incomplete == 0 && signed.size == log.entries => {
                    let at = time(signed.signed_at);
                    return self.print(&format!(
                        "{} events are in the log of {TENANT}, none is missing; signed at {at}",
                        log.entries
                    ));
                }
                _ if started.elapsed() > PATIENCE => {
                    return Err(Failure::TimedOut(format!(
                        "the log of {TENANT} has no signed checkpoint of all its events"
                    )));
                }
                _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    }

    /// Runs the second verifier; both must have the same result.
    async fn second_opinion(&self, bundle: &Path, keys: &[String], expected: u8) -> Result<(), Failure> {
        let python = if Path::new(SECOND).exists() { python(bundle).await } else { None };
        let Some(python) = python else {
            return self.print(&format!(
                "skipped the second verifier, because python3 or {SECOND} is missing; its command is `python3 {SECOND} {}`",
                bundle.display()
            ));
        };
        let mut command = tokio::process::Command::from(python.command());
        command.arg(SECOND).arg(bundle).args(keys.iter().flat_map(|key| ["--key", key])).kill_on_drop(true);
        let answer = command.output().await?;
        if code(answer.status) != Some(expected) {
            let said = String::from_utf8_lossy(&answer.stdout).into_owned();
            return Err(Failure::Failed(format!(
                "the two verifiers have different results; {SECOND} printed: {}",
                printable(&said)
            )));
        }
        self.print(&format!(
            "{SECOND}, a second verifier that shares no code, has the same result: exit code {expected}"
        ))
    }
}

/// Python, installed or unpacked into the cache.
async fn python(bundle: &Path) -> Option<Program> {
    let cache = std::path::absolute(bundle.with_file_name("cache")).ok()?;
    let progress: servers::Progress = Arc::new(print_message);
    let finding = tokio::task::spawn_blocking(move || servers::programs::python(&cache, &progress));
    finding.await.ok()?.inspect_err(|error| tracing::debug!(%error, "Python is missing")).ok()
}

fn code(status: ExitStatus) -> Option<u8> {
    status.code().and_then(|code| u8::try_from(code).ok())
}

fn more(report: &Report) -> u64 {
    report.unlisted + (report.findings.len() as u64).saturating_sub(1)
}

/// Copies the bundle with another year in an end of access; returns what it changed.
fn change(bundle: &Path, copy: &PathBuf) -> Result<String, Failure> {
    const BEFORE: &[u8] = b"\"access_until\":\"";
    let mut bytes = std::fs::read(bundle)?;
    // The entries come before the views, which repeat them.
    let found = bytes.windows(BEFORE.len()).position(|window| window == BEFORE);
    let start = found.ok_or_else(|| Failure::Failed("the bundle holds no access".to_owned()))? + BEFORE.len();
    let date = |bytes: &[u8]| String::from_utf8_lossy(&bytes[start..start + 10]).into_owned();
    let old = date(&bytes);
    let last = &mut bytes[start + 3];
    *last = if *last == b'9' { b'8' } else { *last + 1 };
    let new = date(&bytes);
    std::fs::write(copy, bytes)?;
    Ok(format!("access until {new}, not {old}"))
}
