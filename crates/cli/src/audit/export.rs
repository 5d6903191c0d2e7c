//! `lockbox audit export` and `lockbox audit proof`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use operations::export::{bundle, prove};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::line;
use uuid::Uuid;

/// What to export.
#[derive(Args, Debug)]
pub struct Export {
    /// Tenant's short name; without it, the operator's log.
    #[arg(long)]
    tenant: Option<String>,
    /// Not before (RFC 3339).
    #[arg(long)]
    since: Option<DateTime<Utc>>,
    /// Before (RFC 3339).
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    /// The archive to write.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Which event to prove.
#[derive(Args, Debug)]
pub struct Proof {
    /// Id of the event.
    event: Uuid,
}

impl Export {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let store = runtime::serve::open_store(settings).await?;
        store.check_schema().await?;
        let mut still = store.still().await?;
        let entries = bundle(&mut still, self.tenant.as_deref(), (self.since, self.until), &self.to).await?;
        line(&format!(
            "{}: {entries} entries. Verify it with `lockbox audit verify {}`",
            self.to.display(),
            self.to.display()
        ))
    }
}

impl Proof {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let store = runtime::serve::open_store(settings).await?;
        store.check_schema().await?;
        let mut still = store.still().await?;
        let proof = prove(&mut still, self.event).await?;
        line(proof.to_string().trim_end())
    }
}
