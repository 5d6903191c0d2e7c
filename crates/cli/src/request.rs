//! `lockbox request`: submit, read and decide access requests.

use std::collections::HashSet;
use std::time::Duration;

use clap::{Args, Subcommand};
use operations::documents::envelope_text;
use serde_json::{Value, json};
use uuid::Uuid;

use super::portal_client::{ActAs, PortalClient};
use super::refresh::Refresh;
use super::show::{show, state_text};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Columns, Format, Listing, line, localized};

mod decision;
mod signing;
mod submit;

use decision::{Approve, Deny};
use submit::Submit;

/// How often `watch` reads the request.
const WATCH_PERIOD: Duration = Duration::from_secs(1);

/// Options of every request command.
#[derive(Args, Debug)]
pub struct RequestCommand {
    #[command(flatten)]
    person: ActAs,
    #[command(subcommand)]
    action: Action,
}

/// Request commands.
#[derive(Debug, Subcommand)]
enum Action {
    /// Submit an access request.
    Submit(Box<Submit>),
    /// List access requests, newest first.
    List(List),
    /// Show one request with its timeline.
    #[command(after_help = "Example:\n  lockbox request show 0197…")]
    Show(Named),
    /// Print the events of a request as they are recorded, until it is over.
    #[command(after_help = "Example:\n  lockbox request watch 0197…")]
    Watch(Named),
    /// Comment on a request, such as to ask or to answer a question.
    #[command(after_help = "Example:\n  lockbox request comment 0197… \"Which mailbox rule is affected?\"")]
    Comment(Comment),
    /// Withdraw a request before access opens.
    #[command(after_help = "Example:\n  lockbox request withdraw 0197… --comment \"solved without access\"")]
    Withdraw(Withdraw),
    /// Approve a request, for the vendor or for the customer.
    Approve(Approve),
    /// Deny a request, for the vendor or for the customer.
    Deny(Deny),
}

/// A request.
#[derive(Args, Debug)]
struct Named {
    /// Request id.
    id: Uuid,
}

/// Requests to list.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  lockbox request list --open --watch\n  lockbox request list --state pending_customer --columns id,requester"
)]
struct List {
    /// Short name of the tenant.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// State, such as `pending_customer`.
    #[arg(long)]
    state: Option<String>,
    /// Number in the ticketing system.
    #[arg(long, value_name = "NUMBER")]
    service_request: Option<String>,
    /// Short name of the requester.
    #[arg(long, value_name = "NAME")]
    requester: Option<String>,
    /// Only requests that are not over.
    #[arg(long)]
    open: bool,
    /// Only break-glass requests whose vendor review is still owed.
    #[arg(long)]
    owed: bool,
    /// Largest number of requests.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    refresh: Refresh,
}

/// A comment.
#[derive(Args, Debug)]
struct Comment {
    /// Request id.
    id: Uuid,
    /// Text of the comment.
    comment: String,
}

/// A request to withdraw.
#[derive(Args, Debug)]
struct Withdraw {
    /// Request id.
    id: Uuid,
    /// Comment that the other people see.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

impl RequestCommand {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let portal = PortalClient::open(settings, &self.person)?;
        match self.action {
            Action::Submit(submit) => submit.run(&portal, format).await,
            Action::List(list) => list.run(&portal, format).await,
            Action::Show(Named { id }) => show(&portal, id, format).await,
            Action::Watch(Named { id }) => watch(&portal, id, format).await,
            Action::Comment(Comment { id, comment }) => {
                portal.post(&format!("/requests/{id}/comments"), &json!({ "comment": comment })).await?;
                show(&portal, id, format).await
            }
            Action::Withdraw(Withdraw { id, comment }) => {
                portal.post(&format!("/requests/{id}/withdrawal"), &json!({ "comment": comment })).await?;
                show(&portal, id, format).await
            }
            Action::Approve(approve) => approve.run(&portal, format).await,
            Action::Deny(deny) => deny.run(&portal, format).await,
        }
    }
}

impl List {
    async fn run(self, portal: &PortalClient, format: Format) -> Result<(), Failure> {
        let flag = |is_set: bool| if is_set { "true".to_owned() } else { String::new() };
        let query = [
            ("tenant", self.tenant.unwrap_or_default()),
            ("state", self.state.unwrap_or_default()),
            ("service_request", self.service_request.unwrap_or_default()),
            ("requester", self.requester.unwrap_or_default()),
            ("open", flag(self.open)),
            ("owed", flag(self.owed)),
        ];
        let read = async || {
            let (found, _) = portal.pages("/requests", "requests", &query, self.limit).await?;
            Ok(listing(&found))
        };
        self.refresh.print(&self.columns, format, read).await
    }
}

/// Requests as a table, and whole for programs.
fn listing(found: &[Value]) -> Listing {
    let rows = found.iter().map(|request| {
        let text = |name: &str| request[name].as_str().unwrap_or("-").to_owned();
        let expires = if request["decision_deadline"].is_null() { "review_deadline" } else { "decision_deadline" };
        vec![
            text("id"),
            text("tenant"),
            text("service_request"),
            text("service"),
            text("requester"),
            state_text(request),
            text(expires),
            text("access_until"),
        ]
    });
    let head = vec!["id", "tenant", "service request", "service", "requester", "state", "expires", "access until"];
    Listing::new(head, rows.collect(), found.into()).brief(&["id", "service request", "requester", "state"])
}

/// Prints each event of a request once, until the request is over and its last step is in the audit log.
async fn watch(portal: &PortalClient, id: Uuid, format: Format) -> Result<(), Failure> {
    let mut printed = HashSet::new();
    loop {
        let request = portal.request(id).await?;
        let events = portal.events(id).await?;
        for event in events.iter().filter(|event| printed.insert(event["id"].to_string())) {
            match format {
                Format::Table | Format::Csv => line(&localized(&envelope_text(event)))?,
                Format::Json => line(&event.to_string())?,
            }
        }
        let recorded = events.iter().filter_map(|event| event["subjectversion"].as_i64()).max();
        if !request["finished_at"].is_null() && recorded == request["version"].as_i64() {
            return Ok(());
        }
        tokio::time::sleep(WATCH_PERIOD).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_fits_a_terminal_of_a_hundred_columns() {
        let request = json!({
            "id": Uuid::max(), "tenant": "contoso", "service_request": "SR-2026-004711", "requester": "robin",
            "state": "ended", "cause": "revoked_by_customer", "review_deadline": "2026-11-28T15:00:00.000Z",
        });
        let table = listing(&[request]).table();
        let widest = table.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= 100), "{widest:?}\n{table}");
        assert!(table.contains("ended (revoked_by_customer)"), "{table}");
    }
}
