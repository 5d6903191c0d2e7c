//! Reports that are written for people only: Exim, qmail, and other servers that write no status part.

use mail_parser::Message;

use super::parts::one_line;

/// Parts of the subjects of reports, in lower case.
const SUBJECTS: [&str; 16] = [
    "undeliver",
    "returned mail",
    "failure notice",
    "mail delivery failed",
    "delivery failure",
    "delivery failed",
    "delivery status",
    "delivery has failed",
    "delivery notification",
    "mail failure",
    "mail system error",
    "message not delivered",
    "could not be delivered",
    "non delivery",
    "mail failed",
    "error sending your mail",
];
/// Parts of the senders of reports, in lower case: some write a name without an address.
const SENDERS: [&str; 6] =
    ["mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "mail delivery", "mail.delivery.system"];
/// Texts about a mail whose delivery is still attempted.
const DELAYS: [&str; 7] = [
    "(delay)",
    "delayed",
    "delivery delay",
    "warning: message",
    "has not been delivered yet",
    "not yet been delivered",
    "will continue to be attempted",
];
/// First words of a report of qmail.
const QMAIL: &str = "hi. this is the";

/// A header as text.
fn header(mail: &Message<'_>, name: &'static str) -> Option<String> {
    mail.header_raw(name).map(one_line).filter(|value| !value.is_empty())
}

/// The text of a mail.
pub(super) fn body(mail: &Message<'_>) -> String {
    mail.body_text(0).unwrap_or_default().replace("\r\n", "\n")
}

/// Whether the mail states that a program wrote it (RFC 3834 and earlier headers).
pub(super) fn is_automatic(mail: &Message<'_>) -> bool {
    let submitted = header(mail, "Auto-Submitted").is_some_and(|value| !value.eq_ignore_ascii_case("no"));
    let precedence = header(mail, "Precedence").unwrap_or_default().to_lowercase();
    submitted
        || ["X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress"].iter().any(|name| header(mail, name).is_some())
        || precedence == "auto_reply"
}

/// Whether the report states that delivery is still attempted.
pub(super) fn is_delay(mail: &Message<'_>) -> bool {
    let text = format!("{}\n{}", mail.subject().unwrap_or_default(), one_line(&body(mail))).to_lowercase();
    DELAYS.iter().any(|words| text.contains(words))
}

/// The failed recipients with their reasons; `None` when the mail is not a report.
pub(super) fn failed(mail: &Message<'_>) -> Option<Vec<String>> {
    let text = body(mail);
    if let Some(recipients) = header(mail, "X-Failed-Recipients") {
        let recipients = recipients.split(',').map(str::trim).filter(|recipient| !recipient.is_empty());
        return Some(recipients.map(|recipient| format!("{} ({recipient})", reason(&text, recipient))).collect());
    }
    let start: String = text.trim_start().to_lowercase().chars().take(400).collect();
    if start.contains(QMAIL) {
        let failures = qmail(&text);
        return Some(if failures.is_empty() { vec![reason(&text, "")] } else { failures });
    }
    let subject = mail.subject().unwrap_or_default().to_lowercase();
    let from = header(mail, "From").unwrap_or_default().to_lowercase();
    let by_daemon = SENDERS.iter().any(|sender| from.contains(sender))
        || header(mail, "Return-Path").is_some_and(|path| path == "<>");
    let is_report = by_daemon && SUBJECTS.iter().any(|words| subject.contains(words));
    is_report.then(|| vec![one_line(&reason(&text, ""))])
}

/// The paragraphs of a qmail report: `<address>:` and the reason below it. The original mail follows the line.
fn qmail(text: &str) -> Vec<String> {
    let report = text.split("--- Below this line").next().unwrap_or_default();
    let failures = report.split("\n\n").filter_map(|paragraph| {
        let (recipient, reason) = paragraph.trim_start().strip_prefix('<')?.split_once(">:")?;
        Some(one_line(&format!("{} ({recipient})", one_line(reason))))
    });
    failures.collect()
}

/// The reason: the paragraph with an SMTP reply code, else the paragraph that names the recipient, else the first paragraph.
pub(super) fn reason(text: &str, recipient: &str) -> String {
    let paragraphs = || text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    let coded = paragraphs().find(|paragraph| has_code(paragraph));
    let named = paragraphs().find(|paragraph| !recipient.is_empty() && paragraph.contains(recipient));
    let found = coded.or(named).or_else(|| paragraphs().next());
    let reason = found.map(one_line).unwrap_or_default();
    let reason = if recipient.is_empty() { reason.as_str() } else { reason.trim_start_matches(recipient).trim() };
    if reason.is_empty() { "no reason given".to_owned() } else { reason.to_owned() }
}

/// Whether a text contains a permanent reply: three digits that begin with 5, or an enhanced status such as 5.1.1.
fn has_code(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.')).any(|word| {
        let word = word.trim_matches('.');
        let is_reply = word.len() == 3 && word.chars().all(|c| c.is_ascii_digit());
        let is_status = word.split('.').count() == 3 && word.len() <= 8;
        word.starts_with('5') && (is_reply || is_status)
    })
}
