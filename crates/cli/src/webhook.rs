//! `lockbox webhook`: manage webhooks, which receive signed events over HTTP.

use clap::{Args, Subcommand};
use domain::Tenant;
use serde_json::json;
use store::Store;
use store::webhooks::{NewWebhook, WebhookView};
use uuid::Uuid;
use workers::webhooks::{OVERLAP_LIMIT, check_url, secret};

use super::operator::Operator;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Columns, Format, Listing, line, local, print_message, shortened, time, time_or_dash};
use runtime::serve::open_store;

/// Webhook commands.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Add a webhook and print the secret that signs its events, once.
    Add(Add),
    /// List webhooks with their state and their pending events.
    List(List),
    /// Show a webhook with its address, its state and its last error.
    #[command(after_help = "Example:\n  lockbox webhook show 0197…")]
    Show(Named),
    /// Rotate the secret of a webhook and print the new secret, once. The old secret signs too until the overlap ends.
    Rotate(Rotate),
    /// Show the delivery log of a webhook: each attempt with its time, response and duration.
    Deliveries(Deliveries),
    /// Send an event again, or every event whose delivery failed.
    Redeliver(Redeliver),
    /// Turn a webhook on. Pending events are sent.
    #[command(after_help = "Example:\n  lockbox webhook on 0197… --operator lee")]
    On(Which),
    /// Turn a webhook off. New events stay pending.
    #[command(after_help = "Example:\n  lockbox webhook off 0197… --operator lee")]
    Off(Which),
    /// Remove a webhook and its pending events.
    #[command(after_help = "Example:\n  lockbox webhook remove 0197… --operator lee")]
    Remove(Which),
}

/// Webhooks to list.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox webhook list --columns id,name,state,error")]
pub struct List {
    #[command(flatten)]
    columns: Columns,
}

/// A webhook to add.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  lockbox webhook add siem https://hooks.contoso.example/lockbox --tenant contoso --type grant."
)]
pub struct Add {
    /// Name of the webhook.
    name: String,
    /// URL that receives the events, such as `https://hooks.contoso.example/lockbox`.
    url: String,
    /// Send the events of this tenant only, and notify its approvers [default: every tenant].
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Send only event types that begin with this text, such as `grant.`.
    #[arg(long = "type", value_name = "TYPE", default_value = "")]
    types: String,
    #[command(flatten)]
    operator: Operator,
}

/// A webhook.
#[derive(Args, Debug)]
pub struct Which {
    /// Id from the list.
    id: Uuid,
    #[command(flatten)]
    operator: Operator,
}

/// A webhook to show.
#[derive(Args, Debug)]
pub struct Named {
    /// Id from the list.
    id: Uuid,
}

/// A secret to rotate.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox webhook rotate 0197… --overlap 48h")]
pub struct Rotate {
    #[command(flatten)]
    which: Which,
    /// Time for which the old secret signs too, such as 24h, at most 7d; 0s ends it at once.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    overlap: String,
}

/// Attempts to show.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox webhook deliveries 0197… --limit 10")]
pub struct Deliveries {
    /// Id from the list.
    id: Uuid,
    /// Only attempts of this event.
    #[arg(long, value_name = "ID")]
    event: Option<Uuid>,
    /// Largest number of attempts, newest first.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

/// Events to send again.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox webhook redeliver 0197… --failed")]
pub struct Redeliver {
    /// Id from the list.
    id: Uuid,
    /// Event id from the delivery log or the audit log.
    #[arg(required_unless_present = "failed")]
    event: Option<Uuid>,
    /// Every event whose delivery failed in the last 30 days.
    #[arg(long, conflicts_with = "event")]
    failed: bool,
    #[command(flatten)]
    operator: Operator,
}

fn new_secret() -> Result<String, Failure> {
    secret()
        .ok_or_else(|| Failure::Failed("the operating system gives no random numbers; check the machine".to_owned()))
}

impl WebhookCommand {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        store.check_schema().await?;
        let messages = match self {
            Self::Add(add) => return add.run(settings, &store).await,
            Self::List(List { columns }) => {
                return columns.print(&listing(&store.webhooks(None).await?, format), format);
            }
            Self::Show(Named { id }) => return show(&find(&store, id).await?, format),
            Self::Rotate(rotate) => return rotate.run(settings, &store).await,
            Self::Deliveries(deliveries) => return deliveries.run(&store, format).await,
            Self::Redeliver(redeliver) => return redeliver.run(&store).await,
            Self::On(Which { id, operator }) => {
                if find(&store, id).await?.off_at.is_none() {
                    return line("The webhook is already on.");
                }
                store.switch_webhook(id, None, &operator.name, operator.actor()).await?
            }
            Self::Off(Which { id, operator }) => {
                if find(&store, id).await?.off_at.is_some() {
                    return line("The webhook is already off.");
                }
                store
                    .switch_webhook(
                        id,
                        Some(&format!("{} turned it off", operator.name)),
                        &operator.name,
                        operator.actor(),
                    )
                    .await?
            }
            Self::Remove(Which { id, operator }) => {
                store.remove_webhook(id, None, &operator.name, operator.actor()).await?
            }
        };
        super::publish::publish(settings, &messages).await;
        line("The webhook is changed.")
    }
}

impl Add {
    async fn run(self, settings: &Settings, store: &Store) -> Result<(), Failure> {
        let url = check_url(&self.url, &settings.webhook_inside).map_err(Failure::Usage)?;
        let tenant = match &self.tenant {
            Some(name) => {
                let found = store.tenants().await?.into_iter().find(|tenant: &Tenant| tenant.name == *name);
                Some(
                    found
                        .ok_or_else(|| Failure::NotFound(format!("there is no tenant {name}; check the short name")))?
                        .id
                        .0,
                )
            }
            None => None,
        };
        let secret = new_secret()?;
        let new = NewWebhook { tenant, name: &self.name, url: url.as_str(), types: &self.types, secret: &secret };
        let (id, messages) = store.add_webhook(new, &self.operator.name, self.operator.actor()).await?;
        super::publish::publish(settings, &messages).await;
        print_message(&format!("Webhook {id} is added. This secret signs its events and is shown once:"));
        line(&secret)
    }
}

impl Rotate {
    async fn run(self, settings: &Settings, store: &Store) -> Result<(), Failure> {
        let overlap = contracts::directory::parse_seconds(&self.overlap).unwrap_or(-1);
        let overlap = u64::try_from(overlap).ok().map(std::time::Duration::from_secs);
        let Some(overlap) = overlap.filter(|overlap| *overlap <= OVERLAP_LIMIT) else {
            return Err(Failure::Usage(format!("--overlap {}: use a time from 0s to 7d, such as 24h", self.overlap)));
        };
        let (secret, Which { id, operator }) = (new_secret()?, self.which);
        let rotating =
            store.rotate_webhook((id, None), (&secret, overlap.as_secs_f64()), &operator.name, operator.actor());
        let (messages, until) = rotating.await?;
        super::publish::publish(settings, &messages).await;
        print_message(&match until {
            Some(until) => format!("The old secret signs too until {}. The new secret is shown once:", local(until)),
            None => "The old secret no longer signs. The new secret is shown once:".to_owned(),
        });
        line(&secret)
    }
}

impl Deliveries {
    async fn run(self, store: &Store, format: Format) -> Result<(), Failure> {
        find(store, self.id).await?;
        let found = store.webhook_attempts(self.id, self.event, self.limit).await?;
        let is_table = format == Format::Table;
        let rows = found.iter().map(|one| {
            let response = one.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            let error = one.error.clone().unwrap_or_else(|| "-".to_owned());
            let mut row = vec![
                time(one.at),
                one.event.to_string(),
                response,
                format!("{} ms", one.duration_ms),
                if is_table { shortened(&error, 10) } else { error },
            ];
            if !is_table {
                row.extend([one.type_name.clone(), one.attempt.to_string()]);
            }
            row
        });
        let documents: Vec<_> = found
            .iter()
            .map(|one| {
                json!({
                    "at": time(one.at), "event": one.event, "type": one.type_name, "attempt": one.attempt,
                    "status": one.status, "duration_ms": one.duration_ms, "error": one.error,
                })
            })
            .collect();
        let mut head = vec!["at", "event", "response", "duration", "error"];
        if !is_table {
            head.extend(["type", "attempt"]);
        }
        Listing::new(head, rows.collect(), documents.into()).print(format)
    }
}

impl Redeliver {
    async fn run(self, store: &Store) -> Result<(), Failure> {
        find(store, self.id).await?;
        let actor = self.operator.actor();
        let count = match self.event {
            Some(event) => {
                store.redeliver(self.id, event, None, actor).await?;
                1
            }
            None => store.redeliver_failed(self.id, actor).await?,
        };
        line(&format!("{count} {} sent again", if count == 1 { "event is" } else { "events are" }))
    }
}

async fn find(store: &Store, id: Uuid) -> Result<WebhookView, Failure> {
    let found = store.webhooks(None).await?.into_iter().find(|hook| hook.id == id);
    found.ok_or_else(|| Failure::NotFound(format!("there is no webhook {id}; see `lockbox webhook list`")))
}

fn tenant(hook: &WebhookView) -> String {
    hook.tenant.clone().unwrap_or_else(|| "every tenant".to_owned())
}

fn document(hook: &WebhookView) -> serde_json::Value {
    json!({
        "id": hook.id, "tenant": hook.tenant, "name": hook.name, "url": hook.url, "types": hook.types,
        "state": hook.state(), "pending": hook.waiting, "failed": hook.failed,
        "failing_since": hook.failing_since.map(time), "paused_until": hook.paused_until.map(time),
        "old_secret_until": hook.secret_before_until.map(time),
        "off_at": hook.off_at.map(time), "off_why": hook.off_why, "last_error": hook.last_error,
    })
}

/// Names and values of a webhook, for people.
fn facts(hook: &WebhookView) -> Vec<(&'static str, String)> {
    vec![
        ("id", hook.id.to_string()),
        ("tenant", tenant(hook)),
        ("name", hook.name.clone()),
        ("address", hook.url.clone()),
        ("types", if hook.types.is_empty() { "all".to_owned() } else { hook.types.clone() }),
        ("state", hook.state().to_owned()),
        ("pending", hook.waiting.to_string()),
        ("failed", hook.failed.to_string()),
        ("failing since", time_or_dash(hook.failing_since)),
        ("next attempt", time_or_dash(hook.paused_until)),
        ("off since", time_or_dash(hook.off_at)),
        ("old secret until", time_or_dash(hook.secret_before_until)),
        ("error", hook.off_why.clone().or_else(|| hook.last_error.clone()).unwrap_or_else(|| "-".to_owned())),
    ]
}

fn show(hook: &WebhookView, format: Format) -> Result<(), Failure> {
    let rows = facts(hook).into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    Listing::new(vec!["webhook", "value"], rows, document(hook)).print(format)
}

/// Webhooks as a list. The table has the columns that fit a terminal; CSV and JSON have all columns.
fn listing(found: &[WebhookView], format: Format) -> Listing {
    let json = found.iter().map(document).collect::<Vec<_>>().into();
    if format == Format::Table {
        let rows = found.iter().map(|hook| {
            vec![
                hook.id.to_string(),
                shortened(&tenant(hook), 12),
                shortened(&hook.name, 14),
                hook.state().to_owned(),
                hook.waiting.to_string(),
            ]
        });
        return Listing::new(vec!["id", "tenant", "name", "state", "pending"], rows.collect(), json);
    }
    let rows = found.iter().map(|hook| facts(hook).into_iter().map(|(_, value)| value).collect()).collect();
    const HEAD: [&str; 13] = [
        "id",
        "tenant",
        "name",
        "address",
        "types",
        "state",
        "pending",
        "failed",
        "failing since",
        "next attempt",
        "off since",
        "old secret until",
        "error",
    ];
    Listing::new(HEAD.to_vec(), rows, json)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn hook() -> WebhookView {
        WebhookView {
            id: Uuid::max(),
            tenant: Some("a-tenant-with-a-name-of-forty-characters".to_owned()),
            name: "n".repeat(64),
            url: format!("https://hooks.contoso.example/{}", "x".repeat(200)),
            types: "grant.".to_owned(),
            failing_since: Some(DateTime::<Utc>::UNIX_EPOCH),
            off_at: None,
            off_why: None,
            paused_until: None,
            secret_before_until: None,
            waiting: 9_999_999,
            failed: 1,
            last_error: Some("it answered 500 Internal Server Error".to_owned()),
        }
    }

    #[test]
    fn the_list_fits_a_terminal_of_a_hundred_columns_and_shows_a_state() {
        let off = WebhookView { off_at: Some(DateTime::<Utc>::UNIX_EPOCH), ..hook() };
        let table = listing(&[hook(), off, WebhookView { failing_since: None, ..hook() }], Format::Table).table();
        let widest = table.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= 100), "{widest:?}\n{table}");
        for state in ["failing", " off ", " on "] {
            assert!(table.contains(state), "{state}\n{table}");
        }
    }

    #[test]
    fn an_absent_value_is_empty_in_a_csv_file() {
        let text = listing(&[hook()], Format::Csv).csv().unwrap_or_default();
        assert!(!text.contains("'-") && text.contains("1970-01-01T00:00:00.000Z,,,,it answered 500"), "{text}");
        assert!(text.contains(&"x".repeat(200)), "programs get the whole value");
    }
}
