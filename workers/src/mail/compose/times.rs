//! Times and durations as mails show them.

use chrono::{DateTime, Utc};

/// An absolute time with its zone.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%A %d %B %Y, %H:%M:%S UTC").to_string()
}

/// A duration for people, such as `1 hour 30 minutes`.
pub(super) fn duration(seconds: i64) -> String {
    let parts = [
        (seconds / 86_400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    words.join(" ")
}
