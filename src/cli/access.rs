//! `lockbox access end`: ends open access early, from either side.

use clap::{Args, Subcommand};
use contracts::Kind;
use contracts::commands::EndAccess;
use uuid::Uuid;

use super::clicks::click;
use super::request::show;
use crate::configuration::Settings;
use crate::outcome::Failure;
use crate::output::Format;
use crate::serve::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Access {
    /// End open access now.
    End(End),
}

/// Which access.
#[derive(Args, Debug)]
pub struct End {
    /// Request id.
    id: Uuid,
    /// Who ends it: an approver of the tenant, the engineer, or a manager of the vendor.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME")]
    by: String,
    /// In your words.
    #[arg(long)]
    comment: Option<String>,
}

impl Access {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let Self::End(end) = self;
        let store = open_store(settings).await?;
        store.check_schema().await?;
        store.show_request(end.id).await?;
        let data = EndAccess { request: end.id, by: end.by, comment: end.comment };
        click(settings, &store, Kind::AccessEnd, Some(end.id), &data).await?;
        show(&store, end.id, format).await
    }
}
