//! `lockbox audit search`: everything about a request, a person, a tenant, a word.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use store::audit::AuditFilter;
use uuid::Uuid;

use super::portal_client::Remote;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, tell, time};
use runtime::serve::open_store;

mod archive;
mod export;
mod saved_checkpoints;
mod verify;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Search events, newest first. Everything given must match.
    Search(Search),
    /// Check that every step of every request is in the log and no event is quarantined; exit code 1 when not.
    Check,
    /// Write a tenant's log of a period as evidence that proves itself.
    Export(export::Export),
    /// Print the proof of one event.
    Proof(export::Proof),
    /// Verify a bundle, or the log at work; exit codes 10 to 16 say what is wrong.
    Verify(verify::Verify),
    /// Erase what people wrote; the log stays whole and says that something was erased.
    Redact(super::log::Redact),
    /// Move months of events to an archive of bundles that verify by themselves; hashes and signatures stay.
    Archive(archive::Archive),
    /// The keys that sign the log, in the signer's folder.
    #[command(subcommand)]
    Keys(super::log::Keys),
    /// Take the database's checkpoints for the last that were signed: when the signer's memory was lost.
    ResetSigner,
}

/// What to look for.
#[derive(Args, Debug)]
pub struct Search {
    /// Request id.
    #[arg(long)]
    request: Option<Uuid>,
    /// Number in the ticketing system.
    #[arg(long)]
    service_request: Option<String>,
    /// Short name of the person who did it.
    #[arg(long)]
    person: Option<String>,
    /// Tenant's short name.
    #[arg(long)]
    tenant: Option<String>,
    /// Type or its beginning, such as `request.expired` or `access.`.
    #[arg(long = "type", value_name = "TYPE")]
    type_name: Option<String>,
    /// Words in reasons, comments and messages.
    #[arg(long)]
    text: Option<String>,
    /// Id of the message an event followed from.
    #[arg(long)]
    cause: Option<String>,
    /// Not before (RFC 3339).
    #[arg(long)]
    since: Option<DateTime<Utc>>,
    /// Before (RFC 3339).
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    /// At most this many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

impl Audit {
    /// Runs the command.
    ///
    /// # Errors
    /// The [`Failure`] that gives the exit code.
    pub async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        match self {
            Self::Export(export) => return export.run(settings).await,
            Self::Proof(proof) => return proof.run(settings).await,
            Self::Verify(verify) => return verify.run(settings, format).await,
            Self::Keys(keys) => return keys.run(settings),
            Self::Search(_) | Self::Check | Self::Redact(_) | Self::Archive(_) | Self::ResetSigner => {}
        }
        let remote = Remote::of(settings)?;
        if let (Self::Search(search), Some(remote)) = (&self, &remote) {
            return search.run_at(remote, format).await;
        }
        let store = open_store(settings).await?;
        store.check_schema().await?;
        match self {
            Self::Export(_) | Self::Proof(_) | Self::Verify(_) | Self::Keys(_) => Ok(()),
            Self::Search(search) => search.run(&store, format).await,
            Self::Redact(redact) => redact.run(&store).await,
            Self::Archive(archive) => Box::pin(archive.run(&store)).await,
            Self::ResetSigner => super::log::reset_signer(settings, &store).await,
            Self::Check => {
                let (steps, recorded) = store.steps().await?;
                let gaps = store.audit_gaps(20).await?;
                let quarantined = store.quarantined(20).await?;
                if gaps.is_empty() && quarantined.is_empty() {
                    return runtime::output::line(&format!("{recorded} steps on record, none of {steps} missing"));
                }
                let all = store.quarantined_count().await?;
                Err(Failure::Failed(incomplete((recorded, steps), &gaps, &quarantined, all)))
            }
        }
    }
}

/// What is missing in the logs, and why.
fn incomplete(
    (recorded, steps): (i64, i64),
    gaps: &[Uuid],
    quarantined: &[store::log::quarantine::Quarantined],
    all: i64,
) -> String {
    let mut words = format!("{recorded} of {steps} steps are on record");
    if !gaps.is_empty() {
        let ids: Vec<_> = gaps.iter().map(Uuid::to_string).collect();
        words += &format!(
            "; not complete: {}. Is the audit role running? Its backlog is in `lockbox topology depths`",
            ids.join(", ")
        );
    }
    if !quarantined.is_empty() {
        words += &format!("; {all} events are quarantined, because no verifier would accept them:");
    }
    for one in quarantined {
        let log = one.tenant.as_deref().unwrap_or("the operator's log");
        let request = one.request.map(|request| format!(", request {request}")).unwrap_or_default();
        words += &format!("\n  {} {} {} in {log}{request}: {}", time(one.at), one.type_name, one.event, one.reason);
    }
    words
}

impl Search {
    /// The same at the portal, as whoever the token is of.
    async fn run_at(&self, remote: &Remote, format: Format) -> Result<(), Failure> {
        if self.cause.is_some() {
            return Err(Failure::Usage("--cause is looked for in the database only".to_owned()));
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let query = [
            ("request", self.request.map(|id| id.to_string()).unwrap_or_default()),
            ("service_request", text(&self.service_request)),
            ("person", text(&self.person)),
            ("tenant", text(&self.tenant)),
            ("type", text(&self.type_name)),
            ("text", text(&self.text)),
            ("since", self.since.map(time).unwrap_or_default()),
            ("until", self.until.map(time).unwrap_or_default()),
        ];
        remote.search(&query, self.limit, format).await
    }

    async fn run(self, store: &store::Store, format: Format) -> Result<(), Failure> {
        let filter = AuditFilter {
            request: self.request,
            service_request: self.service_request,
            person: self.person,
            tenant: self.tenant,
            type_name: self.type_name,
            cause: self.cause,
            text: self.text,
            since: self.since,
            until: self.until,
            after: None,
            limit: self.limit,
        };
        let found = store.search_audit(&filter).await?;
        if let Some(moment) =
            store.archived_before().await?.filter(|moment| filter.since.is_none_or(|since| since < *moment))
        {
            tell(&format!("events before {} are in the archive, not here", time(moment)));
        }
        operations::audit_listing::listing(&found).print(format)
    }
}
