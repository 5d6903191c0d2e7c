//! Reads what comes to the sender's address: reports of failed deliveries (RFC 3464, RFC 6533, and the texts of servers
//! that write none), and for whom they failed; everything else is told apart.

mod parts;
mod status;
mod text;

use mail_parser::{Message, MessageParser, PartType};
use uuid::Uuid;

use parts::is;
use status::Status;

/// Most mails of ours that one report is compared with.
const CANDIDATES: usize = 10;
/// Length of a UUID as text.
const UUID_LENGTH: usize = 36;
/// Name of the header that says which mail it is.
const OWN_HEADER: &str = "x-lockbox-notification:";

/// What a mail to the sender's address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// No report of a delivery; what it is instead.
    Other(&'static str),
    /// A report in which nothing failed for good.
    NothingFailed,
    /// A report of a failed delivery.
    Failed(Report),
}

/// What a mail server says of a mail of ours that it did not deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// The mails that it may be about, the likeliest first: only what was sent from here counts.
    pub about: Vec<Identity>,
    /// Name of the server that wrote it, if it says so.
    pub reporter: Option<String>,
    /// For each recipient that it failed for: what the server said, in one line.
    pub failed: Vec<String>,
}

/// Which mail of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Id of the notice.
    pub notification: Uuid,
    /// The request it was about, if it was about one.
    pub request: Option<Uuid>,
}

impl Incoming {
    /// Reads one.
    pub fn read(raw: &[u8]) -> Self {
        let Some(mail) = MessageParser::default().parse(raw) else { return Self::Other("not a mail") };
        let status = Status::of(&mail);
        let failed = match &status {
            Some(status) if !status.failed.is_empty() => status.failed.clone(),
            Some(status) if status.is_readable => return Self::NothingFailed,
            // A status part that says nothing is a report all the same: what is said in words counts, or an alarm.
            Some(_) if text::is_delay(&mail) => return Self::NothingFailed,
            Some(_) => text::failed(&mail).unwrap_or_else(|| vec!["the report does not say what failed".to_owned()]),
            None if is_receipt(&mail) => return Self::Other("a read receipt"),
            None => match text::failed(&mail) {
                Some(_) if text::is_delay(&mail) => return Self::NothingFailed,
                Some(failed) => failed,
                None if text::is_automatic(&mail) => return Self::Other("an automatic reply"),
                None => return Self::Other("an answer or another mail"),
            },
        };
        let reporter = status.and_then(|status| status.reporter);
        Self::Failed(Report { about: identities(&mail, raw), reporter, failed })
    }
}

/// Whether it says that somebody opened a mail (RFC 8098).
fn is_receipt(mail: &Message<'_>) -> bool {
    mail.parts.iter().any(|part| is(part, "message", "disposition-notification"))
}

/// Which mails of ours are named in it: in what came back first, then in what the report answers to and in its words.
/// Other servers replace the `Message-ID` and keep our own header, or keep the old one under another name.
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

/// Identities in a text: `notice.request`, or `notice` alone in front of an `@` or in our own header.
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
