//! What commands print: tables for people, JSON and CSV for programs. Results go to standard output, everything else
//! to standard error.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::outcome::Failure;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// Comma separated values (RFC 4180).
    Csv,
}

/// Rows under headings, and the same as JSON.
pub struct Listing {
    /// Headings.
    pub head: Vec<&'static str>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
    /// The same for programs.
    pub json: Value,
}

impl Listing {
    /// Prints in the format asked for.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn print(&self, format: Format) -> Result<(), Failure> {
        match format {
            Format::Table if self.rows.is_empty() => line("nothing found"),
            Format::Table => line(&self.table()),
            Format::Json => json(&self.json),
            Format::Csv => {
                write!(std::io::stdout().lock(), "{}", self.csv()?)?;
                Ok(())
            }
        }
    }

    /// A table as wide as the terminal, if there is one.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(self.head.iter().copied());
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| printable(cell)));
        }
        table.to_string()
    }

    /// Comma separated values (RFC 4180) in which no spreadsheet finds a formula.
    ///
    /// # Errors
    /// When a row has not as many cells as there are headings.
    pub fn csv(&self) -> Result<String, Failure> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed = |fault: csv::Error| Failure::Failed(fault.to_string());
        writer.write_record(&self.head).map_err(failed)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(|cell| harmless(cell))).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|fault| Failure::Failed(fault.to_string()))?;
        String::from_utf8(bytes).map_err(|fault| Failure::Failed(fault.to_string()))
    }
}

/// Prints JSON.
///
/// # Errors
/// When standard output is closed.
pub fn json(value: &Value) -> Result<(), Failure> {
    line(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Prints a line. A reader that went away (`| head`) ends the program quietly.
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

/// Says something to the person at the terminal.
pub fn tell(text: &str) {
    let mut err = std::io::stderr().lock();
    drop(writeln!(err, "{text}"));
}

/// No terminal escape gets through from the data.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{FFFD}' } else { c }).collect()
}

/// At most so many characters, the last of them `…` when there were more.
pub fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A spreadsheet must not take a cell for a formula. The dash that people see for nothing is an empty cell.
fn harmless(cell: &str) -> String {
    match cell.chars().next() {
        Some('-') if cell.len() == 1 => String::new(),
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\0') => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

/// A time, absolute and with its zone.
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A time that may be absent.
pub fn time_or_dash(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}

/// The data of an event's bytes.
pub fn data(body: &[u8]) -> Value {
    serde_json::from_slice::<Value>(body).map(|mut event| event["data"].take()).unwrap_or_default()
}

/// What an event says in words: what somebody wrote, whom a mail was for, and what went wrong.
pub fn said(data: &Value) -> String {
    let names = ["comment", "justification", "reason", "message", "cause", "recipient", "error"];
    names.iter().filter_map(|name| data[*name].as_str()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_formula_and_no_escape_gets_out() {
        assert_eq!(harmless("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(harmless(&time_or_dash(None)), "", "a dash stands for nothing");
        assert_eq!(harmless("-1"), "'-1");
        assert_eq!(printable("a\u{1b}[31mb"), "a\u{FFFD}[31mb");
    }
}
