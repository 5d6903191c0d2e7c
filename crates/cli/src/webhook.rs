//! `lockbox webhook add | list | show | rotate | deliveries | redeliver | on | off | remove`: who gets events over HTTP.

use clap::{Args, Subcommand};
use contracts::events::Actor;
use domain::Tenant;
use serde_json::json;
use store::Store;
use store::webhooks::{NewWebhook, WebhookView};
use uuid::Uuid;
use workers::webhooks::{OVERLAP_LIMIT, check_url, secret};

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, Listing, line, shortened, tell, time, time_or_dash};
use runtime::serve::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Send events to an address from now on; prints the secret that signs them, once.
    Add(Add),
    /// List webhooks with their state and what waits for each.
    List,
    /// Show one with its address, its state and its last error.
    Show(Named),
    /// Give one a new secret; the old one signs beside it until the overlap ends. Prints the new one, once.
    Rotate(Rotate),
    /// Show the delivery log of one: each attempt with its time, answer and duration.
    Deliveries(Deliveries),
    /// Send an event again, or every event that was given up.
    Redeliver(Redeliver),
    /// Switch one on again: what waited for it is sent.
    On(Which),
    /// Switch one off; what comes meanwhile is kept.
    Off(Which),
    /// Remove one, with what waits for it.
    Remove(Which),
}

/// A webhook to add.
#[derive(Args, Debug)]
pub struct Add {
    /// What it is called.
    name: String,
    /// Where events go, such as `https://hooks.contoso.example/lockbox`.
    url: String,
    /// Only this tenant's events; its approvers are told. Every tenant's when left out.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Only types that begin so, such as `access.`.
    #[arg(long = "type", value_name = "TYPE", default_value = "")]
    types: String,
    /// Who adds it, for the audit log.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME", default_value = "operator")]
    by: String,
}

/// A webhook.
#[derive(Args, Debug)]
pub struct Which {
    /// Id from the list.
    id: Uuid,
    /// Who does it, for the audit log.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME", default_value = "operator")]
    by: String,
}

/// A webhook to look at.
#[derive(Args, Debug)]
pub struct Named {
    /// Id from the list.
    id: Uuid,
}

/// A secret to rotate.
#[derive(Args, Debug)]
pub struct Rotate {
    #[command(flatten)]
    which: Which,
    /// How long the old secret signs too, such as 24h; 0s ends it at once. At most 7d.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    overlap: String,
}

/// Which attempts.
#[derive(Args, Debug)]
pub struct Deliveries {
    /// Id from the list.
    id: Uuid,
    /// Only attempts of this event.
    #[arg(long, value_name = "ID")]
    event: Option<Uuid>,
    /// Most attempts to show, the newest first.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

/// What to send again.
#[derive(Args, Debug)]
pub struct Redeliver {
    /// Id from the list.
    id: Uuid,
    /// Event, from the delivery log or the audit log.
    #[arg(required_unless_present = "failed")]
    event: Option<Uuid>,
    /// Every event that was given up in the last 30 days.
    #[arg(long, conflicts_with = "event")]
    failed: bool,
}

fn operator(by: &str) -> Actor {
    Actor { kind: "operator".to_owned(), name: Some(by.to_owned()), ..Actor::lockbox() }
}

fn new_secret() -> Result<String, Failure> {
    secret().ok_or_else(|| Failure::Failed("the system has no random numbers".to_owned()))
}

impl WebhookCommand {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        store.check_schema().await?;
        let messages = match self {
            Self::Add(add) => return add.run(settings, &store).await,
            Self::List => return list(&store, format).await,
            Self::Show(Named { id }) => return show(&find(&store, id).await?, format),
            Self::Rotate(rotate) => return rotate.run(settings, &store).await,
            Self::Deliveries(deliveries) => return deliveries.run(&store, format).await,
            Self::Redeliver(redeliver) => return redeliver.run(&store).await,
            Self::On(Which { id, by }) => {
                if find(&store, id).await?.off_at.is_none() {
                    return line("The webhook is on already.");
                }
                store.switch_webhook(id, None, &by, operator(&by)).await?
            }
            Self::Off(Which { id, by }) => {
                if find(&store, id).await?.off_at.is_some() {
                    return line("The webhook is off already.");
                }
                store.switch_webhook(id, Some(&format!("{by} switched it off")), &by, operator(&by)).await?
            }
            Self::Remove(Which { id, by }) => store.remove_webhook(id, None, &by, operator(&by)).await?,
        };
        super::commands::publish(settings, &messages).await;
        line("done")
    }
}

impl Add {
    async fn run(self, settings: &Settings, store: &Store) -> Result<(), Failure> {
        let url = check_url(&self.url, &settings.webhook_inside).map_err(Failure::Usage)?;
        let tenant = match &self.tenant {
            Some(name) => {
                let found = store.tenants().await?.into_iter().find(|tenant: &Tenant| tenant.name == *name);
                Some(found.ok_or_else(|| Failure::NotFound(format!("there is no tenant {name}")))?.id.0)
            }
            None => None,
        };
        let secret = new_secret()?;
        let new = NewWebhook { tenant, name: &self.name, url: url.as_str(), types: &self.types, secret: &secret };
        let (id, messages) = store.add_webhook(new, &self.by, operator(&self.by)).await?;
        super::commands::publish(settings, &messages).await;
        tell(&format!("Webhook {id} was added. This secret signs what it gets, and is shown only once:"));
        line(&secret)
    }
}

impl Rotate {
    async fn run(self, settings: &Settings, store: &Store) -> Result<(), Failure> {
        let overlap = contracts::directory::parse_seconds(&self.overlap).unwrap_or(-1);
        let overlap = u64::try_from(overlap).ok().map(std::time::Duration::from_secs);
        let Some(overlap) = overlap.filter(|overlap| *overlap <= OVERLAP_LIMIT) else {
            return Err(Failure::Usage(format!("--overlap {}: write a time from 0s to 7d, such as 24h", self.overlap)));
        };
        let (secret, Which { id, by }) = (new_secret()?, self.which);
        let rotating = store.rotate_webhook((id, None), (&secret, overlap.as_secs_f64()), &by, operator(&by));
        let (messages, until) = rotating.await?;
        super::commands::publish(settings, &messages).await;
        tell(&match until {
            Some(until) => format!("The old secret signs too until {}. The new one is shown only once:", time(until)),
            None => "The old secret no longer signs. The new one is shown only once:".to_owned(),
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
            let answer = one.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            let error = one.error.clone().unwrap_or_else(|| "-".to_owned());
            let mut row = vec![
                if is_table { one.at.format("%Y-%m-%d %H:%M:%S").to_string() } else { time(one.at) },
                one.event.to_string(),
                answer,
                format!("{} ms", one.duration_ms),
                if is_table { shortened(&error, 14) } else { error },
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
        let mut head = vec!["at (UTC)", "event", "answer", "duration", "error"];
        if !is_table {
            head.extend(["type", "attempt"]);
        }
        Listing { head, rows: rows.collect(), json: documents.into() }.print(format)
    }
}

impl Redeliver {
    async fn run(self, store: &Store) -> Result<(), Failure> {
        find(store, self.id).await?;
        let count = match self.event {
            Some(event) => {
                store.redeliver(self.id, event, None).await?;
                1
            }
            None => store.redeliver_failed(self.id).await?,
        };
        line(&format!("{count} {} sent again", if count == 1 { "event is" } else { "events are" }))
    }
}

async fn find(store: &Store, id: Uuid) -> Result<WebhookView, Failure> {
    let found = store.webhooks(None).await?.into_iter().find(|hook| hook.id == id);
    found.ok_or_else(|| Failure::NotFound(format!("there is no webhook {id}")))
}

fn tenant(hook: &WebhookView) -> String {
    hook.tenant.clone().unwrap_or_else(|| "every tenant".to_owned())
}

fn document(hook: &WebhookView) -> serde_json::Value {
    json!({
        "id": hook.id, "tenant": hook.tenant, "name": hook.name, "url": hook.url, "types": hook.types,
        "state": hook.state(), "waiting": hook.waiting, "given_up": hook.failed,
        "failing_since": hook.failing_since.map(time), "paused_until": hook.paused_until.map(time),
        "old_secret_until": hook.secret_before_until.map(time),
        "off_at": hook.off_at.map(time), "off_why": hook.off_why, "last_error": hook.last_error,
    })
}

/// What a person reads of one: name and value.
fn facts(hook: &WebhookView) -> Vec<(&'static str, String)> {
    vec![
        ("id", hook.id.to_string()),
        ("tenant", tenant(hook)),
        ("name", hook.name.clone()),
        ("address", hook.url.clone()),
        ("types", if hook.types.is_empty() { "all".to_owned() } else { hook.types.clone() }),
        ("state", hook.state().to_owned()),
        ("waiting", hook.waiting.to_string()),
        ("given up", hook.failed.to_string()),
        ("failing since", time_or_dash(hook.failing_since)),
        ("next attempt", time_or_dash(hook.paused_until)),
        ("off since", time_or_dash(hook.off_at)),
        ("old secret until", time_or_dash(hook.secret_before_until)),
        ("error", hook.off_why.clone().or_else(|| hook.last_error.clone()).unwrap_or_else(|| "-".to_owned())),
    ]
}

fn show(hook: &WebhookView, format: Format) -> Result<(), Failure> {
    let rows = facts(hook).into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    Listing { head: vec!["webhook", "value"], rows, json: document(hook) }.print(format)
}

async fn list(store: &Store, format: Format) -> Result<(), Failure> {
    let found = store.webhooks(None).await?;
    listing(&found, format).print(format)
}

/// The table has what fits beside each other on a terminal; the other formats have everything.
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
        return Listing { head: vec!["id", "tenant", "name", "state", "waiting"], rows: rows.collect(), json };
    }
    let rows = found.iter().map(|hook| facts(hook).into_iter().map(|(_, value)| value).collect()).collect();
    const HEAD: [&str; 13] = [
        "id",
        "tenant",
        "name",
        "address",
        "types",
        "state",
        "waiting",
        "given up",
        "failing since",
        "next attempt",
        "off since",
        "old secret until",
        "error",
    ];
    Listing { head: HEAD.to_vec(), rows, json }
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
    fn a_cell_that_is_empty_on_the_terminal_is_empty_in_a_file() {
        let text = listing(&[hook()], Format::Csv).csv().unwrap_or_default();
        assert!(!text.contains("'-") && text.contains("1970-01-01T00:00:00.000Z,,,,it answered 500"), "{text}");
        assert!(text.contains(&"x".repeat(200)), "nothing is shortened for programs");
    }
}
