//! `lockbox webhook add | list | on | off | remove`: who gets events over HTTP.

use clap::{Args, Subcommand};
use contracts::events::Actor;
use domain::Tenant;
use serde_json::json;
use store::Store;
use store::webhooks::NewWebhook;
use uuid::Uuid;
use workers::webhooks::{check_url, secret};

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, Listing, line, tell, time, time_or_dash};
use runtime::serve::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Send events to an address from now on; prints the secret that signs them, once.
    Add(Add),
    /// List webhooks with what waits for each.
    List,
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

fn operator(by: &str) -> Actor {
    Actor { kind: "operator".to_owned(), name: Some(by.to_owned()), ..Actor::lockbox() }
}

impl WebhookCommand {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        store.check_schema().await?;
        let messages = match self {
            Self::Add(add) => return add.run(settings, &store).await,
            Self::List => return list(&store, format).await,
            Self::On(Which { id, by }) => store.switch_webhook(id, None, &by, operator(&by)).await?,
            Self::Off(Which { id, by }) => {
                store.switch_webhook(id, Some(&format!("{by} switched it off")), &by, operator(&by)).await?
            }
            Self::Remove(Which { id, by }) => store.remove_webhook(id, None, &by, operator(&by)).await?,
        };
        super::clicks::publish(settings, &messages).await;
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
        let secret = secret().ok_or_else(|| Failure::Failed("the system has no random numbers".to_owned()))?;
        let new = NewWebhook { tenant, name: &self.name, url: url.as_str(), types: &self.types, secret: &secret };
        let (id, messages) = store.add_webhook(new, &self.by, operator(&self.by)).await?;
        super::clicks::publish(settings, &messages).await;
        tell(&format!("webhook {id}; what it gets is signed with this secret, which is shown this once:"));
        line(&secret)
    }
}

async fn list(store: &Store, format: Format) -> Result<(), Failure> {
    let found = store.webhooks(None).await?;
    let rows = found.iter().map(|hook| {
        vec![
            hook.id.to_string(),
            hook.tenant.clone().unwrap_or_else(|| "every tenant".to_owned()),
            hook.name.clone(),
            hook.url.clone(),
            hook.types.clone(),
            hook.waiting.to_string(),
            time_or_dash(hook.failing_since),
            hook.off_why.clone().or_else(|| hook.last_error.clone()).unwrap_or_default(),
        ]
    });
    let documents: Vec<_> = found
        .iter()
        .map(|hook| {
            json!({
                "id": hook.id, "tenant": hook.tenant, "name": hook.name, "url": hook.url, "types": hook.types,
                "waiting": hook.waiting, "failing_since": hook.failing_since.map(time),
                "off_at": hook.off_at.map(time), "off_why": hook.off_why, "last_error": hook.last_error,
            })
        })
        .collect();
    let head = vec!["id", "of", "name", "address", "types", "waiting", "failing since", "what is wrong"];
    Listing { head, rows: rows.collect(), json: documents.into() }.print(format)
}
