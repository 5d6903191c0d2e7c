//! `lockbox migrate`: the database's schema, and on demand the groups of rights that logins are put in.

use clap::Args;

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::line;
use runtime::serve::open_store;

/// What to bring the database to.
#[derive(Args, Debug)]
pub struct Migrate {
    /// Also make the groups lockbox_worker, lockbox_sequencer, lockbox_signer, lockbox_operator and lockbox_reader, each
    /// with the rights it needs; then give each role a login of its own in its group.
    #[arg(long)]
    roles: bool,
}

impl Migrate {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        store.migrate().await?;
        if self.roles {
            store.grant_rights().await?;
        }
        line("the database is up to date")
    }
}
