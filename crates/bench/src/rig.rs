//! The private servers of a benchmark, and waiting and printing of metrics.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::line;
use servers::{Allow, Options, Servers};
use store::Store;
use store::log::sequence::{Sequencer, Turn};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::{Health, RoleName};

/// One tenant with one manager and one approver, so that every step sends one mail.
const DIRECTORY: &str = "
producers:
  - {login: guest, may: [request.submit, vendor.decide, customer.decide, grant.revoke, report.respond]}
vendor:
  people:
    - {name: robin, display_name: Robin, email: robin@fabrikam.example, roles: [engineer]}
    - {name: morgan, display_name: Morgan, email: morgan@fabrikam.example, roles: [manager]}
tenants:
  - name: contoso
    display_name: Contoso
    people: [{name: alex, display_name: Alex, email: alex@contoso.example}]
    approvers: [{person: alex}]
";

/// Private servers of a benchmark.
pub(crate) struct Rig {
    pub settings: Settings,
    pub store: Store,
    pub servers: Servers,
}

impl Rig {
    /// Starts servers in a folder and sets up tables, queues and directory.
    pub async fn start(settings: &Settings, data: PathBuf) -> Result<Self, Failure> {
        let servers = Servers::start(Options {
            database_url: None,
            amqp_url: None,
            project: data.clone(),
            data: data.clone(),
            cache: data.with_file_name("cache"),
            allow: Allow { docker: false, ..Allow::default() },
            progress: Arc::new(|text| tracing::info!("{text}")),
        })
        .await
        .map_err(|fault| Failure::Unreachable(workers::error_chain(&fault)))?;
        let mut settings = settings.clone();
        servers.database_url().clone_into(&mut settings.database_url);
        servers.amqp_url().clone_into(&mut settings.amqp_url);
        settings.database_connections = 16;
        settings.audit.folder = data.join("audit");
        let file = data.join("directory.yaml");
        std::fs::write(&file, DIRECTORY)?;
        devkit::dev::prepare(&settings, Some(&file)).await?;
        let store = runtime::serve::open_store(&settings).await?;
        Ok(Self { settings, store, servers })
    }

    /// Starts roles in this process. Cancel the token to stop them; dropping it does not stop them.
    pub async fn work(&self, roles: &[RoleName]) -> Result<CancellationToken, Failure> {
        let (stop, health) = (CancellationToken::new(), Health::default());
        runtime::serve::start(&self.settings, roles, health.clone(), stop.clone(), TaskTracker::new()).await?;
        wait_for("the roles to be ready", Duration::from_secs(20), async || Ok(health.is_ready().then_some(())))
            .await?;
        Ok(stop)
    }

    /// Creates the log of every tenant, as the sequencer does when it starts.
    pub async fn begin_logs(&self) -> Result<(), Failure> {
        let mut sequencer = Sequencer::new(self.store.clone(), &self.settings.audit.authority);
        sequencer.beat(0.0).await?;
        while sequencer.turn(1000).await? != (Turn::Done { placed: 0, held: 0, quarantined: 0 }) {}
        Ok(())
    }

    /// Stops the servers.
    pub async fn stop(self) {
        self.store.close().await;
        self.servers.stop().await;
    }
}

/// Calls `look` every 10 ms until it returns a value.
pub(crate) async fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let started = std::time::Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if started.elapsed() > patience {
            return Err(Failure::TimedOut(format!(
                "timed out after {} s while waiting for {what}",
                patience.as_secs()
            )));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The quantile of sorted values; `share` is between 0 and 1.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = ((sorted.len() as f64 - 1.0).max(0.0) * share).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Prints one metric with its goal.
pub(crate) fn print_metric(name: &str, value: &str, goal: &str) -> Result<(), Failure> {
    line(&format!("{name:<52} {value:>16}   {goal}"))
}

/// A count as a floating-point number.
pub(crate) fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
