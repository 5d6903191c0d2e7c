//! The words of a mail, as text and HTML, from one set of facts. Free text of the engineer is not among them.

use askama::Template;
use chrono::{DateTime, Utc};
use contracts::notices::{Mail, SettingsMail};
use domain::titles;

/// A mail's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// Subject: stable per request, so that mail programs thread.
    pub subject: String,
    /// Plain text, complete on its own.
    pub text: String,
    /// HTML with the same words.
    pub html: String,
}

/// What both templates are filled with.
struct Words {
    greeting: String,
    headline: String,
    lines: Vec<String>,
    rows: Vec<(&'static str, String)>,
    link: String,
    host: String,
}

#[derive(Template)]
#[template(path = "mail.txt", escape = "none")]
struct Text<'a> {
    words: &'a Words,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    words: &'a Words,
}

/// Times are absolute and name their zone.
fn time(at: DateTime<Utc>) -> String {
    at.format("%A %d %B %Y, %H:%M:%S UTC").to_string()
}

/// A duration as people say it.
fn duration(seconds: i64) -> String {
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

/// Writes a mail.
///
/// # Errors
/// When a template fails.
pub fn compose(mail: &Mail, portal_url: &str) -> Result<Composed, askama::Error> {
    let words = words(mail, portal_url);
    // The same for every mail of a request, which some mail programs thread by; what happened is said first below.
    let service = titles::service(&mail.service);
    let subject = format!("[Lockbox] {} {}: access to {service}", mail.tenant_name, mail.service_request);
    finish(&subject, &words)
}

/// Writes a mail about changed settings.
///
/// # Errors
/// When a template fails.
pub fn compose_settings(mail: &SettingsMail, portal_url: &str) -> Result<Composed, askama::Error> {
    let mut lines = vec!["These settings count for requests from now on:".to_owned()];
    lines.extend(mail.changes.iter().cloned());
    let words = Words {
        greeting: greeting(&mail.recipient.name),
        headline: "Settings changed".to_owned(),
        lines,
        rows: vec![
            ("Customer", mail.tenant_name.clone()),
            ("Changed by", mail.by_name.clone()),
            ("Happened", time(mail.happened_at)),
        ],
        link: format!("{portal_url}/settings"),
        host: host(portal_url),
    };
    let subject = format!("[Lockbox] {}: settings", mail.tenant_name);
    finish(&subject, &words)
}

fn greeting(name: &str) -> String {
    if name.is_empty() { "Hello,".to_owned() } else { format!("Hello {name},") }
}

fn host(portal_url: &str) -> String {
    portal_url.split("://").last().unwrap_or(portal_url).to_owned()
}

fn finish(subject: &str, words: &Words) -> Result<Composed, askama::Error> {
    Ok(Composed {
        // A header is one line, whatever a name holds.
        subject: subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        text: Text { words }.render()?,
        html: Html { words }.render()?,
    })
}

fn words(mail: &Mail, portal_url: &str) -> Words {
    let (headline, mut lines) = story(mail);
    lines.extend(mail.also_open.map(also_open));
    let mut rows = vec![
        ("Customer", mail.tenant_name.clone()),
        ("Service request", mail.service_request.clone()),
        ("Service", titles::service(&mail.service)),
        ("Engineer", mail.requester_name.clone()),
        ("Time asked for", duration(mail.duration_seconds)),
    ];
    if let Some(at) = mail.decide_by {
        rows.push(("Answer before", time(at)));
    }
    if let Some(at) = mail.access_from {
        rows.push(("Access from", time(at)));
    }
    if let Some(at) = mail.access_until {
        rows.push(("Access until", time(at)));
    }
    rows.push(("Happened", time(mail.happened_at)));
    Words {
        greeting: greeting(&mail.recipient.name),
        headline: titles::capital(headline),
        lines,
        rows,
        link: format!("{portal_url}/requests/{}", mail.request),
        host: host(portal_url),
    }
}

/// What an end leaves open: a person who ends access means the content, not the request.
fn also_open(count: u32) -> String {
    let requests = if count == 1 { "1 other request".to_owned() } else { format!("{count} other requests") };
    format!("Access to the same content is still open under {requests}. The page below names them and can revoke all.")
}

fn say(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn story(mail: &Mail) -> (&'static str, Vec<String>) {
    match mail.template.as_str() {
        "review_needed" => (
            "an access request waits for your review",
            say(&[
                "An engineer asks for access to a customer's content.",
                "The customer is asked only if you say yes. Without an answer in time the request expires.",
            ]),
        ),
        "decision_needed" => (
            "an access request waits for your decision",
            say(&[
                "The vendor asks for access to your content, and its manager has agreed.",
                "Nobody gets access unless you approve. Without an answer in time the request expires and nothing is opened.",
            ]),
        ),
        "reminder" => (
            "an access request still waits for your decision",
            say(&[
                "The vendor asks for access to your content, and nobody has answered yet.",
                "Nobody gets access unless you approve. Without an answer in time the request expires and nothing is opened.",
            ]),
        ),
        "commented" => (
            "there is a new message about an access request",
            say(&["Somebody asked or answered something. Sign in to read it: what people write stays out of mail."]),
        ),
        "manager_rejected" => {
            ("the manager said no", say(&["The vendor's manager rejected the request. The customer was not asked."]))
        }
        "customer_rejected" => {
            ("the customer said no", say(&["The customer rejected the request. No access was opened."]))
        }
        "granted" => (
            "access is open",
            say(&["Both sides said yes. Access ends by itself at the time below; either side can end it earlier."]),
        ),
        "ended" => {
            let cause = match mail.cause.as_deref() {
                Some("time") => "The time asked for is over.",
                Some("customer") => "The customer ended it.",
                Some("vendor") => "The vendor's manager ended it.",
                Some("engineer") => "The engineer handed it back.",
                Some("ticket_closed") => "The service request was closed.",
                Some("person_disabled") => "The engineer's account was disabled.",
                _ => "It is over.",
            };
            ("access has ended", say(&["Access to the content has ended.", cause]))
        }
        "expired" => {
            let who = match mail.cause.as_deref() {
                Some("manager") => "The vendor's manager did not answer in time.",
                _ => "The customer did not answer in time.",
            };
            (
                "the request expired unanswered",
                say(&[who, "Nobody decided, and no access was opened. A new request is needed."]),
            )
        }
        "withdrawn" => ("the request was withdrawn", say(&["The request was taken back before anybody got access."])),
        other => aside(other),
    }
}

/// What is told beside the usual way of a request.
fn aside(template: &str) -> (&'static str, Vec<String>) {
    match template {
        "emergency_granted" => (
            "EMERGENCY: access is open",
            say(&[
                "Two managers of the vendor have opened access in an emergency, under the consent that your side gave beforehand.",
                "Every approver can end it at any moment. A review is owed afterwards.",
            ]),
        ),
        "emergency_ended" => (
            "EMERGENCY: access has ended, and a review is owed",
            say(&[
                "The emergency access to the content has ended.",
                "Read its closing report, and accept or dispute it: until an approver does, the review stays owed.",
            ]),
        ),
        "end_unconfirmed" => (
            "ALARM: the end of access is not confirmed",
            say(&[
                "Access is over and the gate refuses, but for more than a minute the system behind it has not been seen closed.",
                "It is tried again without end. The request's page says when it is confirmed.",
            ]),
        ),
        "report_disputed" => (
            "the customer disputes the closing report",
            say(&["The customer does not agree with how the access was used or ended. Sign in to read what they say."]),
        ),
        _ => ("news about an access request", Vec::new()),
    }
}

#[cfg(test)]
mod tests;
