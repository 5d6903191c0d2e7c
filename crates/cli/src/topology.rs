//! `lockbox topology`: puts exchanges and queues in place, and looks whether they are.

use std::time::Duration;

use broker::topology;
use clap::Subcommand;
use contracts::directory::parse_seconds;
use serde_json::json;

use runtime::configuration::Settings;
use runtime::connect::{apply_topology as apply, open_link};
use runtime::outcome::Failure;
use runtime::output::{Format, Listing, line};
use runtime::serve::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Topology {
    /// Declare what is missing. When queues were missing, everything nobody has taken yet is sent again.
    Apply,
    /// Look for what is missing or different; exit code 1 when something is.
    Verify,
    /// How full the queues are.
    Depths {
        /// Look again and again, and draw a graph; Ctrl-C ends it.
        #[arg(long)]
        watch: bool,
        /// Time between two looks.
        #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_seconds, requires = "watch")]
        every: i64,
    },
}

impl Topology {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        match self {
            Self::Apply => {
                let created = apply(settings).await?;
                line(&format!("{} queues created, the rest was in place", created.len()))?;
                if created.is_empty() {
                    return Ok(());
                }
                let store = open_store(settings).await?;
                if store.check_schema().await.is_ok() {
                    let again = store.resend_all().await?;
                    line(&format!("{again} messages that nobody has taken yet are sent again"))?;
                }
                Ok(())
            }
            Self::Verify => {
                let link = open_link(settings).await?;
                let faults = topology::verify(&link, &settings.names).await?;
                link.close().await;
                if faults.is_empty() {
                    return line("every exchange and queue is in place");
                }
                for fault in &faults {
                    line(&format!("{}: {}", fault.object, fault.problem))?;
                }
                Err(Failure::Failed(format!("{} things are not in place", faults.len())))
            }
            Self::Depths { watch: true, every } => {
                let every = Duration::from_secs(u64::try_from(every).unwrap_or(1).max(1));
                super::depths::watch(settings, format, every).await
            }
            Self::Depths { .. } => {
                let link = open_link(settings).await?;
                let depths = topology::depths(&link, &settings.names).await?;
                link.close().await;
                let rows = depths
                    .iter()
                    .map(|depth| vec![depth.queue.clone(), depth.ready.to_string(), depth.consumers.to_string()])
                    .collect();
                let json = depths
                    .iter()
                    .map(|depth| json!({"queue": depth.queue, "ready": depth.ready, "consumers": depth.consumers}))
                    .collect();
                Listing { head: vec!["queue", "ready", "consumers"], rows, json }.print(format)
            }
        }
    }
}
