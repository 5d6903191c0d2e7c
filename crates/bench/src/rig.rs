//! The servers of a measurement, and printing of figures.

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

/// The tenant, its people and its rules: one manager and one approver, so that every step asks for one mail.
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

/// Servers for a measurement.
pub(crate) struct Rig {
    pub settings: Settings,
    pub store: Store,
    pub servers: Servers,
}

impl Rig {
    /// Starts servers in a folder and puts the tables, queues and directory in place.
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

    /// Puts roles to work in this process. Dropping the token's last clone does not stop them; cancelling does.
    pub async fn work(&self, roles: &[RoleName]) -> Result<CancellationToken, Failure> {
        let (stop, health) = (CancellationToken::new(), Health::default());
        runtime::serve::start(&self.settings, roles, health.clone(), stop.clone(), TaskTracker::new()).await?;
        wait_for("the roles to be ready", Duration::from_secs(20), async || Ok(health.is_ready().then_some(())))
            .await?;
        Ok(stop)
    }

    /// Begins every tenant's log, as the sequencer does when it starts.
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

/// Waits for something, looking every few milliseconds.
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
            return Err(Failure::TimedOut(format!("waited {} s in vain for {what}", patience.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The value at a share of the sorted values.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = ((sorted.len() as f64 - 1.0).max(0.0) * share).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Prints one figure.
pub(crate) fn figure(name: &str, value: &str, goal: &str) -> Result<(), Failure> {
    line(&format!("{name:<52} {value:>16}   {goal}"))
}

/// A count as a number to divide.
pub(crate) fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
