//! `lockbox migrate`: brings the database to this version.

use crate::configuration::Settings;
use crate::outcome::Failure;
use crate::output::line;
use crate::serve::open_store;

pub(super) async fn run(settings: &Settings) -> Result<(), Failure> {
    let store = open_store(settings).await?;
    store.migrate().await?;
    line("the database is up to date")
}
