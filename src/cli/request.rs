//! `lockbox request submit | list | show | withdraw | watch`.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use contracts::Kind;
use contracts::commands::{Reason, SubmitRequest, WithdrawRequest};
use contracts::directory::parse_seconds;
use serde_json::json;
use store::Store;
use store::audit::{AuditFilter, AuditRow};
use store::views::{RequestFilter, RequestView};
use uuid::Uuid;

use super::clicks::click;
use crate::configuration::Settings;
use crate::outcome::Failure;
use crate::output::{Format, Listing, data, json as print_json, line, printable, tell, time, time_or_dash};
use crate::serve::open_store;

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
    reason_code: String,
    /// Why, in words.
    #[arg(long, required_unless_present = "file")]
    reason: Option<String>,
    /// low, normal, high or critical.
    #[arg(long, default_value = "normal")]
    severity: String,
    /// The engineer who asks.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME", required_unless_present = "file")]
    by: Option<String>,
    /// How long, such as 45m or 2h; the tenant's default when left out.
    #[arg(long, value_parser = parse_seconds)]
    duration: Option<i64>,
    /// Access begins no earlier (RFC 3339).
    #[arg(long)]
    starts_at: Option<DateTime<Utc>>,
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
    /// State, such as awaiting_customer.
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
    by: String,
    /// In your words.
    #[arg(long)]
    comment: Option<String>,
}

impl Request {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        store.check_schema().await?;
        match self {
            Self::Submit(submit) => submit.run(settings, &store, format).await,
            Self::List(list) => list.run(&store, format).await,
            Self::Show { id } => show(&store, id, format).await,
            Self::Withdraw(withdraw) => {
                store.show_request(withdraw.id).await?;
                let data = WithdrawRequest { request: withdraw.id, by: withdraw.by, comment: withdraw.comment };
                click(settings, &store, Kind::RequestWithdraw, Some(withdraw.id), &data).await?;
                show(&store, withdraw.id, format).await
            }
            Self::Watch { id } => watch(&store, id, format).await,
        }
    }
}

impl Submit {
    fn into_data(self) -> Result<SubmitRequest, Failure> {
        if let Some(path) = self.file {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", path.display())))?;
            return serde_json::from_str(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())));
        }
        Ok(SubmitRequest {
            tenant: self.tenant.unwrap_or_default(),
            service_request: self.service_request.unwrap_or_default(),
            service: self.service.unwrap_or_default(),
            resource: self.resource.unwrap_or_default(),
            reason: Reason { code: self.reason_code, text: self.reason.unwrap_or_default() },
            severity: self.severity,
            requester: self.by.unwrap_or_default(),
            duration_seconds: self.duration,
            starts_at: self.starts_at,
        })
    }

    async fn run(self, settings: &Settings, store: &Store, format: Format) -> Result<(), Failure> {
        let data = self.into_data()?;
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
            limit: self.limit,
        };
        let found = store.list_requests(&filter).await?;
        let rows = found
            .iter()
            .map(|request| {
                vec![
                    request.id.to_string(),
                    request.tenant.clone(),
                    request.service_request.clone(),
                    request.service.clone(),
                    request.requester.clone(),
                    state_text(request),
                    time_or_dash(request.decide_by.or(Some(request.review_by))),
                    time_or_dash(request.access_until),
                ]
            })
            .collect();
        let json = found.iter().map(request_json).collect();
        let head =
            vec!["id", "tenant", "service request", "service", "requester", "state", "answer before", "access until"];
        Listing { head, rows, json }.print(format)
    }
}

fn state_text(request: &RequestView) -> String {
    request.cause.as_ref().map_or_else(|| request.state.clone(), |cause| format!("{} ({cause})", request.state))
}

fn request_json(request: &RequestView) -> serde_json::Value {
    json!({
        "id": request.id,
        "tenant": request.tenant,
        "service_request": request.service_request,
        "service": request.service,
        "resource": request.resource,
        "requester": request.requester,
        "state": request.state,
        "cause": request.cause,
        "version": request.version,
        "duration_seconds": request.duration_seconds,
        "submitted_at": time(request.submitted_at),
        "review_by": time(request.review_by),
        "decide_by": request.decide_by.map(time),
        "access_from": request.access_from.map(time),
        "access_until": request.access_until.map(time),
        "over_at": request.over_at.map(time),
        "digest": request.digest().to_string(),
    })
}

async fn timeline(store: &Store, id: Uuid) -> Result<Vec<AuditRow>, Failure> {
    let filter = AuditFilter { request: Some(id), limit: 500, ..AuditFilter::default() };
    let mut events = store.search_audit(&filter).await?;
    events.reverse();
    Ok(events)
}

/// One event as a line for people.
pub(crate) fn event_text(event: &AuditRow) -> String {
    let data = data(&event.body);
    let text = |name: &str| data[name].as_str().map(printable);
    let who = data["actor"]["display_name"].as_str().or_else(|| data["actor"]["name"].as_str()).unwrap_or("Lockbox");
    let mut line = format!("{}  {:<26} {}", time(event.at), event.type_name, printable(who));
    let told = [
        ("comment", "says"),
        ("cause", "cause"),
        ("stage", "no answer from"),
        ("message", "because"),
        ("decide_by", "answer before"),
        ("access_until", "access until"),
        ("recipient", "to"),
        ("error", "error"),
    ];
    for (name, label) in told {
        if let Some(value) = text(name) {
            line.push_str(&format!(", {label} {value}"));
        }
    }
    line
}

/// Prints a request with its timeline.
pub(crate) async fn show(store: &Store, id: Uuid, format: Format) -> Result<(), Failure> {
    let request = store.show_request(id).await?;
    let decisions = store.decisions(id).await?;
    let events = timeline(store, id).await?;
    if format != Format::Table {
        let mut document = request_json(&request);
        document["content"] = serde_json::from_slice(&request.content).unwrap_or_default();
        document["decisions"] = decisions
            .iter()
            .map(|decision| {
                json!({
                    "stage": decision.stage, "person": decision.person, "verdict": decision.verdict,
                    "comment": decision.comment, "channel": decision.channel, "decided_at": time(decision.decided_at),
                })
            })
            .collect();
        document["events"] = events
            .iter()
            .map(|event| serde_json::from_slice::<serde_json::Value>(&event.body).unwrap_or_default())
            .collect();
        return print_json(&document);
    }
    let content = request.content();
    line(&format!("request         {}", request.id))?;
    line(&format!("state           {}", state_text(&request)))?;
    line(&format!("tenant          {}", request.tenant))?;
    line(&format!("service request {}", request.service_request))?;
    line(&format!("content         {} {}", request.service, printable(&request.resource)))?;
    line(&format!("asked by        {} for {} s", request.requester, request.duration_seconds))?;
    if let Some(content) = content {
        line(&format!("reason          {}: {}", content.reason_code.as_str(), printable(&content.reason)))?;
    }
    line(&format!("review by       {}", time(request.review_by)))?;
    line(&format!("decide by       {}", time_or_dash(request.decide_by)))?;
    line(&format!(
        "access          {} until {}",
        time_or_dash(request.access_from),
        time_or_dash(request.access_until)
    ))?;
    line(&format!("digest          {}", request.digest()))?;
    line("")?;
    for event in &events {
        line(&event_text(event))?;
    }
    Ok(())
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
        if request.over_at.is_some() && recorded == Some(request.version) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
