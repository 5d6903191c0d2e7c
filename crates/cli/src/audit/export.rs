//! `lockbox audit export` and `lockbox audit proof`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use operations::export::{bundle, prove};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::line;
use uuid::Uuid;

/// Events to export.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  lockbox audit export --tenant contoso --since 2026-11-01T00:00:00Z --to contoso.tar"
)]
pub struct Export {
    /// Short name of the tenant [default: the operator's log].
    #[arg(long)]
    tenant: Option<String>,
    /// Earliest time (RFC 3339).
    #[arg(long)]
    since: Option<DateTime<Utc>>,
    /// Time before which the events are (RFC 3339).
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    /// Archive to write.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Event to prove.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox audit proof 0197… > event.tlog-proof")]
pub struct Proof {
    /// Id of the event.
    event: Uuid,
}

impl Export {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let store = runtime::serve::open_store(settings).await?;
        store.check_schema().await?;
        let mut still = store.read_snapshot().await?;
        let entries = bundle(&mut still, self.tenant.as_deref(), (self.since, self.until), &self.to).await?;
        line(&format!(
            "{} holds {entries} entries. To verify it: lockbox audit verify {}",
            self.to.display(),
            self.to.display()
        ))
    }
}

impl Proof {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let store = runtime::serve::open_store(settings).await?;
        store.check_schema().await?;
        let mut still = store.read_snapshot().await?;
        let proof = prove(&mut still, self.event).await?;
        line(proof.to_string().trim_end())
    }
}
