//! `lockbox audit verify`: verifies an evidence bundle, a proof, or the log in the database. The exit code and the report state
//! what is wrong and where.

use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use clap::Args;
use consent::Pin;
use evidence::bundle::Trust;
use evidence::grant_report::GrantReport;
use evidence::{ConsentTrust, Fault, Report};
use operations::examine::{bundle, live};
use serde_json::json;
use tlog::Verifier;

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, json, line, printable};

/// Evidence to verify.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  lockbox audit verify contoso.tar --key lockbox.fabrikam.example/t/contoso+… --authority contoso-authority.json\n  lockbox audit verify --tenant contoso"
)]
pub struct Verify {
    /// Evidence bundle (an archive or a folder), or the proof of one event [default: the log in the database and its
    /// tables].
    bundle: Option<PathBuf>,
    /// Verify the log of this tenant [default: every log].
    #[arg(long, conflicts_with = "bundle")]
    tenant: Option<String>,
    /// Public key that you trust (name+id+base64); repeat the option for more keys.
    #[arg(long, value_name = "KEY")]
    key: Vec<Verifier>,
    /// File with a checkpoint that you saved, such as a mail (.eml or text); repeat the option for more files.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// Authority of the tenant: the file that you keep, or the fingerprint of its first statement.
    #[arg(long, value_name = "FILE|FINGERPRINT", value_parser = authority)]
    authority: Option<Pin>,
    /// File with the authority of the vendor, to verify the decisions of the vendor too.
    #[arg(long, value_name = "FILE", value_parser = authority)]
    vendor_authority: Option<Pin>,
    /// Public key of a witness that you trust (name+id+base64), instead of those of the authority; repeat the option for more.
    #[arg(long, value_name = "KEY")]
    witness: Vec<Verifier>,
    /// Number of witnesses that must have cosigned the checkpoint [default: all given witnesses, or the number of the authority].
    #[arg(long, value_name = "NUMBER")]
    witnesses: Option<usize>,
    /// Largest age of the newest entry, in seconds.
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<i64>,
}

impl Verify {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let mut saved = Vec::new();
        for path in &self.checkpoint {
            let text = std::fs::read(path)
                .map_err(|fault| Failure::Usage(format!("{} cannot be read: {fault}", path.display())))?;
            let notes = super::saved_checkpoints::notes(&text);
            if notes.is_empty() {
                return Err(Failure::Usage(format!(
                    "{} holds no checkpoint; save the whole mail or the whole text",
                    path.display()
                )));
            }
            saved.extend(notes.into_iter().map(|note| (path.display().to_string(), note)));
        }
        let age = self.max_age.map(|seconds| (TimeDelta::seconds(seconds), contracts::envelope::wall_clock()));
        let trust = Trust { keys: self.key.clone(), pinned: saved, consent: self.consent()?, age };
        if let Some(path) = &self.bundle
            && let Some(text) = proof(path)
        {
            return print_proof(&text, &self.key, format);
        }
        let reports = match &self.bundle {
            Some(path) => vec![bundle(path, &trust)?],
            None => self.live(settings, &trust).await?,
        };
        print_reports(&reports, format)
    }

    fn consent(&self) -> Result<ConsentTrust, Failure> {
        let vendor = match &self.vendor_authority {
            Some(Pin::File(file)) => Some(file.clone()),
            Some(Pin::Fingerprint(_)) => {
                return Err(Failure::Usage("--vendor-authority needs a file, because the log of a tenant does not hold the statements of the vendor".to_owned()));
            }
            None => None,
        };
        Ok(ConsentTrust {
            authority: self.authority.clone(),
            vendor,
            witnesses: self.witness.clone(),
            witnesses_required: self.witnesses,
        })
    }

    async fn live(&self, settings: &Settings, trust: &Trust) -> Result<Vec<Report>, Failure> {
        let store = runtime::serve::open_store(settings).await?;
        store.check_schema().await?;
        let mut still = store.read_snapshot().await?;
        let mut reports = Vec::new();
        for log in still.logs().await? {
            if self.tenant.is_none() || self.tenant == log.tenant {
                reports.push(live(&mut still, &log, trust).await?);
            }
        }
        match (reports.is_empty(), &self.tenant) {
            (true, Some(tenant)) => {
                Err(Failure::NotFound(format!("there is no log of {tenant}; check the short name")))
            }
            _ => Ok(reports),
        }
    }
}

/// Reads an authority file, or a fingerprint when there is no file of that name.
fn authority(text: &str) -> Result<Pin, String> {
    let read = std::fs::read_to_string(text).unwrap_or_else(|_| text.to_owned());
    Pin::parse(&read).map_err(|fault| format!("{fault}; give an authority file or 64 hexadecimal digits"))
}

/// The text of a file that is the proof of one event.
fn proof(path: &Path) -> Option<String> {
    let mut beginning = vec![0; evidence::proof::PREFIX.len()];
    std::fs::File::open(path).ok()?.read_exact(&mut beginning).ok()?;
    if beginning == evidence::proof::PREFIX.as_bytes() { std::fs::read_to_string(path).ok() } else { None }
}

fn print_proof(text: &str, keys: &[Verifier], format: Format) -> Result<(), Failure> {
    if keys.is_empty() {
        let message = "a proof can only be verified with a key that you trust; give it with --key. The keys are at /.well-known/lockbox/<tenant>/keys";
        return Err(Failure::Usage(message.to_owned()));
    }
    let proved = evidence::proof::verify(text, keys)
        .map_err(|(fault, words)| Failure::Untrue { code: fault.code(), words: format!("not valid: {words}") })?;
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
        "VALID: {} at {}{who}{request} is entry {} of the {} in {}, signed by {}",
        event.kind,
        event.time,
        proved.index,
        checkpoint.size,
        checkpoint.origin,
        proved.signed_by.join(", ")
    );
    line(&printable(&words))
}

fn print_reports(reports: &[Report], format: Format) -> Result<(), Failure> {
    for report in reports {
        if format == Format::Json {
            let findings: Vec<_> = report
                .findings
                .iter()
                .map(|one| {
                    let about = one.event.as_ref();
                    json!({
                        "code": one.fault.code(), "fault": one.fault.name(), "words": one.message, "index": one.index,
                        "rule": one.rule,
                        "event": about.map(|about| &about.id), "type": about.map(|about| &about.kind),
                        "request": about.and_then(|about| about.request.as_ref()),
                        "person": about.and_then(|about| about.person.as_ref()),
                    })
                })
                .collect();
            json(&json!({
                "log": report.origin, "code": report.code(), "size": report.size, "entries": report.entries,
                "requests": report.requests, "rows": report.rows, "unsigned": report.unsigned,
                "signed_by": report.signed_by, "remarks": report.remarks, "findings": findings,
                "not_verified": report.unverified, "grants": report.grants.iter().map(GrantReport::document).collect::<Vec<_>>(),
            }))?;
        } else {
            line(&printable(&report.to_string()))?;
        }
    }
    match reports.iter().filter_map(Report::worst).min() {
        None => Ok(()),
        Some(Fault::NotVerified) => {
            let words = reports.iter().find_map(|report| report.unverified.first().cloned()).unwrap_or_default();
            Err(Failure::Untrue { code: Fault::NotVerified.code(), words })
        }
        Some(fault) => Err(Failure::Untrue { code: fault.code(), words: format!("not valid: {}", fault.name()) }),
    }
}
