//! `lockbox apply -f directory.yaml`: tenants, people, roles and rules.

use std::path::{Path, PathBuf};

use clap::Args;
use contracts::directory::Directory;

use crate::configuration::Settings;
use crate::outcome::Failure;
use crate::output::line;
use crate::serve::open_store;

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

/// Reads a directory file.
pub(crate) fn read(path: &Path) -> Result<Directory, Failure> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{shown} cannot be read: {error}")))?;
    let directory: Directory =
        serde_saphyr::from_str(&text).map_err(|error| Failure::Usage(format!("{shown}: {error}")))?;
    let faults = directory.faults();
    if faults.is_empty() {
        return Ok(directory);
    }
    let faults: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    Err(Failure::Usage(format!("{shown} has {} faults; nothing was applied:\n{}", faults.len(), faults.join("\n"))))
}

impl Apply {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let directory = read(&self.file)?;
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
