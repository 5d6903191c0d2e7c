//! `lockbox bench`: measures Lockbox on private servers and prints medians and ratios of the run.

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

/// Options of `lockbox bench`.
#[derive(Args, Clone, Debug)]
pub struct Bench {
    /// Benchmarks to run [default: all except log-growth].
    #[arg(value_enum)]
    what: Vec<What>,
    /// Number of requests for lifecycle.
    #[arg(long, default_value_t = 5000)]
    requests: usize,
    /// Number of timers for timers.
    #[arg(long, default_value_t = 20_000)]
    timers: usize,
    /// Number of events for audit.
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// Number of requests in the tables for growth and portal, with five events each.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Number of entries of the audit log for verify, and the initial number for log-growth.
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    /// Final number of entries of the audit log for log-growth.
    #[arg(long, default_value_t = 10_000_000)]
    grow_to: u64,
    /// Number of active grants for gate.
    #[arg(long, default_value_t = 100_000)]
    grants: usize,
    /// Folder for the private servers. It is deleted first, unless `--keep` is set.
    #[arg(long, default_value = ".lockbox/bench")]
    data: PathBuf,
    /// Keep the tables of an earlier run in the folder, such as the full tables of growth.
    #[arg(long)]
    keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Throughput of complete lifecycles, compared with a loop without logic.
    Lifecycle,
    /// Latency from command to notification on an idle system.
    Idle,
    /// Delay of timers.
    Timers,
    /// Throughput of the audit log.
    Audit,
    /// Memory and start time of a worker.
    Worker,
    /// Processor time per request with small and with full tables.
    Growth,
    /// Latency of pages and searches with full tables.
    Portal,
    /// Throughput and latency of authorization checks with many active grants.
    Gate,
    /// Time to verify a large bundle offline, and to prove one event of a large log.
    Verify,
    /// Processor time per event in a large audit log and in one ten times as large. Slow; runs only when named.
    LogGrowth,
}

impl Bench {
    /// Runs the benchmarks.
    ///
    /// # Errors
    /// When a benchmark fails or exceeds its time limit.
    pub async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let metrics = runtime::admin::record_metrics()?;
        if cfg!(debug_assertions) {
            print_message("this build is not optimized; run `make bench` to measure an optimized build");
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
