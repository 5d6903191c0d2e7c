//! `lockbox mail bounce`: processes mail to the sender's address, which a mail server pipes in.

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

use super::publish::publish;
use report::{Identity, Incoming, Report};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{data, line};
use runtime::serve::open_store;

/// Largest mail that is read, in bytes. A report contains the mail that it is about, and mails of Lockbox are short.
const LIMIT_BYTES: u64 = 1024 * 1024;
/// Time to wait for the event of the sent mail: a mail server may return a mail before the audit log has its event.
const PATIENCE: Duration = Duration::from_secs(5);
/// Days of mails to search that belong to no request, such as mails about settings.
const DAYS: i64 = 14;
/// Header of a mail that was forwarded once. It stops a loop between two addresses of Lockbox.
const FORWARDED: &str = "X-Lockbox-Forwarded";

/// Mail commands.
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Read a bounced mail from standard input and record the failed delivery in the audit log.
    ///
    /// Reports of failed deliveries (RFC 3464, RFC 6533, and the texts of Exim, qmail and others) are recorded once. All
    /// other mail, such as an automatic reply, is logged and ignored, with exit code 0. With another exit code the mail
    /// server must try again.
    #[command(
        after_help = "Example, in the aliases of a mail server:\n  lockbox: \"|/usr/local/bin/lockbox mail bounce || exit 75\""
    )]
    Bounce(Bounce),
}

/// Options of `bounce`.
#[derive(Args, Debug)]
pub struct Bounce {
    /// Forward other mail, and reports about mail that Lockbox did not send, to this address.
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
                    "ignored a mail that is not a report of a failed delivery"
                );
                options.forward(settings, &raw).await
            }
            Incoming::NothingFailed => line("the report states no permanent failure; nothing to do"),
            Incoming::Failed(report) => {
                let store = open_store(settings).await?;
                store.check_schema().await?;
                match find(&store, &report.about).await? {
                    Some((sent, notification)) => record(settings, &store, &sent, notification, &report).await,
                    None => {
                        let failed = report.failed.join("; ");
                        tracing::error!(failed, "ALARM: a report of a failed delivery names no mail that Lockbox sent");
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
        // A pipe adds the first line of the mbox format, which is not a header.
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
                tracing::error!(to = address, reason, "a mail was not forwarded");
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
        return line("this bounce is already in the audit log");
    }
    let event = data(&sent.body);
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let envelope = serde_json::from_slice::<serde_json::Value>(&sent.body).unwrap_or_default();
    let command = envelope["causationid"].as_str().and_then(|id| id.parse().ok()).unwrap_or(notification);
    let reporter = report.reporter.as_deref().map(|name| format!(" by {name}")).unwrap_or_default();
    let data = ReportNotification {
        message: command,
        notification,
        request,
        service_request: sent.service_request.clone(),
        template: text("template"),
        recipient: text("recipient"),
        error: Some(format!("returned{reporter}: {}", report.failed.join("; "))),
    };
    let about = About { tenant: sent.tenant.clone(), request, channel: Some("bounce"), ..About::default() };
    let report = message(Kind::NotificationReport, store.clock().await?, about, &data);
    // Stored first; the mail server does not wait for the outcome.
    store.enqueue(std::slice::from_ref(&report)).await?;
    publish(settings, std::slice::from_ref(&report)).await;
    line(&format!("recorded: the mail to {} was not delivered", data.recipient))
}

/// The event of the mail that a report is about. A report about a mail that was not sent has none.
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
