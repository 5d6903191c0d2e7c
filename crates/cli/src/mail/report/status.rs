//! The machine-readable part of a report: RFC 3464, and RFC 6533 for addresses that are not ASCII.

use mail_parser::{Message, PartType};

use super::parts::{is, one_line};
use super::text;

/// Content of the status part.
pub(super) struct Status {
    /// Name of the server that wrote the report.
    pub reporter: Option<String>,
    /// Text for each failed recipient. A delay is not a failure.
    pub failed: Vec<String>,
    /// Whether the part states the outcome for at least one recipient.
    pub is_readable: bool,
}

impl Status {
    /// The status part of a mail, if it has one.
    pub fn of(mail: &Message<'_>) -> Option<Self> {
        let part = mail
            .parts
            .iter()
            .find(|part| is(part, "message", "delivery-status") || is(part, "message", "global-delivery-status"))?;
        let bytes = match &part.body {
            PartType::Message(inside) => inside.raw_message(),
            _ => part.contents(),
        };
        Some(Self::read(&String::from_utf8_lossy(bytes), &text::body(mail)))
    }

    /// Reads the part. The text of the report gives the reason where the part does not.
    fn read(status: &str, words: &str) -> Self {
        let unfolded = status.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
        let blocks = || unfolded.split("\n\n");
        let reporter = blocks().find_map(|block| field(block, "reporting-mta")).map(|mta| behind_type(mta).to_owned());
        let outcomes: Vec<(&str, bool)> =
            blocks().filter_map(|block| has_failed(block).map(|failed| (block, failed))).collect();
        let failed = outcomes.iter().filter(|(_, failed)| *failed).map(|(block, _)| said(block, words));
        Self {
            reporter: reporter.filter(|name| !name.is_empty()),
            failed: failed.collect(),
            is_readable: !outcomes.is_empty(),
        }
    }
}

/// Whether the mail failed for the recipient of a block; `None` when the block does not state it. The first block is about the
/// mail.
fn has_failed(block: &str) -> Option<bool> {
    match field(block, "action").map(str::to_ascii_lowercase).as_deref() {
        // Some servers have a name of their own for the end of their attempts.
        Some("failed" | "expired") => Some(true),
        Some("delayed" | "delivered" | "relayed" | "expanded") => Some(false),
        _ => field(block, "status").and_then(|status| status.chars().next()).map(|class| class == '5'),
    }
}

fn said(block: &str, words: &str) -> String {
    let said = field(block, "diagnostic-code").map(behind_type).filter(|said| !said.is_empty()).map(str::to_owned);
    let status = field(block, "status").unwrap_or("5.0.0");
    let who = field(block, "final-recipient").or_else(|| field(block, "original-recipient")).map_or("", behind_type);
    let said = said.unwrap_or_else(|| text::reason(words, who));
    one_line(&format!("{said} ({status}, {who})"))
}

/// A value without its type, as in `dns; mx.contoso.example`.
fn behind_type(value: &str) -> &str {
    value.split_once(';').map_or(value, |(_, value)| value).trim()
}

/// The value of a field in a block.
fn field<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    let fields = block.lines().filter_map(|line| line.split_once(':'));
    fields.filter(|(found, _)| found.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}
