//! `lockbox person`: manage the identities of people at identity providers.

use clap::{Args, Subcommand};
use contracts::envelope::{About, Message, message};
use contracts::events::IdentityChanged;
use contracts::{Kind, Traceparent};
use serde_json::json;
use store::Store;
use store::identities::{Identity, Known};

use super::operator::Operator;
use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, Listing, line};
use runtime::serve::open_store;

/// Person commands.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// List the identities of a person.
    #[command(after_help = "Example:\n  lockbox person identities alex")]
    Identities {
        /// Short name of the person.
        name: String,
    },
    /// Link an identity to a person. Use it for a provider that identifies people by an object id only.
    Link(Link),
    /// Unlink the identities of a person and sign the person out.
    ///
    /// The next sign-in links a new identity. Use it after the account at the provider was created again.
    #[command(after_help = "Example:\n  lockbox person unlink alex --operator lee")]
    Unlink {
        /// Short name of the person.
        name: String,
        /// Only the identity at this provider.
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
        #[command(flatten)]
        operator: Operator,
    },
}

/// An identity to link.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lockbox person link alex --issuer https://login.contoso.example --subject 6e1f…")]
pub struct Link {
    /// Short name of the person.
    name: String,
    /// Issuer of the identity provider.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// Subject of the person at the provider; the object id with `--oidc-claim oid`.
    #[arg(long, value_name = "TEXT")]
    subject: String,
    #[command(flatten)]
    operator: Operator,
}

async fn event(
    store: &Store,
    kind: Kind,
    known: &Known,
    identity: &Identity,
    operator: &Operator,
) -> Result<Message, Failure> {
    let data = IdentityChanged {
        person: known.name.clone(),
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        actor: operator.actor(),
    };
    // A person of a tenant: the event belongs to the tenant's log.
    let about = About { tenant: known.tenant.clone(), trace: Some(Traceparent::start()), ..About::default() };
    Ok(message(kind, store.clock().await?, about, &data))
}

impl PersonCommand {
    pub(super) async fn run(self, settings: &Settings, format: Format) -> Result<(), Failure> {
        let store = open_store(settings).await?;
        store.check_schema().await?;
        match self {
            Self::Identities { name } => {
                let (_, identities) = store.identities_of(&name).await?;
                let rows = identities.iter().map(|one| vec![one.issuer.clone(), one.subject.clone()]).collect();
                let documents = identities.iter().map(|one| json!({ "issuer": one.issuer, "subject": one.subject }));
                Listing::new(vec!["issuer", "subject"], rows, documents.collect()).print(format)
            }
            Self::Link(link) => {
                let (known, _) = store.identities_of(&link.name).await?;
                let identity = Identity { issuer: link.issuer, subject: link.subject };
                let event = event(&store, Kind::IdentityLinked, &known, &identity, &link.operator).await?;
                if !store.link_identity(&identity.issuer, &identity.subject, known.id, &event).await? {
                    let message = format!(
                        "this identity is already linked, or {} has another identity at {}; see `lockbox person identities {0}`",
                        known.name, identity.issuer
                    );
                    return Err(Failure::Refused { code: "identity.linked".to_owned(), message });
                }
                super::publish::publish(settings, &[event]).await;
                line("The identity is linked.")
            }
            Self::Unlink { name, issuer, operator } => {
                let (known, identities) = store.identities_of(&name).await?;
                let mut events = Vec::new();
                for identity in identities.iter().filter(|one| issuer.as_ref().is_none_or(|only| *only == one.issuer)) {
                    let event = event(&store, Kind::IdentityUnlinked, &known, identity, &operator).await?;
                    if store.unlink_identity(identity, known.id, &event).await? {
                        events.push(event);
                    }
                }
                if events.is_empty() {
                    return Err(Failure::NotFound(format!(
                        "{name} has no identity to unlink; see `lockbox person identities {name}`"
                    )));
                }
                super::publish::publish(settings, &events).await;
                line(&format!("{} identities of {name} are unlinked", events.len()))
            }
        }
    }
}
