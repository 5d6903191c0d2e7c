//! Processor time used by the program, the broker and the database.

use super::rig::Rig;

/// Clock ticks per second in /proc (USER_HZ on Linux).
const TICKS_PER_SECOND: f64 = 100.0;

fn ticks(pid: u32) -> Option<(f64, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The process name can contain any character. The fields start after the last parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let used: f64 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Some((used, fields.get(1)?.parse().ok()?))
}

/// Processor seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    pub program: f64,
    pub database: f64,
    pub broker: f64,
}

impl Used {
    pub fn sum(self) -> f64 {
        self.program + self.database + self.broker
    }

    pub fn since(self, before: Self) -> Self {
        Self {
            program: self.program - before.program,
            database: self.database - before.database,
            broker: self.broker - before.broker,
        }
    }
}

/// Processor seconds used so far by this process, and by broker and database with their children.
pub(super) fn seconds(rig: &Rig) -> Used {
    let database = rig.servers.database.as_ref().and_then(servers::postgres::Private::pid);
    let broker = rig.servers.broker.as_ref().and_then(servers::rabbitmq::Private::pid);
    let mut used = Used::default();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Some((ticks, parent)) = ticks(pid) else { continue };
        let seconds = ticks / TICKS_PER_SECOND;
        if pid == std::process::id() {
            used.program += seconds;
        } else if database == Some(pid) || database == Some(parent) {
            used.database += seconds;
        } else if broker == Some(pid) || broker == Some(parent) {
            used.broker += seconds;
        }
    }
    used
}

/// Resident memory of a process in MiB.
pub(super) fn resident_mib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
