//! `lockbox request submit | list | show | withdraw | watch`.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use contracts::Kind;
use contracts::commands::{CommentRequest, Justification, SubmitRequest, WithdrawRequest};
use contracts::directory::parse_seconds;
use domain::FreeText;
use serde_json::json;
use store::Store;
use store::views::RequestFilter;
use uuid::Uuid;

use super::commands::click;
use super::decision::{Approve, Decision};
use super::person_name::named;
use super::portal_client::{Remote, requests};
use operations::directory_file::read_text;
use operations::documents::{event_text, request_json};

use super::show::{show, timeline};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, line, tell};
use runtime::serve::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Request {
    /// Ask for access.
    Submit(Box<Submit>),
    /// List requests, newest first.
    List(List),
    /// One request with its timeline.
    Show {
        /// Request id.
        id: Uuid,
    },
    /// Take a request back before access is open.
    Withdraw(Withdraw),
    /// Ask or answer something in a request's thread.
    Comment(Comment),
    /// Approve a request, for the vendor or for the customer.
    Approve(Approve),
    /// Deny a request, for the vendor or for the customer.
    Deny(Decision),
    /// Follow a request live until it is over.
    Watch {
        /// Request id.
        id: Uuid,
    },
}

/// A request to submit.
#[derive(Args, Debug)]
pub struct Submit {
    /// Tenant whose content is to be seen.
    #[arg(long, required_unless_present = "file")]
    tenant: Option<String>,
    /// Number in the ticketing system, such as SR-2026-004711.
    #[arg(long, required_unless_present = "file")]
    service_request: Option<String>,
    /// `exchange_online`, `onedrive`, `sharepoint` or a configured one.
    #[arg(long, required_unless_present = "file")]
    service: Option<String>,
    /// Mailbox address, site or folder URL.
    #[arg(long, required_unless_present = "file")]
    resource: Option<String>,
    /// customer_reported, vendor_detected, data_repair, migration, security_investigation or other.
    #[arg(long, default_value = "customer_reported")]
    category: String,
    /// Why, in words.
    #[arg(long, required_unless_present = "file")]
    justification: Option<String>,
    /// low, normal, high or critical.
    #[arg(long, default_value = "normal")]
    severity: String,
    /// The engineer who asks.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME")]
    by: Option<String>,
    /// How long, such as 45m or 2h; the tenant's default when left out.
    #[arg(long, value_parser = parse_seconds)]
    duration: Option<i64>,
    /// read_only, which is the default, or read_write.
    #[arg(long)]
    access_level: Option<String>,
    /// Access begins no earlier (RFC 3339).
    #[arg(long)]
    start_time: Option<DateTime<Utc>>,
    /// The request whose access is to go on: granted before, for the same content.
    #[arg(long, value_name = "ID")]
    extends: Option<Uuid>,
    /// An emergency, under the standing consent of this name: two managers say yes, and the customer has beforehand.
    #[arg(long, value_name = "CONSENT")]
    break_glass: Option<String>,
    /// Take the data from a JSON file instead, as in schemas/commands/request.submit.v1.schema.json.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Which requests.
#[derive(Args, Debug)]
pub struct List {
    /// Tenant's short name.
    #[arg(long)]
    tenant: Option<String>,
    /// State, such as pending_customer.
    #[arg(long)]
    state: Option<String>,
    /// Number in the ticketing system.
    #[arg(long)]
    service_request: Option<String>,
    /// Engineer's short name.
    #[arg(long)]
    requester: Option<String>,
    /// Only those that are not over.
    #[arg(long)]
    open: bool,
    /// Only emergencies that are over and owed a review.
    #[arg(long)]
    owed: bool,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

/// A request to withdraw.
#[derive(Args, Debug)]
pub struct Withdraw {
    /// Request id.
    id: Uuid,
    /// The engineer who asked.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME")]
    by: Option<String>,
    /// In your words.
    #[arg(long)]
    comment: Option<String>,
}

/// A question or an answer.
#[derive(Args, Debug)]
pub struct Comment {
    /// Request id.
    id: Uuid,
    /// Who asks or answers.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME")]
    by: Option<String>,
    /// In your words.
    comment: String,
}

impl Request {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        match self {
            Self::Approve(approve) => return approve.run(settings, format).await,
            Self::Deny(decision) => return decision.deny(settings, format).await,
            _ => {}
        }
        if let Some(remote) = Remote::of(settings)? {
            return self.run_at(&remote, format).await;
        }
        let store = open_store(settings).await?;
        store.check_schema().await?;
        match self {
            Self::Submit(submit) => submit.run(settings, &store, format).await,
            Self::List(list) => list.run(&store, format).await,
            Self::Show { id } => show(&store, id, format).await,
            Self::Withdraw(withdraw) => {
                store.show_request(withdraw.id).await?;
                let by = named(withdraw.by)?;
                let data = WithdrawRequest {
                    request: withdraw.id,
                    by,
                    comment: withdraw.comment.as_deref().and_then(FreeText::non_empty),
                };
                click(settings, &store, Kind::RequestWithdraw, Some(withdraw.id), &data).await?;
                show(&store, withdraw.id, format).await
            }
            Self::Comment(said) => {
                store.show_request(said.id).await?;
                let data = CommentRequest { request: said.id, by: named(said.by)?, comment: said.comment.into() };
                click(settings, &store, Kind::RequestComment, Some(said.id), &data).await?;
                show(&store, said.id, format).await
            }
            Self::Watch { id } => watch(&store, id, format).await,
            Self::Approve(_) | Self::Deny(_) => Ok(()),
        }
    }

    /// The same at the portal, as whoever the token is of.
    async fn run_at(self, remote: &Remote, format: Format) -> Result<(), Failure> {
        match self {
            Self::Submit(submit) => {
                let mut data = submit.into_data()?;
                if data.requester.is_empty() {
                    data.requester = remote.whoami().await?;
                }
                remote.submit(&json!(data), format).await
            }
            Self::List(list) => {
                let query = [
                    ("tenant", list.tenant.unwrap_or_default()),
                    ("state", list.state.unwrap_or_default()),
                    ("service_request", list.service_request.unwrap_or_default()),
                    ("requester", list.requester.unwrap_or_default()),
                    ("open", if list.open { "true".to_owned() } else { String::new() }),
                ];
                remote.list(&query, list.limit, format).await
            }
            Self::Show { id } => remote.show(&id.to_string(), format).await,
            Self::Withdraw(Withdraw { id, comment, .. }) => {
                remote.act(id, "withdrawal", &json!({ "comment": comment }), format).await
            }
            Self::Comment(Comment { id, comment, .. }) => {
                remote.act(id, "comments", &json!({ "comment": comment }), format).await
            }
            Self::Watch { id } => remote.watch(id, format).await,
            Self::Approve(_) | Self::Deny(_) => Ok(()),
        }
    }
}

impl Submit {
    fn into_data(self) -> Result<SubmitRequest, Failure> {
        if let Some(path) = self.file {
            let text = read_text(&path)?;
            return serde_json::from_str(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())));
        }
        Ok(SubmitRequest {
            tenant: self.tenant.unwrap_or_default(),
            service_request: self.service_request.unwrap_or_default(),
            service: self.service.unwrap_or_default(),
            resource: self.resource.unwrap_or_default(),
            justification: Justification {
                category: self.category,
                text: self.justification.unwrap_or_default().into(),
            },
            severity: self.severity,
            requester: self.by.unwrap_or_default(),
            duration_seconds: self.duration,
            access_level: self.access_level,
            start_time: self.start_time,
            extends: self.extends,
            break_glass: self.break_glass,
        })
    }

    async fn run(self, settings: &Settings, store: &Store, format: Format) -> Result<(), Failure> {
        let mut data = self.into_data()?;
        if data.requester.is_empty() {
            data.requester = named(None)?;
        }
        let events = click(settings, store, Kind::RequestSubmit, None, &data).await?;
        let id = events.iter().find_map(|event| event.request);
        let id = id.ok_or_else(|| Failure::Failed("no request came of it; look at the audit log".to_owned()))?;
        if format == Format::Table {
            tell(&format!("submitted; follow it with `lockbox request watch {id}`"));
        }
        show(store, id, format).await
    }
}

impl List {
    async fn run(self, store: &Store, format: Format) -> Result<(), Failure> {
        let filter = RequestFilter {
            tenant: self.tenant,
            state: self.state,
            service_request: self.service_request,
            requester: self.requester,
            open: self.open,
            owed: self.owed,
            after: None,
            limit: self.limit,
        };
        let found = store.list_requests(&filter).await?;
        let found: Vec<_> = found.iter().map(request_json).collect();
        requests(&found).print(format)
    }
}

/// Follows a request until it is over and its last step is on record.
async fn watch(store: &Store, id: Uuid, format: Format) -> Result<(), Failure> {
    let mut shown = std::collections::HashSet::new();
    loop {
        let request = store.show_request(id).await?;
        let events = timeline(store, id).await?;
        for event in events.iter().filter(|event| shown.insert(event.id)) {
            match format {
                Format::Table | Format::Csv => line(&event_text(event))?,
                Format::Json => line(&String::from_utf8_lossy(&event.body))?,
            }
        }
        let recorded = events.iter().filter_map(|event| event.version).max();
        if request.finished_at.is_some() && recorded == Some(request.version) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
