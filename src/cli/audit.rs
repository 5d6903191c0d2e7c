//! `lockbox audit search`: everything about a request, a person, a tenant, a word.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;
use store::audit::{AuditFilter, AuditRow};
use uuid::Uuid;

use crate::configuration::Settings;
use crate::outcome::Failure;
use crate::output::{Format, Listing, data, time};
use crate::serve::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Search events, newest first. Everything given must match.
    Search(Search),
    /// Look whether every step of every request is in the log; exit code 1 when one is missing.
    Complete,
}

/// What to look for.
#[derive(Args, Debug)]
pub struct Search {
    /// Request id.
    #[arg(long)]
    request: Option<Uuid>,
    /// Number in the ticketing system.
    #[arg(long)]
    service_request: Option<String>,
    /// Short name of the person who did it.
    #[arg(long)]
    person: Option<String>,
    /// Tenant's short name.
    #[arg(long)]
    tenant: Option<String>,
    /// Type or its beginning, such as `request.expired` or `access.`.
    #[arg(long = "type", value_name = "TYPE")]
    type_name: Option<String>,
    /// Words in reasons, comments and messages.
    #[arg(long)]
    text: Option<String>,
    /// Id of the message an event followed from.
    #[arg(long)]
    cause: Option<String>,
    /// Not before (RFC 3339).
    #[arg(long)]
    since: Option<DateTime<Utc>>,
    /// Before (RFC 3339).
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    /// At most this many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

impl Audit {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        store.check_schema().await?;
        match self {
            Self::Search(search) => search.run(&store, format).await,
            Self::Complete => {
                let (steps, recorded) = store.steps().await?;
                let gaps = store.audit_gaps(20).await?;
                if gaps.is_empty() {
                    return crate::output::line(&format!("{recorded} steps on record, none of {steps} missing"));
                }
                let ids: Vec<_> = gaps.iter().map(Uuid::to_string).collect();
                Err(Failure::Failed(format!(
                    "{recorded} of {steps} steps are on record; not complete: {}. Is the audit role running? Its \
                     backlog is in `lockbox topology depths`",
                    ids.join(", ")
                )))
            }
        }
    }
}

impl Search {
    async fn run(self, store: &store::Store, format: Format) -> Result<(), Failure> {
        let filter = AuditFilter {
            request: self.request,
            service_request: self.service_request,
            person: self.person,
            tenant: self.tenant,
            type_name: self.type_name,
            cause: self.cause,
            text: self.text,
            since: self.since,
            until: self.until,
            limit: self.limit,
        };
        let found = store.search_audit(&filter).await?;
        listing(&found).print(format)
    }
}

/// Events as a table, and whole for programs.
pub(crate) fn listing(found: &[AuditRow]) -> Listing {
    let mut rows = Vec::with_capacity(found.len());
    let mut documents = Vec::with_capacity(found.len());
    for event in found {
        let data = data(&event.body);
        let said: Vec<&str> =
            ["comment", "reason", "message", "cause"].iter().filter_map(|name| data[*name].as_str()).collect();
        let actor = data["actor"]["name"].as_str().or_else(|| data["actor"]["kind"].as_str()).unwrap_or("-");
        rows.push(vec![
            time(event.at),
            event.type_name.clone(),
            event.tenant.clone().unwrap_or_default(),
            event.service_request.clone().unwrap_or_default(),
            actor.to_owned(),
            said.join("; "),
            event.request.map(|request| request.to_string()).unwrap_or_default(),
        ]);
        documents.push(json!({
            "recorded_at": time(event.recorded_at),
            "event": serde_json::from_slice::<serde_json::Value>(&event.body).unwrap_or_default(),
        }));
    }
    let head = vec!["time", "type", "tenant", "service request", "who", "said", "request"];
    Listing { head, rows, json: documents.into() }
}
