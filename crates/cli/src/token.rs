//! `lockbox token add | list | revoke`: who may call the HTTP interface.

use clap::{Args, Subcommand};
use contracts::events::{Actor, Auth};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::tokens::NewToken;
use uuid::Uuid;

use operations::scopes::SCOPES;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, Listing, line, tell, time, time_or_dash};
use runtime::serve::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, once.
    Add(Add),
    /// List tokens.
    List,
    /// Give a token up: it is refused from now on.
    Revoke {
        /// Id from the list.
        id: Uuid,
        /// Who, for the audit log.
        #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME", default_value = "operator")]
        by: String,
    },
}

/// A token to make.
#[derive(Args, Debug)]
pub struct Add {
    /// What it is for, such as "ticketing system".
    name: String,
    /// Whose it is; a program's when left out. A person's token acts as that person.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// What it may be used for; may be given several times.
    #[arg(long, required = true, value_parser = clap::builder::PossibleValuesParser::new(SCOPES.map(|(name, _)| name)))]
    scope: Vec<String>,
    /// Good for this many days.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i32).range(1..=730))]
    days: i32,
    /// Who makes it, for the audit log.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME", default_value = "operator")]
    by: String,
}

/// Whoever holds the database's login, under the name that they give.
fn operator(by: &str) -> Actor {
    let auth = Some(Auth::of_channel("cli/database"));
    Actor { kind: "operator".to_owned(), name: Some(by.to_owned()), ..Actor::lockbox() }.known_by(auth)
}

impl TokenCommand {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        store.check_schema().await?;
        match self {
            Self::Add(add) => {
                let token = format!("lbx_{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
                let owner = add.person.as_deref().unwrap_or("a program");
                let note = format!("{}, of {owner}, for {}, {} days", add.name, add.scope.join(" "), add.days);
                let hash = Sha256::digest(&token);
                let new = NewToken {
                    hash: &hash,
                    person: add.person.as_deref(),
                    name: &add.name,
                    scopes: &add.scope,
                    days: add.days,
                };
                let (id, messages) = store.add_token(new, &operator(&add.by), &note).await?;
                super::commands::publish(settings, &messages).await;
                tell(&format!("token {id}; it is shown this once:"));
                line(&token)
            }
            Self::List => {
                let tokens = store.tokens().await?;
                let rows = tokens.iter().map(|token| {
                    let state = if token.revoked_at.is_some() { "revoked" } else { "" };
                    vec![
                        token.id.to_string(),
                        token.name.clone(),
                        token.person.clone().unwrap_or_else(|| "a program".to_owned()),
                        token.scopes.join(" "),
                        time(token.expires_at),
                        time_or_dash(token.last_used_at),
                        state.to_owned(),
                    ]
                });
                let documents: Vec<_> = tokens
                    .iter()
                    .map(|token| {
                        json!({
                            "id": token.id, "name": token.name, "person": token.person, "scopes": token.scopes,
                            "expires_at": time(token.expires_at), "revoked_at": token.revoked_at.map(time),
                            "last_used_at": token.last_used_at.map(time),
                        })
                    })
                    .collect();
                let head = vec!["id", "name", "of", "scopes", "good until", "last used", ""];
                Listing { head, rows: rows.collect(), json: documents.into() }.print(format)
            }
            Self::Revoke { id, by } => {
                let Some(messages) = store.revoke_token(id, &operator(&by)).await? else {
                    return Err(Failure::NotFound(format!(
                        "no token {id} that could be revoked; see `lockbox token list`"
                    )));
                };
                super::commands::publish(settings, &messages).await;
                line("revoked")
            }
        }
    }
}
