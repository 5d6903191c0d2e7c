//! `lockbox apply -f directory.yaml`: tenants, people, roles and rules.

use std::path::PathBuf;

use clap::Args;

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::line;
use runtime::serve::open_store;

/// Which file.
#[derive(Args, Debug)]
pub struct Apply {
    /// Directory file (YAML); see `schemas/directory.schema.json` and `examples/directory.yaml`.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Only say what is wrong with the file.
    #[arg(long)]
    check: bool,
    /// Who applies it, for the audit log.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME", default_value = "operator")]
    by: String,
}

impl Apply {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let directory = operations::directory_file::read(&self.file)?;
        if self.check {
            return line("no faults");
        }
        let store = open_store(settings).await?;
        store.check_schema().await?;
        let (applied, messages) =
            store.apply(&directory, &self.by).await.map_err(|error| match error.constraint() {
                Some("people_email_key") => {
                    Failure::Usage("an e-mail address in the file belongs to another person already".to_owned())
                }
                Some("people_side") => Failure::Usage(
                    "a person in the file belongs to another side already; a person never changes sides".to_owned(),
                ),
                _ => error.into(),
            })?;
        super::clicks::publish(settings, &messages).await;
        for (tenant, changes) in &applied.changes {
            for change in changes {
                line(&format!("{}: {change}", tenant.as_deref().unwrap_or("vendor")))?;
            }
        }
        line(&format!("{} changes", applied.count()))
    }
}
