//! `lockbox topology`: create and check exchanges and queues.

use std::time::Duration;

use broker::topology;
use clap::Subcommand;
use contracts::directory::parse_seconds;
use contracts::events::Operation;
use serde_json::json;

use super::operator::Operator;
use runtime::configuration::Settings;
use runtime::connect::{apply_topology as apply, open_link};
use runtime::outcome::Failure;
use runtime::output::{Columns, Format, Listing, line};
use runtime::serve::open_store;

mod watch;

/// Topology commands.
#[derive(Debug, Subcommand)]
pub enum Topology {
    /// Create missing exchanges and queues. When a queue was missing, messages that are not consumed are sent again.
    #[command(after_help = "Example:\n  lockbox topology apply --operator lee")]
    Apply(Operator),
    /// Check exchanges and queues. The exit code is 1 when one is missing or different.
    Verify,
    /// Show the depth of each queue.
    #[command(after_help = "Example:\n  lockbox topology depths --watch --every 5s")]
    Depths {
        /// Update the depths with a graph until Ctrl-C.
        #[arg(long)]
        watch: bool,
        /// Time between two updates.
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_seconds, requires = "watch")]
        every: i64,
        #[command(flatten)]
        columns: Columns,
    },
}

impl Topology {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        match self {
            Self::Apply(operator) => {
                let created = apply(settings).await?;
                line(&format!("{} queues are created; the others exist", created.len()))?;
                if created.is_empty() {
                    return Ok(());
                }
                let store = open_store(settings).await?;
                if store.check_schema().await.is_ok() {
                    let details = created.iter().map(|queue| format!("queue {queue} created")).collect();
                    store.record_operation(Operation::TopologyApply, details, operator.actor()).await?;
                    let again = store.resend_all().await?;
                    line(&format!("{again} messages that are not consumed are sent again"))?;
                }
                Ok(())
            }
            Self::Verify => {
                let link = open_link(settings).await?;
                let faults = topology::verify(&link, &settings.names).await?;
                link.close().await;
                if faults.is_empty() {
                    return line("every exchange and queue exists as expected");
                }
                for fault in &faults {
                    line(&format!("{}: {}", fault.object, fault.problem))?;
                }
                Err(Failure::Failed(format!(
                    "{} exchanges or queues are missing or different; run `lockbox topology apply`",
                    faults.len()
                )))
            }
            Self::Depths { watch: true, every, .. } => {
                let every = Duration::from_secs(u64::try_from(every).unwrap_or(1).max(1));
                watch::watch(settings, format, every).await
            }
            Self::Depths { columns, .. } => {
                let link = open_link(settings).await?;
                let depths = topology::depths(&link, &settings.names).await?;
                link.close().await;
                let rows = depths
                    .iter()
                    .map(|depth| vec![depth.queue.clone(), depth.ready.to_string(), depth.consumers.to_string()])
                    .collect();
                let json: serde_json::Value = depths
                    .iter()
                    .map(|depth| json!({"queue": depth.queue, "ready": depth.ready, "consumers": depth.consumers}))
                    .collect();
                columns.print(&Listing::new(vec!["queue", "ready", "consumers"], rows, json), format)
            }
        }
    }
}
