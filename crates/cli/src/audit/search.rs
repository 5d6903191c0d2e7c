//! `lockbox audit search`: searches the audit log through the portal.

use chrono::{DateTime, Utc};
use clap::Args;
use operations::documents::short_type;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::portal_client::{ActAs, PortalClient};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Columns, Format, Listing, local, print_message, summary, time};

/// Events to search for. An event must match every option.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox audit search --person alex --since 2026-11-01T00:00:00Z -o csv")]
pub struct Search {
    #[command(flatten)]
    by: ActAs,
    /// Request id.
    #[arg(long, value_name = "ID")]
    request: Option<Uuid>,
    /// Number in the ticketing system.
    #[arg(long, value_name = "NUMBER")]
    service_request: Option<String>,
    /// Short name of the person who acted.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Short name of the tenant.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Event type or its beginning, such as `request.expired` or `grant.`.
    #[arg(long = "type", value_name = "TYPE")]
    type_name: Option<String>,
    /// Words in justifications, comments and messages.
    #[arg(long)]
    text: Option<String>,
    /// Id of the message that an event followed from.
    #[arg(long, value_name = "ID")]
    cause: Option<String>,
    /// Earliest time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Time before which the events are (RFC 3339).
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// Largest number of events.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    #[command(flatten)]
    columns: Columns,
}

impl Search {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let portal = PortalClient::open(settings, &self.by)?;
        let query = [
            ("request", self.request.map(|id| id.to_string()).unwrap_or_default()),
            ("service_request", self.service_request.unwrap_or_default()),
            ("person", self.person.unwrap_or_default()),
            ("tenant", self.tenant.unwrap_or_default()),
            ("type", self.type_name.unwrap_or_default()),
            ("text", self.text.unwrap_or_default()),
            ("cause", self.cause.unwrap_or_default()),
            ("since", self.since.map(time).unwrap_or_default()),
            ("until", self.until.map(time).unwrap_or_default()),
        ];
        let (found, page) = portal.pages("/audit", "events", &query, self.limit).await?;
        let archived = page["archived_before"].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
        if let Some(before) = archived.filter(|before| self.since.is_none_or(|since| since < *before)) {
            print_message(&format!("events before {} are in the archive and not in this list", local(before)));
        }
        self.columns.print(&listing(&found), format)
    }
}

/// Events as a table, and whole for programs.
fn listing(found: &[Value]) -> Listing {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = found.iter().map(|event| {
        let data = &event["data"];
        let actor = data["actor"]["name"].as_str().or_else(|| data["actor"]["kind"].as_str()).unwrap_or("-");
        vec![
            text(&event["time"]),
            short_type(event).to_owned(),
            text(&event["tenant"]),
            text(&data["service_request"]),
            actor.to_owned(),
            summary(data),
            text(&event["correlationid"]),
        ]
    });
    let head = vec!["time", "type", "tenant", "service request", "actor", "details", "request"];
    let json = found.iter().map(|event| json!({ "event": event })).collect();
    Listing::new(head, rows.collect(), json).brief(&["time", "type", "service request", "actor", "details"])
}
