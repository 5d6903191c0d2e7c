//! `lockbox apply -f directory.yaml`: tenants, people, roles and rules.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use store::directory::Applied;

use super::operator::Operator;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, Listing, line};
use runtime::serve::open_store;

/// A directory file to apply.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  lockbox apply --check -f directory.yaml\n  lockbox apply -f directory.yaml --operator lee"
)]
pub struct Apply {
    /// Directory file (YAML); see `schemas/directory.schema.json` and `examples/directory.yaml`.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Check the file and change nothing.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    operator: Operator,
}

impl Apply {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let directory = operations::directory_file::read(&self.file)?;
        if self.check {
            return line("The file is valid.");
        }
        let store = open_store(settings).await?;
        store.check_schema().await?;
        let (applied, messages) =
            store.apply(&directory, &self.operator.name).await.map_err(|error| match error.constraint() {
                Some("people_email_key") => {
                    Failure::Usage("an email address in the file already belongs to another person".to_owned())
                }
                Some("people_side") => Failure::Usage(
                    "a person in the file already belongs to another side. A person cannot change sides; use another short name".to_owned(),
                ),
                _ => error.into(),
            })?;
        super::publish::publish(settings, &messages).await;
        print(&applied, format)
    }
}

/// Prints a sentence for each change and a summary, or a row for each change in the formats for programs.
fn print(applied: &Applied, format: Format) -> Result<(), Failure> {
    if format != Format::Table {
        return changes(applied).print(format);
    }
    for (tenant, proposals) in &applied.proposals {
        for proposal in proposals {
            line(&format!("{tenant}: {proposal}."))?;
        }
        line(&format!("{tenant} is founded: its approvers must sign these changes in the portal."))?;
    }
    if applied.count() == 0 && !applied.proposals.is_empty() {
        return Ok(());
    }
    if applied.count() == 0 {
        return line("The directory already matches the file. Nothing changed.");
    }
    for row in changes(applied).rows {
        line(&format!("{}.", row.join(": ")))?;
    }
    summary(applied).print(format)
}

fn side(tenant: Option<&str>) -> String {
    tenant.unwrap_or("vendor").to_owned()
}

fn changes(applied: &Applied) -> Listing {
    let all =
        applied.changes.iter().flat_map(|(tenant, changes)| changes.iter().map(|change| (tenant.as_deref(), change)));
    let rows = all.clone().map(|(tenant, change)| vec![side(tenant), change.clone()]).collect();
    let json = all.map(|(tenant, change)| json!({ "tenant": tenant, "change": change })).collect::<Vec<_>>();
    Listing::new(vec!["tenant", "change"], rows, json.into())
}

fn summary(applied: &Applied) -> Listing {
    let row = |name: String, added: usize, count: usize| vec![name, added.to_string(), (count - added).to_string()];
    let added = |changes: &[String]| changes.iter().filter(|change| is_addition(change)).count();
    let mut rows: Vec<_> = applied
        .changes
        .iter()
        .map(|(tenant, changes)| row(side(tenant.as_deref()), added(changes), changes.len()))
        .collect();
    let total = applied.changes.values().map(|changes| added(changes)).sum();
    rows.push(row("total".to_owned(), total, applied.count()));
    Listing::new(vec!["tenant", "added", "changed"], rows, serde_json::Value::Null)
}

/// Whether a change adds something, such as `person robin added: …`.
fn is_addition(change: &str) -> bool {
    change.split(':').next().is_some_and(|what| what.ends_with(" added"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_and_changes_are_counted_by_tenant() {
        let mut applied = Applied::default();
        applied
            .changes
            .insert(None, vec!["service sharepoint added".into(), "login erp may send request.submit".into()]);
        let robin = "person alex added: Alex Novak, alex@contoso.example, approver";
        applied.changes.insert(Some("contoso".into()), vec!["tenant contoso added".into(), robin.into()]);
        let rows: Vec<String> = summary(&applied).rows.iter().map(|row| row.join(" ")).collect();
        assert_eq!(rows, ["vendor 1 1", "contoso 2 0", "total 3 1"]);
    }
}
