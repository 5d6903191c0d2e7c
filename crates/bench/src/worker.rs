//! Memory and start time of an idle worker.

use std::time::{Duration, Instant};

use servers::Worker;
use workers::RoleName;

use super::cpu;
use super::rig::{Rig, print_metric, quantile, wait_for};
use runtime::outcome::Failure;

pub(super) async fn measure(rig: &Rig) -> Result<(), Failure> {
    let program = std::env::current_exe()?;
    let log = std::env::temp_dir().join(format!("lockbox-bench-{}.log", std::process::id()));
    let environment = [
        ("LOCKBOX_DATABASE_URL", rig.settings.database_url.clone()),
        ("LOCKBOX_AMQP_URL", rig.settings.amqp_url.clone()),
        ("LOCKBOX_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        // Keys of this run stay in the folder of its servers.
        ("LOCKBOX_AUDIT_FOLDER", rig.settings.audit.folder.display().to_string()),
    ];
    let (mut memory, mut ready) = (Vec::new(), Vec::new());
    for role in RoleName::ALL {
        drop(std::fs::remove_file(&log));
        let started = Instant::now();
        let arguments = ["worker".to_owned(), role.as_str().to_owned()];
        let mut worker = Worker::start(&program, &arguments, &environment, &log)
            .map_err(|fault| Failure::Failed(workers::error_chain(&fault)))?;
        wait_for("a worker to be ready", Duration::from_secs(20), async || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            Ok(text.contains("ready").then_some(()))
        })
        .await?;
        ready.push(started.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let resident = worker.pid().and_then(cpu::resident_mib);
        memory.extend(resident);
        tracing::info!(role = role.as_str(), resident_mib = resident, "measured");
        worker.stop();
    }
    drop(std::fs::remove_file(&log));
    memory.sort_by(f64::total_cmp);
    ready.sort_by(f64::total_cmp);
    let most = memory.last().copied().unwrap_or(f64::NAN);
    print_metric("worker: resident memory when idle, largest role", &format!("{most:.1} MiB"), "goal: 30 MiB or less")?;
    let (median, slowest) = (quantile(&ready, 0.5), ready.last().copied().unwrap_or(f64::NAN));
    print_metric("worker: start time, median of all roles", &format!("{median:.0} ms"), "goal: 300 ms or less")?;
    print_metric("worker: start time, slowest role", &format!("{slowest:.0} ms"), "goal: 300 ms or less")
}
