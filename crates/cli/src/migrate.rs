//! `lockbox migrate`: apply database migrations, and optionally create the groups of rights for logins.

use clap::Args;
use contracts::events::Operation;

use super::operator::Operator;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::line;
use runtime::serve::open_store;

/// Options of the migration.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox migrate --roles")]
pub struct Migrate {
    /// Also create the groups lockbox_worker, lockbox_sequencer, lockbox_signer, lockbox_operator and lockbox_reader, each
    /// with the rights it needs. Then create a login in the right group for each role.
    #[arg(long)]
    roles: bool,
    #[command(flatten)]
    operator: Operator,
}

impl Migrate {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        let before = store.schema_version().await?;
        store.migrate().await?;
        let after = store.schema_version().await?;
        let mut details = Vec::new();
        if after != before {
            details.push(format!("migrations applied up to number {}", after.unwrap_or_default()));
        }
        if self.roles {
            store.grant_rights().await?;
            details.push("rights granted to the groups of logins".to_owned());
        }
        if !details.is_empty() {
            store.record_operation(Operation::Migrate, details, self.operator.actor()).await?;
        }
        line("The database is up to date.")
    }
}
