//! What commands print: tables for people, JSON and CSV for programs. Results go to standard output, messages to
//! standard error.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum;
use serde_json::Value;

use crate::outcome::Failure;

mod colour;
mod listing;
mod zone;

pub use colour::{Meaning, coloured, meaning_of};
pub use listing::{Columns, Listing};
pub use zone::{local, localized, use_utc};

/// Format of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// Comma-separated values (RFC 4180).
    Csv,
}

/// Prints JSON.
///
/// # Errors
/// When standard output is closed.
pub fn json(value: &Value) -> Result<(), Failure> {
    line(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Prints a line. When the reader has closed the pipe (`| head`), the line is dropped without an error.
///
/// # Errors
/// When standard output is closed.
pub fn line(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

/// Prints a message for the person at the terminal on standard error.
pub fn print_message(text: &str) {
    let mut err = std::io::stderr().lock();
    drop(writeln!(err, "{text}"));
}

/// Prints names and values, aligned, one pair a line.
///
/// # Errors
/// When standard output is closed.
pub fn fields(pairs: &[(&str, String)]) -> Result<(), Failure> {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, value) in pairs {
        let value = printable(&localized(value));
        let value = meaning_of(&value).map_or(value.clone(), |meaning| coloured(&value, meaning));
        line(&format!("{name:<width$}  {value}"))?;
    }
    Ok(())
}

/// The text with every control character except the line feed replaced, so that data cannot send terminal escapes.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{FFFD}' } else { c }).collect()
}

/// At most `limit` characters; `…` replaces the rest.
pub fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// A time in UTC (RFC 3339) with milliseconds. Tables show it in the local time zone.
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A time that may be absent.
pub fn time_or_dash(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}

/// A number of seconds for people, such as `1h 30m`.
pub fn duration(seconds: i64) -> String {
    let parts = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds.max(0);
    let mut words = Vec::new();
    for (size, unit) in parts {
        if rest >= size {
            words.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

/// The `data` of an event's bytes.
pub fn data(body: &[u8]) -> Value {
    serde_json::from_slice::<Value>(body).map(|mut event| event["data"].take()).unwrap_or_default()
}

/// The texts of an event's data in one line: comments, justifications, recipients, causes and errors.
pub fn summary(data: &Value) -> String {
    let names = ["comment", "justification", "reason", "message", "cause", "recipient", "error"];
    names.iter().filter_map(|name| data[*name].as_str()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(printable("a\u{1b}[31mb\nc"), "a\u{FFFD}[31mb\nc");
    }

    #[test]
    fn a_duration_is_written_in_its_largest_units() {
        assert_eq!(["0s", "59s", "1h 30m", "2d"], [0, 59, 5400, 172_800].map(duration).each_ref().map(String::as_str));
    }
}
