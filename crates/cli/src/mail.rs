//! `lockbox mail bounce`: takes a mail that came back, from a mail server's pipe.

mod report;

use std::io::Read;

use clap::Subcommand;
use contracts::Kind;
use contracts::commands::ReportNotice;
use contracts::envelope::{About, message};
use store::audit::{AuditFilter, AuditRow};
use uuid::Uuid;

use super::clicks::publish;
use report::Report;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{data, line};
use runtime::serve::open_store;

/// Longest mail that is read, in bytes: a report holds the mail it is about, and ours are short.
const LIMIT_BYTES: u64 = 1024 * 1024;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Read a delivery status notification (RFC 3464) from standard input and put what did not arrive on record.
    Bounce,
}

impl MailCommand {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let Self::Bounce = self;
        let mut raw = Vec::new();
        std::io::stdin().take(LIMIT_BYTES).read_to_end(&mut raw)?;
        let report = Report::read(&raw).map_err(|why| Failure::Failed(why.to_owned()))?;
        if report.failed.is_empty() {
            return line("nothing failed for good; nothing to do");
        }
        let store = open_store(settings).await?;
        store.check_schema().await?;
        let sent = find(&store, &report.message_id).await?;
        let request = sent.request;
        let told = data(&sent.body);
        let Some(notice) = told["notice"].as_str().and_then(|id| id.parse::<Uuid>().ok()) else {
            return Err(Failure::Failed("the record of this mail names no notice".to_owned()));
        };
        if is_known(&store, request, notice).await? {
            return line("this bounce is on record already");
        }
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        let envelope = serde_json::from_slice::<serde_json::Value>(&sent.body).unwrap_or_default();
        let asked = envelope["causationid"].as_str().and_then(|id| id.parse().ok()).unwrap_or(notice);
        let report = ReportNotice {
            message: asked,
            notice,
            request,
            service_request: sent.service_request.clone(),
            template: text("template"),
            recipient: text("recipient"),
            error: Some(format!("it came back: {}", report.failed.join("; "))),
        };
        let recipient = report.recipient.clone();
        let about = About { request, channel: Some("cli"), ..About::default() };
        let command = message(Kind::NoticeReport, store.clock().await?, about, &report);
        // Kept first; nobody waits for the outcome at the end of a mail server's pipe.
        store.enqueue(std::slice::from_ref(&command)).await?;
        publish(settings, std::slice::from_ref(&command)).await;
        line(&format!("on record: {recipient} was not told"))
    }
}

/// The record of the mail with this `Message-ID`: nobody can report a mail that we did not send.
async fn find(store: &store::Store, message_id: &str) -> Result<AuditRow, Failure> {
    let local = message_id.split('@').next().unwrap_or_default();
    let request = local.split_once('.').and_then(|(_, request)| request.parse::<Uuid>().ok());
    let filter = AuditFilter {
        request,
        type_name: Some("notice.sent".to_owned()),
        // Mails about settings belong to no request; those of the last days are looked through.
        since: if request.is_none() { Some(store.clock().await? - chrono::TimeDelta::days(14)) } else { None },
        limit: 100_000,
        ..AuditFilter::default()
    };
    let full = format!("<{message_id}>");
    let sent = store.search_audit(&filter).await?;
    let ours = sent.into_iter().find(|event| data(&event.body)["mail_message_id"].as_str() == Some(full.as_str()));
    ours.ok_or_else(|| Failure::NotFound(format!("no mail {full} was sent from here")))
}

async fn is_known(store: &store::Store, request: Option<Uuid>, notice: Uuid) -> Result<bool, Failure> {
    let filter =
        AuditFilter { request, type_name: Some("notice.failed".to_owned()), limit: 1000, ..AuditFilter::default() };
    let notice = notice.to_string();
    let failed = store.search_audit(&filter).await?;
    Ok(failed.iter().any(|event| data(&event.body)["notice"].as_str() == Some(notice.as_str())))
}
