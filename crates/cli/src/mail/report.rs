//! Reads mail to the sender's address: reports of failed deliveries (RFC 3464, RFC 6533, and the texts of servers without
//! such reports) with the recipients that failed. Other mail is recognized as such.

mod parts;
mod status;
mod text;

use mail_parser::{Message, MessageParser, PartType};
use uuid::Uuid;

use parts::is;
use status::Status;

/// Largest number of Lockbox mails that one report is compared with.
const CANDIDATES: usize = 10;
/// Length of a UUID as text.
const UUID_LENGTH: usize = 36;
/// Header with the identity of a Lockbox mail.
const OWN_HEADER: &str = "x-lockbox-notification:";

/// Kind of a mail to the sender's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// Not a report of a delivery; its kind in words.
    Other(&'static str),
    /// A report without a permanent failure.
    NothingFailed,
    /// A report of a failed delivery.
    Failed(Report),
}

/// The report of a mail server about a Lockbox mail that it did not deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// The mails that it may be about, the likeliest first. Only a mail that Lockbox sent counts.
    pub about: Vec<Identity>,
    /// Name of the server that wrote the report, if it is given.
    pub reporter: Option<String>,
    /// For each failed recipient: the text of the server, in one line.
    pub failed: Vec<String>,
}

/// Identity of a Lockbox mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Id of the notification.
    pub notification: Uuid,
    /// The request of the notification, if it has one.
    pub request: Option<Uuid>,
}

impl Incoming {
    /// Reads a mail.
    pub fn read(raw: &[u8]) -> Self {
        let Some(mail) = MessageParser::default().parse(raw) else { return Self::Other("not a mail") };
        let status = Status::of(&mail);
        let failed = match &status {
            Some(status) if !status.failed.is_empty() => status.failed.clone(),
            Some(status) if status.is_readable => return Self::NothingFailed,
            // A status part without a status is a report too: its text counts, or it raises an alarm.
            Some(_) if text::is_delay(&mail) => return Self::NothingFailed,
            Some(_) => text::failed(&mail).unwrap_or_else(|| vec!["the report does not state what failed".to_owned()]),
            None if is_receipt(&mail) => return Self::Other("a read receipt"),
            None => match text::failed(&mail) {
                Some(_) if text::is_delay(&mail) => return Self::NothingFailed,
                Some(failed) => failed,
                None if text::is_automatic(&mail) => return Self::Other("an automatic reply"),
                None => return Self::Other("a reply or another mail"),
            },
        };
        let reporter = status.and_then(|status| status.reporter);
        Self::Failed(Report { about: identities(&mail, raw), reporter, failed })
    }
}

/// Whether the mail is a read receipt (RFC 8098).
fn is_receipt(mail: &Message<'_>) -> bool {
    mail.parts.iter().any(|part| is(part, "message", "disposition-notification"))
}

/// The Lockbox mails that a report names: first in the returned mail, then in the other parts and the text. Some servers replace
/// the `Message-ID` and keep the header of Lockbox, or store the old one under another name.
fn identities(mail: &Message<'_>, raw: &[u8]) -> Vec<Identity> {
    let returned = mail.parts.iter().filter(|part| {
        let names =
            [("message", "rfc822"), ("message", "global"), ("message", "global-headers"), ("text", "rfc822-headers")];
        names.iter().any(|(kind, subtype)| is(part, kind, subtype))
    });
    let returned = returned.map(|part| match &part.body {
        PartType::Message(inside) => inside.raw_message(),
        _ => part.contents(),
    });
    let parts = mail.parts.iter().map(mail_parser::MessagePart::contents);
    let mut found: Vec<Identity> = Vec::new();
    for bytes in returned.chain(parts).chain([raw]) {
        for identity in named_in(&String::from_utf8_lossy(bytes)) {
            if !found.contains(&identity) && found.len() < CANDIDATES {
                found.push(identity);
            }
        }
    }
    found
}

/// Identities in a text: `notification.request`, or `notification` alone before an `@` or in the header of Lockbox.
fn named_in(text: &str) -> Vec<Identity> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut before = "";
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let word = &rest[start..];
        let length = word.find(|c: char| !(c.is_ascii_hexdigit() || c == '-' || c == '.')).unwrap_or(word.len());
        let (word, after) = word.split_at(length);
        let head = if start > 0 { &rest[..start] } else { before };
        let is_whole = !head.ends_with(['-', '_']) && !head.ends_with(|c: char| c.is_ascii_alphanumeric());
        let is_own = after.starts_with('@') || head.to_ascii_lowercase().trim_end().ends_with(OWN_HEADER);
        if is_whole {
            found.extend(identity(word.trim_end_matches('.'), is_own));
        }
        before = word;
        rest = after;
    }
    found
}

fn identity(word: &str, is_own: bool) -> Option<Identity> {
    let uuid = |text: &str| if text.len() == UUID_LENGTH { text.parse::<Uuid>().ok() } else { None };
    match word.split_once('.') {
        Some((notification, request)) => {
            Some(Identity { notification: uuid(notification)?, request: Some(uuid(request)?) })
        }
        None if is_own => Some(Identity { notification: uuid(word)?, request: None }),
        None => None,
    }
}

#[cfg(test)]
mod tests;
