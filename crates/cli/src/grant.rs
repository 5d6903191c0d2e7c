//! `lockbox grant`: active access, its revocation, access tokens and access reports.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::portal_client::{ActAs, PortalClient};
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Columns, Format, Listing, json as print_json, line, print_message, printable};

mod report;
mod revoke;

use revoke::Revoke;

/// How often `watch` reads the grants.
const WATCH_PERIOD: Duration = Duration::from_secs(1);
/// What stands for a revocation that the target has not confirmed.
const UNCONFIRMED: &str = "REVOCATION UNCONFIRMED";

/// Options of every grant command.
#[derive(Args, Debug)]
pub struct GrantCommand {
    #[command(flatten)]
    person: ActAs,
    #[command(subcommand)]
    action: Action,
}

/// Grant commands.
#[derive(Debug, Subcommand)]
enum Action {
    /// List grants that are active, about to become active, or whose revocation is unconfirmed.
    List(List),
    /// Print each grant when something about it changes.
    Watch(Watch),
    /// Revoke active access, and show when the target confirmed it.
    Revoke(Revoke),
    /// Create the access token of a grant and print it once. An earlier token of the grant stops working.
    #[command(after_help = "Example:\n  lockbox grant token 0197…")]
    Token(Named),
    /// Show the access report of access that has ended.
    #[command(after_help = "Example:\n  lockbox grant report 0197…")]
    Report(Named),
    /// Acknowledge an access report, for the customer.
    #[command(after_help = "Example:\n  lockbox grant acknowledge 0197…")]
    Acknowledge(Response),
    /// Dispute an access report, for the customer. A dispute needs a comment.
    #[command(
        after_help = "Example:\n  lockbox grant dispute 0197… --comment \"this folder was not part of the request\""
    )]
    Dispute(Response),
}

/// A grant.
#[derive(Args, Debug)]
struct Named {
    /// Request id.
    id: Uuid,
}

/// Grants to read.
#[derive(Args, Debug)]
struct Filter {
    /// Short name of the tenant.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Short name of the requester.
    #[arg(long, value_name = "NAME")]
    requester: Option<String>,
}

/// Grants to list.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox grant list --tenant contoso")]
struct List {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    columns: Columns,
}

/// Grants to watch.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox grant watch --until-none")]
struct Watch {
    #[command(flatten)]
    filter: Filter,
    /// End when no grant is left.
    #[arg(long)]
    until_none: bool,
}

/// The customer's response to an access report.
#[derive(Args, Debug)]
struct Response {
    /// Request id.
    id: Uuid,
    /// Comment that the vendor sees.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

impl GrantCommand {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let portal = PortalClient::open(settings, &self.person)?;
        match self.action {
            Action::List(list) => list.columns.print(&listing(&list.filter.read(&portal).await?), format),
            Action::Watch(watch) => watch.run(&portal, format).await,
            Action::Revoke(revoke) => revoke.run(&portal, format).await,
            Action::Token(Named { id }) => token(&portal, id, format).await,
            Action::Report(Named { id }) => report::show(&portal, id, format).await,
            Action::Acknowledge(response) => response.send(&portal, true, format).await,
            Action::Dispute(response) => response.send(&portal, false, format).await,
        }
    }
}

/// Prints the access token alone on standard output, and how to use it on standard error.
async fn token(portal: &PortalClient, id: Uuid, format: Format) -> Result<(), Failure> {
    let issued = portal.post(&format!("/requests/{id}/access-token"), &json!({})).await?;
    let person = portal.person().await?;
    let token = issued["access_token"].as_str().unwrap_or_default();
    if format == Format::Json {
        let document =
            json!({ "request": id, "person": person, "access_token": token, "database": issued["database"] });
        return print_json(&document);
    }
    print_message(&format!(
        "Sign in as {person} with this access token as the password, or send it as a bearer token. It is shown once.\n"
    ));
    line(token)?;
    let database = |name: &str| issued["database"][name].as_str();
    if let (Some(login), Some(password)) = (database("login"), database("password")) {
        print_message(&format!(
            "\nThe target is a database. Sign in there with:\n  login     {login}\n  password  {password}"
        ));
    }
    Ok(())
}

impl Response {
    async fn send(self, portal: &PortalClient, acknowledges: bool, format: Format) -> Result<(), Failure> {
        let response = json!({ "acknowledges": acknowledges, "comment": self.comment });
        portal.post(&format!("/requests/{}/report", self.id), &response).await?;
        report::show(portal, self.id, format).await
    }
}

impl Filter {
    async fn read(&self, portal: &PortalClient) -> Result<Vec<Value>, Failure> {
        let fits = |wanted: &Option<String>, value: &Value| wanted.as_deref().is_none_or(|wanted| value == wanted);
        let mut found = portal.grants().await?;
        found.retain(|grant| fits(&self.tenant, &grant["tenant"]) && fits(&self.requester, &grant["requester"]));
        Ok(found)
    }
}

impl Watch {
    async fn run(self, portal: &PortalClient, format: Format) -> Result<(), Failure> {
        let mut shown: BTreeMap<String, String> = BTreeMap::new();
        loop {
            let found = self.filter.read(portal).await?;
            for grant in &found {
                let (id, text) = (grant["request"].as_str().unwrap_or_default(), sentence(grant));
                if shown.insert(id.to_owned(), text.clone()).as_ref() != Some(&text) {
                    change(format, id, &text, grant)?;
                }
            }
            let is_listed = |id: &str| found.iter().any(|grant| grant["request"] == id);
            let gone: Vec<String> = shown.keys().filter(|id| !is_listed(id)).cloned().collect();
            for id in gone {
                shown.remove(&id);
                let mut request = portal.get(&format!("/requests/{id}")).await?;
                let provisioning = request["provisioning"].take();
                let text = provisioning["said"].as_str().unwrap_or("ended").to_owned();
                change(format, &id, &text, &json!({ "request": id, "provisioning": provisioning }))?;
            }
            if self.until_none && found.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(WATCH_PERIOD).await;
        }
    }
}

/// Prints that a grant has changed.
fn change(format: Format, id: &str, text: &str, document: &Value) -> Result<(), Failure> {
    match format {
        Format::Table | Format::Csv => line(&format!("{id}  {}", printable(text))),
        Format::Json => line(&document.to_string()),
    }
}

/// A grant in a sentence.
fn sentence(grant: &Value) -> String {
    let text = |name: &str| grant[name].as_str().unwrap_or("-");
    let what = format!("{} {} for {}", text("service"), text("resource"), text("requester"));
    let error = grant["last_error"].as_str();
    let error =
        error.map(|error| format!(", {} failed attempts, last error: {error}", grant["failures"])).unwrap_or_default();
    match text("provisioning") {
        "revoking" => format!("{what}: {UNCONFIRMED} since {}{error}", text("revocation_ordered_at")),
        "active" => format!("{what}: active until {}", text("access_until")),
        _ => format!("{what}: provisioning, active until {}{error}", text("access_until")),
    }
}

/// Grants as a table, and whole for programs.
fn listing(found: &[Value]) -> Listing {
    let rows = found.iter().map(|grant| {
        let text = |name: &str| grant[name].as_str().unwrap_or("-").to_owned();
        let state = text("provisioning");
        vec![
            text("request"),
            text("tenant"),
            text("service_request"),
            text("resource"),
            text("requester"),
            if state == "revoking" { UNCONFIRMED.to_owned() } else { state },
            text("access_until"),
            grant["last_error"].as_str().unwrap_or_default().to_owned(),
        ]
    });
    let head = vec!["id", "tenant", "service request", "resource", "requester", "state", "until", "last error"];
    Listing::new(head, rows.collect(), found.into()).brief(&["id", "service request", "requester", "state"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_that_the_target_has_not_confirmed_is_named_so() {
        let grant = json!({
            "request": Uuid::nil(), "service": "exchange_online", "resource": "finance@contoso.example",
            "requester": "robin", "provisioning": "revoking", "revocation_ordered_at": "2026-11-28T15:00:00.000Z",
            "failures": 3, "last_error": "connection refused",
        });
        let text = sentence(&grant);
        assert!(text.contains("REVOCATION UNCONFIRMED since 2026-11-28"), "{text}");
        assert!(text.ends_with("3 failed attempts, last error: connection refused"), "{text}");
        assert!(listing(&[grant]).table().contains("REVOCATION UNCONFIRMED"));
    }
}
