//! Composes a mail as plain text and HTML from the same facts. The requester's free text is not one of them.

use askama::Template;
use contracts::notifications::{Mail, SettingsMail};
use domain::titles;

mod receipt;
mod templates;
mod times;

use templates::message;
use times::{duration, time};

/// A composed mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// Subject: the same for all mails of a request, so that mail programs show one thread.
    pub subject: String,
    /// Plain text, complete on its own.
    pub text: String,
    /// HTML with the same content.
    pub html: String,
}

/// The content of both templates.
struct Words {
    greeting: String,
    headline: String,
    lines: Vec<String>,
    rows: Vec<(&'static str, String)>,
    /// What to do if the person did not act.
    notes: Vec<String>,
    /// Label of the link.
    action: &'static str,
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

/// Composes a mail about a request.
///
/// # Errors
/// When a template fails.
pub fn compose(mail: &Mail, portal_url: &str) -> Result<Composed, askama::Error> {
    let words = words(mail, portal_url);
    // Some mail programs build threads from equal subjects. The text says first what happened.
    let service = titles::service(&mail.service);
    let subject = format!("[Lockbox] {} {}: access to {service}", mail.tenant_name, mail.service_request);
    finish(&subject, &words)
}

/// Composes a mail about changed settings, people, passkeys or tokens.
///
/// # Errors
/// When a template fails.
pub fn compose_settings(mail: &SettingsMail, portal_url: &str) -> Result<Composed, askama::Error> {
    let (headline, first, page) = templates::settings(mail);
    let mut lines: Vec<String> = first.map(str::to_owned).into_iter().collect();
    lines.extend(mail.changes.iter().map(|change| format!("{}.", titles::capital(change.trim_end_matches('.')))));
    let mut rows = Vec::new();
    if let Some(name) = &mail.tenant_name {
        rows.push(("Customer", name.clone()));
    }
    rows.push(("Changed by", mail.by_name.clone()));
    rows.extend(receipt::rows(&mail.receipt));
    rows.push(("Time", time(mail.happened_at)));
    let words = Words {
        greeting: greeting(&mail.recipient.name),
        headline: headline.to_owned(),
        lines,
        rows,
        notes: receipt::notes(&mail.receipt, &mail.by_name),
        action: "Check the change in the portal",
        link: format!("{portal_url}{page}"),
        host: host(portal_url),
    };
    let subject = match &mail.tenant_name {
        Some(name) => format!("[Lockbox] {name}: {}", templates::subject(mail)),
        None => format!("[Lockbox] {}", titles::capital(templates::subject(mail))),
    };
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
        // A header is one line, even if a name contains line breaks.
        subject: subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        text: Text { words }.render()?,
        html: Html { words }.render()?,
    })
}

fn words(mail: &Mail, portal_url: &str) -> Words {
    let (headline, mut lines) = message(mail);
    lines.extend(mail.also_open.map(also_open));
    let mut rows = vec![
        ("Customer", mail.tenant_name.clone()),
        ("Service request", mail.service_request.clone()),
        ("Service", titles::service(&mail.service)),
        ("Requester", mail.requester_name.clone()),
        ("Requested duration", duration(mail.duration_seconds)),
    ];
    if let Some(at) = mail.decision_deadline {
        rows.push(("Expires", time(at)));
    }
    if let Some(at) = mail.access_from {
        rows.push(("Access from", time(at)));
    }
    if let Some(at) = mail.access_until {
        rows.push(("Access until", time(at)));
    }
    if let Some(receipt) = &mail.receipt {
        rows.push(("Recorded in the audit log", format!("{} {}", receipt.person_name, receipt.action)));
        rows.extend(receipt::rows(receipt));
    }
    rows.push(("Time", time(mail.happened_at)));
    Words {
        greeting: greeting(&mail.recipient.name),
        headline: titles::capital(headline),
        lines,
        rows,
        notes: mail.receipt.as_ref().map_or_else(Vec::new, |receipt| receipt::notes(receipt, &receipt.person_name)),
        action: "Open the request",
        link: format!("{portal_url}/requests/{}", mail.request),
        host: host(portal_url),
    }
}

/// The requests under which access to the same content stays active. A person who revokes access means the content.
fn also_open(count: u32) -> String {
    let requests = if count == 1 { "1 other request".to_owned() } else { format!("{count} other requests") };
    format!(
        "Access to the same content is still active under {requests}. The page of the request lists them, and you can revoke all of them there."
    )
}

#[cfg(test)]
mod tests;
