//! `lockbox token`: manage API tokens.

use clap::{Args, Subcommand};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::tokens::NewToken;
use uuid::Uuid;

use super::operator::Operator;
use operations::scopes::SCOPES;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Columns, Format, Listing, line, print_message, time, time_or_dash};
use runtime::serve::open_store;

/// Token commands.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Create a token and print it once.
    Add(Add),
    /// List tokens.
    List(List),
    /// Revoke a token. The portal refuses it from then on.
    #[command(after_help = "Example:\n  lockbox token revoke 0197…")]
    Revoke {
        /// Id from the list.
        id: Uuid,
        #[command(flatten)]
        operator: Operator,
    },
}

/// Tokens to list.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox token list --columns id,name,owner")]
pub struct List {
    #[command(flatten)]
    columns: Columns,
}

/// A token to create.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  lockbox token add \"Robin's terminal\" --person robin --scope requests:read --scope requests:write"
)]
pub struct Add {
    /// Name of the token, such as "ticketing system".
    name: String,
    /// Short name of the person that the token acts as [default: a program].
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Scope of the token; repeat the option for more scopes.
    #[arg(long, required = true, value_parser = clap::builder::PossibleValuesParser::new(SCOPES.map(|(name, _)| name)))]
    scope: Vec<String>,
    /// Days for which the token is valid.
    #[arg(long, value_name = "NUMBER", default_value_t = 90, value_parser = clap::value_parser!(i32).range(1..=730))]
    days: i32,
    #[command(flatten)]
    operator: Operator,
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
                let (id, messages) = store.add_token(new, &add.operator.actor(), &note).await?;
                super::publish::publish(settings, &messages).await;
                print_message(&format!("Token {id} is created. It is shown once:"));
                line(&token)
            }
            Self::List(List { columns }) => {
                let tokens = store.tokens().await?;
                let rows = tokens.iter().map(|token| {
                    let state = if token.revoked_at.is_some() { "revoked" } else { "valid" };
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
                let head = vec!["id", "name", "owner", "scopes", "expires", "last used", "status"];
                let listing = Listing::new(head, rows.collect(), documents.into());
                columns.print(&listing.brief(&["id", "name", "owner", "expires", "status"]), format)
            }
            Self::Revoke { id, operator } => {
                let Some(messages) = store.revoke_token(id, &operator.actor()).await? else {
                    return Err(Failure::NotFound(format!("there is no valid token {id}; see `lockbox token list`")));
                };
                super::publish::publish(settings, &messages).await;
                line("The token is revoked.")
            }
        }
    }
}
