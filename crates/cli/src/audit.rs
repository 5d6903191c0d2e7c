//! `lockbox audit`: search the audit log, and operate, export and verify it.

use clap::Subcommand;

use super::operator::Operator;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::Format;
use runtime::serve::open_store;

mod archive;
mod check;
mod export;
mod keys;
mod redact;
mod reset_signer;
mod saved_checkpoints;
mod search;
mod verify;

/// Audit commands.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Search events, newest first.
    Search(Box<search::Search>),
    /// Check that every step of every request is in the audit log and that no event is quarantined.
    ///
    /// The exit code is 1 when a step is missing or an event is quarantined.
    Check,
    /// Export the audit log of a tenant and a period as an evidence bundle.
    Export(export::Export),
    /// Print the proof of one event.
    Proof(export::Proof),
    /// Verify an evidence bundle, the proof of an event, or the audit log in the database.
    ///
    /// Exit codes from 10 to 17 state what is wrong, 18 that consent was not verified; see `lockbox --help`.
    Verify(verify::Verify),
    /// Redact the texts that people wrote. Hashes and signatures stay, and the log records the redaction.
    Redact(redact::Redact),
    /// Move months of events to an archive of evidence bundles. Hashes and signatures stay in the database.
    Archive(archive::Archive),
    /// Manage the keys that sign the audit log, in the signer's folder.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Restore the signer's lost state from the checkpoints in the database that its own key signed.
    #[command(after_help = "Example:\n  lockbox audit reset-signer --operator lee")]
    ResetSigner(Operator),
}

impl Audit {
    /// Runs the command.
    ///
    /// # Errors
    /// The [`Failure`] that gives the exit code.
    pub async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        match self {
            Self::Search(search) => search.run(settings, format).await,
            Self::Export(export) => export.run(settings).await,
            Self::Proof(proof) => proof.run(settings).await,
            Self::Verify(verify) => verify.run(settings, format).await,
            Self::Keys(keys) => keys.run(settings),
            Self::Check => check::run(&checked_store(settings).await?).await,
            Self::Redact(redact) => redact.run(&checked_store(settings).await?).await,
            Self::Archive(archive) => Box::pin(archive.run(&checked_store(settings).await?)).await,
            Self::ResetSigner(operator) => {
                reset_signer::run(settings, &checked_store(settings).await?, &operator).await
            }
        }
    }
}

async fn checked_store(settings: &Settings) -> Result<store::Store, Failure> {
    let store = open_store(settings).await?;
    store.check_schema().await?;
    Ok(store)
}
