//! `lockbox bench`: measures on private servers of its own, and prints medians and ratios of this one run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::print_message;

mod audit;
mod ceiling;
mod cpu;
mod gate;
mod growth;
mod idle;
mod lifecycle;
mod log_growth;
mod portal;
mod rig;
mod timers;
mod verify;
mod worker;

use rig::Rig;

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

impl Bench {
    /// Measures.
    ///
    /// # Errors
    /// When something does not work, or did not come in time.
    pub async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let metrics = runtime::admin::record_metrics()?;
        if cfg!(debug_assertions) {
            print_message("this build is not optimized; `make bench` measures the optimized one");
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
