//! What the status page, the metrics and the health check show.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use crate::alarm::KINDS;
use crate::book::Book;

/// A snapshot of the monitor's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Origin of the log.
    pub origin: String,
    /// Number of verified entries.
    pub size: u64,
    /// Root over them, in base64.
    pub root: String,
    /// When a checkpoint was last verified.
    pub verified_at: Option<DateTime<Utc>>,
    /// Time of the last heartbeat in the log.
    pub heartbeat_at: Option<DateTime<Utc>>,
    /// Size of the last cosigned checkpoint.
    pub cosigned: u64,
    /// Public keys of the log that are trusted.
    pub keys: Vec<String>,
    /// Public key of the witness.
    pub witness: Option<String>,
    /// What is known of the authority, in a sentence.
    pub authority: String,
    /// Why the last check failed.
    pub failure: Option<String>,
}

impl View {
    /// Whether a checkpoint was verified within this number of seconds.
    pub fn is_fresh(&self, now: DateTime<Utc>, seconds: i64) -> bool {
        self.verified_at.is_some_and(|at| (now - at).num_seconds() <= seconds)
    }

    /// Metrics in the text format of Prometheus.
    pub fn metrics(&self, book: &Book) -> String {
        let time = |at: Option<DateTime<Utc>>| at.map_or(0, |at| at.timestamp());
        let gauges = [
            ("lockbox_monitor_entries", "Verified entries of the log.", self.size.to_string()),
            (
                "lockbox_monitor_cosigned_entries",
                "Entries under the last cosigned checkpoint.",
                self.cosigned.to_string(),
            ),
            (
                "lockbox_monitor_verified_timestamp_seconds",
                "When a checkpoint was last verified.",
                time(self.verified_at).to_string(),
            ),
            (
                "lockbox_monitor_heartbeat_timestamp_seconds",
                "Time of the last heartbeat in the log.",
                time(self.heartbeat_at).to_string(),
            ),
        ];
        let mut text = String::new();
        for (name, help, value) in gauges {
            // Writing to a string does not fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
        }
        text +=
            "# HELP lockbox_monitor_alarms_total Alarms of each kind.\n# TYPE lockbox_monitor_alarms_total counter\n";
        let counts = book.counts();
        for kind in KINDS {
            let count = counts.get(&kind).copied().unwrap_or_default();
            let _ = writeln!(text, "lockbox_monitor_alarms_total{{kind=\"{}\"}} {count}", kind.name());
        }
        text
    }

    /// The lines of the status.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let time = |at: Option<DateTime<Utc>>| {
            at.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
        };
        let mut lines = vec![
            ("Log", self.origin.clone()),
            ("Verified entries", self.size.to_string()),
            ("Root", self.root.clone()),
            ("Last verified", time(self.verified_at)),
            ("Last heartbeat", time(self.heartbeat_at)),
            ("Trusted keys", self.keys.join(" ")),
            ("Authority", self.authority.clone()),
        ];
        if let Some(key) = &self.witness {
            lines.push(("Witness key", key.clone()));
            lines.push(("Cosigned entries", self.cosigned.to_string()));
        }
        if let Some(why) = &self.failure {
            lines.push(("Last failure", why.clone()));
        }
        lines
    }

    /// The status page.
    pub fn page(&self, book: &Book) -> String {
        let rows: String = self
            .lines()
            .iter()
            .map(|(name, value)| format!("<tr><th>{name}</th><td>{}</td></tr>", escaped(value)))
            .collect();
        let alarms: String = book
            .alarms()
            .iter()
            .rev()
            .take(200)
            .map(|alarm| format!("<li><pre>{}</pre></li>", escaped(&alarm.to_string())))
            .collect();
        let alarms = if alarms.is_empty() { "<p>None.</p>".to_owned() } else { format!("<ol reversed>{alarms}</ol>") };
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Lockbox monitor</title><h1>Lockbox monitor</h1>\
             <table>{rows}</table><h2>Alarms</h2>{alarms}</html>\n"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
