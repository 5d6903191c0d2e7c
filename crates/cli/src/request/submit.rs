//! `lockbox request submit`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use contracts::commands::{Justification, SubmitRequest};
use contracts::directory::parse_seconds;
use operations::directory_file::read_text;
use serde_json::json;
use uuid::Uuid;

use crate::portal_client::PortalClient;
use crate::show::show;
use runtime::outcome::Failure;
use runtime::output::{Format, print_message};

/// A request to submit.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox request submit --tenant contoso --service-request SR-2026-004711 \\\n    \
                        --service exchange_online --resource finance@contoso.example \\\n    \
                        --justification 'Outgoing mail is stuck' --duration 45m")]
pub(super) struct Submit {
    /// Short name of the tenant that owns the content.
    #[arg(long, value_name = "NAME", required_unless_present = "file")]
    tenant: Option<String>,
    /// Number in the ticketing system, such as SR-2026-004711.
    #[arg(long, value_name = "NUMBER", required_unless_present = "file")]
    service_request: Option<String>,
    /// Service: `exchange_online`, `onedrive`, `sharepoint` or a configured one.
    #[arg(long, value_name = "NAME", required_unless_present = "file")]
    service: Option<String>,
    /// Resource: the address of a mailbox, or the URL of a site or folder.
    #[arg(long, required_unless_present = "file")]
    resource: Option<String>,
    /// Reason category: `customer_reported`, `vendor_detected`, `data_repair`, `migration`, `security_investigation` or
    /// `other`.
    #[arg(long, default_value = "customer_reported")]
    category: String,
    /// Justification in your own words.
    #[arg(long, value_name = "TEXT", required_unless_present = "file")]
    justification: Option<String>,
    /// Severity: `low`, `normal`, `high` or `critical`.
    #[arg(long, default_value = "normal")]
    severity: String,
    /// Duration of the access, such as 45m or 2h [default: the tenant's].
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    duration: Option<i64>,
    /// Access level: `read_only` or `read_write` [default: read_only].
    #[arg(long, value_name = "LEVEL")]
    access_level: Option<String>,
    /// Earliest start of the access (RFC 3339).
    #[arg(long, value_name = "TIME")]
    start_time: Option<DateTime<Utc>>,
    /// Extend the access of an earlier request for the same content.
    #[arg(long, value_name = "ID")]
    extends: Option<Uuid>,
    /// Request break-glass access under this break-glass policy: two vendor approvals open it without a customer decision.
    #[arg(long, value_name = "POLICY")]
    break_glass: Option<String>,
    /// Read the request from a JSON file (schemas/commands/request.submit.v1.schema.json) instead of the options.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Submit {
    fn into_command(self) -> Result<SubmitRequest, Failure> {
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
            requester: String::new(),
            duration_seconds: self.duration,
            access_level: self.access_level,
            start_time: self.start_time,
            extends: self.extends,
            break_glass: self.break_glass,
        })
    }

    pub(super) async fn run(self, portal: &PortalClient, format: Format) -> Result<(), Failure> {
        let mut command = self.into_command()?;
        if command.requester.is_empty() {
            command.requester = portal.person().await?;
        }
        let request = portal.post("/requests", &json!(command)).await?;
        let id = request["id"].as_str().and_then(|id| id.parse().ok());
        let id: Uuid = id.ok_or_else(|| Failure::Failed("the portal's answer has no request id".to_owned()))?;
        if format == Format::Table {
            print_message(&format!("The request is submitted. To follow it: lockbox request watch {id}"));
        }
        show(portal, id, format).await
    }
}
