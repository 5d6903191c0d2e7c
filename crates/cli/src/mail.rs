//! `lockbox mail bounce`: reads what comes to the sender's address, from a mail server's pipe.

mod report;

use std::io::Read;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use contracts::Kind;
use contracts::commands::ReportNotification;
use contracts::envelope::{About, message};
use store::Store;
use store::audit::{AuditFilter, AuditRow};
use uuid::Uuid;
use workers::mail::Mailer;
use workers::settle::Outcome;

use super::commands::publish;
use report::{Identity, Incoming, Report};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{data, line};
use runtime::serve::open_store;

/// Longest mail that is read, in bytes: a report holds the mail it is about, and ours are short.
const LIMIT_BYTES: u64 = 1024 * 1024;
/// A mail server may return a mail before the audit log has the event that it was sent: this long is waited for that.
const PATIENCE: Duration = Duration::from_secs(5);
/// Mails about settings belong to no request; those of this many days are searched.
const DAYS: i64 = 14;
/// Header of a mail that was passed on once, so that two of our addresses never pass it to and fro.
const FORWARDED: &str = "X-Lockbox-Forwarded";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Read a mail to the sender's address from standard input and record in the audit log what was not delivered.
    ///
    /// Reports of failed deliveries (RFC 3464, RFC 6533, and the texts of Exim, qmail and others) are recorded once.
    /// Everything else, such as an automatic reply, is logged and ignored, with exit code 0. Another exit code means that
    /// the mail server must try again: `lockbox: "|/usr/local/bin/lockbox mail bounce || exit 75"`.
    Bounce(Bounce),
}

/// Options of `bounce`.
#[derive(Args, Debug)]
pub struct Bounce {
    /// Forward what is no report, and reports about no mail of ours, to this address.
    #[arg(long, value_name = "ADDRESS")]
    unread: Option<String>,
}

impl MailCommand {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let Self::Bounce(options) = self;
        let mut raw = Vec::new();
        std::io::stdin().take(LIMIT_BYTES).read_to_end(&mut raw)?;
        match Incoming::read(&raw) {
            Incoming::Other(what) => {
                tracing::warn!(
                    what,
                    forwarded_to = options.unread.as_deref(),
                    "not a report of a failed delivery: ignored"
                );
                options.forward(settings, &raw).await
            }
            Incoming::NothingFailed => line("nothing failed for good; nothing to do"),
            Incoming::Failed(report) => {
                let store = open_store(settings).await?;
                store.check_schema().await?;
                match find(&store, &report.about).await? {
                    Some((sent, notification)) => record(settings, &store, &sent, notification, &report).await,
                    None => {
                        let failed = report.failed.join("; ");
                        tracing::error!(
                            failed,
                            "ALARM: a report of a failed delivery names no mail that was sent from here"
                        );
                        options.forward(settings, &raw).await
                    }
                }
            }
        }
    }
}

impl Bounce {
    async fn forward(&self, settings: &Settings, raw: &[u8]) -> Result<(), Failure> {
        let Some(address) = &self.unread else { return Ok(()) };
        let head = raw.split(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
        if head.into_iter().any(|line| line.starts_with(FORWARDED.as_bytes())) {
            return Ok(());
        }
        // A pipe puts the mailbox format's first line in front, which is no header.
        let start = if raw.starts_with(b"From ") {
            raw.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1)
        } else {
            0
        };
        let mail = [format!("{FORWARDED}: 1\r\n").as_bytes(), &raw[start..]].concat();
        let mailer = Mailer::new(&settings.mail).map_err(|fault| Failure::Usage(workers::error_chain(&fault)))?;
        match mailer.forward(address, &mail).await {
            Outcome::Done => Ok(()),
            Outcome::Permanent(reason) => {
                tracing::error!(to = address, reason, "not forwarded");
                Ok(())
            }
            Outcome::Transient(reason) | Outcome::Unavailable(reason) => Err(Failure::Unreachable(reason)),
        }
    }
}

/// Records that a mail was not delivered, once.
async fn record(
    settings: &Settings,
    store: &Store,
    sent: &AuditRow,
    notification: Uuid,
    report: &Report,
) -> Result<(), Failure> {
    let request = sent.request;
    if is_known(store, request, notification).await? {
        return line("this bounce is in the audit log already");
    }
    let told = data(&sent.body);
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let envelope = serde_json::from_slice::<serde_json::Value>(&sent.body).unwrap_or_default();
    let asked = envelope["causationid"].as_str().and_then(|id| id.parse().ok()).unwrap_or(notification);
    let reporter = report.reporter.as_deref().map(|name| format!(" by {name}")).unwrap_or_default();
    let data = ReportNotification {
        message: asked,
        notification,
        request,
        service_request: sent.service_request.clone(),
        template: text("template"),
        recipient: text("recipient"),
        error: Some(format!("returned{reporter}: {}", report.failed.join("; "))),
    };
    let about = About { tenant: sent.tenant.clone(), request, channel: Some("bounce"), ..About::default() };
    let command = message(Kind::NotificationReport, store.clock().await?, about, &data);
    // Stored first; nobody waits for the outcome at the end of a mail server's pipe.
    store.enqueue(std::slice::from_ref(&command)).await?;
    publish(settings, std::slice::from_ref(&command)).await;
    line(&format!("recorded: the mail to {} was not delivered", data.recipient))
}

/// The event of the mail that a report is about: nobody can report a mail that was not sent.
async fn find(store: &Store, about: &[Identity]) -> Result<Option<(AuditRow, Uuid)>, Failure> {
    let started = Instant::now();
    while !about.is_empty() {
        for identity in about {
            if let Some(sent) = sent(store, *identity).await? {
                return Ok(Some((sent, identity.notification)));
            }
        }
        if started.elapsed() > PATIENCE {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(None)
}

async fn sent(store: &Store, identity: Identity) -> Result<Option<AuditRow>, Failure> {
    let since = store.clock().await? - chrono::TimeDelta::days(DAYS);
    let filter = AuditFilter {
        request: identity.request,
        type_name: Some("notification.sent".to_owned()),
        since: if identity.request.is_none() { Some(since) } else { None },
        limit: 100_000,
        ..AuditFilter::default()
    };
    let notification = identity.notification.to_string();
    let sent = store.search_audit(&filter).await?;
    Ok(sent.into_iter().find(|event| data(&event.body)["notification"].as_str() == Some(notification.as_str())))
}

async fn is_known(store: &Store, request: Option<Uuid>, notification: Uuid) -> Result<bool, Failure> {
    let filter = AuditFilter {
        request,
        type_name: Some("notification.failed".to_owned()),
        limit: 1000,
        ..AuditFilter::default()
    };
    let notification = notification.to_string();
    let failed = store.search_audit(&filter).await?;
    Ok(failed.iter().any(|event| data(&event.body)["notification"].as_str() == Some(notification.as_str())))
}
