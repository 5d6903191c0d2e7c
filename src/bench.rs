//! `lockbox bench`: measures on private servers of its own, and prints medians and ratios of this one run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use servers::{Allow, Options, Servers};
use store::Store;
use store::log::sequence::{Sequencer, Turn};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::{Health, RoleName};

use crate::configuration::Settings;
use crate::outcome::Failure;
use crate::output::{line, tell};

mod audit;
mod ceiling;
mod cpu;
mod gate;
mod growth;
mod idle;
mod lifecycle;
mod log_growth;
mod portal;
mod timers;
mod verify;
mod worker;

/// What to measure.
#[derive(Args, Clone, Debug)]
pub struct Bench {
    /// What to measure; everything when left out.
    #[arg(value_enum)]
    what: Vec<What>,
    /// Requests of the lifecycle.
    #[arg(long, default_value_t = 5000)]
    requests: usize,
    /// Timers.
    #[arg(long, default_value_t = 20_000)]
    timers: usize,
    /// Events for the audit log.
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// Requests in the table for growth and portal; five events each.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Entries of the audit log for verify, and to begin with for log-growth.
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    /// Entries of the audit log to end with for log-growth.
    #[arg(long, default_value_t = 10_000_000)]
    grow_to: u64,
    /// Open grants for the gate.
    #[arg(long, default_value_t = 100_000)]
    grants: usize,
    /// Folder for the servers of the measurement; emptied first, unless `--keep` is given.
    #[arg(long, default_value = ".lockbox/bench")]
    data: PathBuf,
    /// Begin with the tables that an earlier measurement left in the folder, such as the full ones of `growth`.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Whole lifecycles against a bare loop.
    Lifecycle,
    /// Time from publish to notice on an idle system.
    Idle,
    /// Lateness of timers.
    Timers,
    /// Events into the audit log.
    Audit,
    /// Memory and start of one worker.
    Worker,
    /// Cost of a request with a full table against an empty one.
    Growth,
    /// Pages and searches with full tables.
    Portal,
    /// Questions at the gate with many grants open.
    Gate,
    /// A bundle of many entries verified offline, and the proof of one event out of a large log.
    Verify,
    /// Cost of an event in a large audit log and in one ten times as large; takes a while, so only when it is named.
    LogGrowth,
}

/// The tenant, its people and its rules: one manager and one approver, so that every step asks for one mail.
const DIRECTORY: &str = "
producers:
  - {login: guest, may: [request.submit, manager.decide, customer.decide, access.end, report.answer]}
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

impl Bench {
    /// Measures.
    ///
    /// # Errors
    /// When something does not work, or did not come in time.
    pub async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let metrics = crate::admin::record_metrics()?;
        if cfg!(debug_assertions) {
            tell("this build is not optimized; `make bench` measures the optimized one");
        }
        let all = [
            What::Lifecycle,
            What::Idle,
            What::Timers,
            What::Audit,
            What::Worker,
            What::Growth,
            What::Portal,
            What::Gate,
            What::Verify,
        ];
        let chosen = if self.what.is_empty() { all.to_vec() } else { self.what.clone() };
        for what in chosen {
            let rig = self.rig(settings).await?;
            match what {
                What::Lifecycle => {
                    let ceiling = ceiling::measure(&rig, self.requests).await?;
                    rig.stop().await;
                    let rig = self.rig(settings).await?;
                    lifecycle::measure(&rig, self.requests, ceiling, &metrics).await?;
                    rig.stop().await;
                    continue;
                }
                What::Idle => idle::measure(&rig).await?,
                What::Timers => timers::measure(&rig, self.timers, &metrics).await?,
                What::Audit => audit::measure(&rig, self.events).await?,
                What::Worker => worker::measure(&rig).await?,
                What::Portal => portal::measure(&rig, self.rows).await?,
                What::Gate => gate::measure(&rig, self.grants).await?,
                What::Verify => verify::measure(&rig, self.entries).await?,
                What::LogGrowth => log_growth::measure(&rig, self.entries, self.grow_to).await?,
                What::Growth => growth::measure(&rig, self.requests / 5, self.rows).await?,
            }
            rig.stop().await;
        }
        Ok(())
    }

    async fn rig(&self, settings: &Settings) -> Result<Rig, Failure> {
        let data = std::path::absolute(&self.data)?;
        if !self.keep {
            drop(std::fs::remove_dir_all(&data));
        }
        Rig::start(settings, data).await
    }
}

impl Rig {
    async fn start(settings: &Settings, data: PathBuf) -> Result<Self, Failure> {
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
        .map_err(|fault| Failure::Unreachable(workers::engine::chain(&fault)))?;
        let mut settings = settings.clone();
        servers.database_url().clone_into(&mut settings.database_url);
        servers.amqp_url().clone_into(&mut settings.amqp_url);
        settings.database_connections = 16;
        settings.audit.folder = data.join("audit");
        let file = data.join("directory.yaml");
        std::fs::write(&file, DIRECTORY)?;
        crate::dev::prepare(&settings, Some(&file)).await?;
        let store = crate::serve::open_store(&settings).await?;
        Ok(Self { settings, store, servers })
    }

    /// Puts roles to work in this process. Dropping the token's last clone does not stop them; cancelling does.
    pub async fn work(&self, roles: &[RoleName]) -> Result<CancellationToken, Failure> {
        let (stop, health) = (CancellationToken::new(), Health::default());
        crate::serve::start(&self.settings, roles, health.clone(), stop.clone(), TaskTracker::new()).await?;
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

    async fn stop(self) {
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
