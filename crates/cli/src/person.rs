//! `lockbox person identities | link | unlink`: which identities at identity providers stand for a person.

use clap::{Args, Subcommand};
use contracts::envelope::{About, Message, message};
use contracts::events::{Actor, IdentityChanged};
use contracts::{Kind, Traceparent};
use serde_json::json;
use store::Store;
use store::identities::{Identity, Known};

use runtime::configuration::Settings;
use runtime::outcome::Failure;
use runtime::output::{Format, Listing, line};
use runtime::serve::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// List the identities of a person.
    Identities {
        /// Short name of the person.
        name: String,
    },
    /// Link an identity to a person, such as one that is known by an object id only.
    Link(Link),
    /// Take a person's identities away and sign the person out. The next sign-in links a new one, such as after the
    /// account at the provider was created anew.
    Unlink {
        /// Short name of the person.
        name: String,
        /// Only the identity at this provider.
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
        /// Who does it, for the audit log.
        #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME", default_value = "operator")]
        by: String,
    },
}

/// An identity to link.
#[derive(Args, Debug)]
pub struct Link {
    /// Short name of the person.
    name: String,
    /// Issuer of the identity provider.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// Subject of the person there; the object id with `--oidc-claim oid`.
    #[arg(long, value_name = "TEXT")]
    subject: String,
    /// Who does it, for the audit log.
    #[arg(long = "as", env = "LOCKBOX_PERSON", value_name = "NAME", default_value = "operator")]
    by: String,
}

async fn event(store: &Store, kind: Kind, known: &Known, identity: &Identity, by: &str) -> Result<Message, Failure> {
    let data = IdentityChanged {
        person: known.name.clone(),
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        actor: Actor { kind: "operator".to_owned(), name: Some(by.to_owned()), ..Actor::lockbox() },
    };
    // The customer's own log has it, if it is about one of the customer's people.
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
                Listing { head: vec!["issuer", "subject"], rows, json: documents.collect() }.print(format)
            }
            Self::Link(link) => {
                let (known, _) = store.identities_of(&link.name).await?;
                let identity = Identity { issuer: link.issuer, subject: link.subject };
                let event = event(&store, Kind::IdentityLinked, &known, &identity, &link.by).await?;
                if !store.link_identity(&identity.issuer, &identity.subject, known.id, &event).await? {
                    let message = format!(
                        "this identity is linked already, or {} has another at {}; see `lockbox person identities {0}`",
                        known.name, identity.issuer
                    );
                    return Err(Failure::Refused { code: "identity.linked".to_owned(), message });
                }
                super::commands::publish(settings, &[event]).await;
                line("linked")
            }
            Self::Unlink { name, issuer, by } => {
                let (known, identities) = store.identities_of(&name).await?;
                let mut events = Vec::new();
                for identity in identities.iter().filter(|one| issuer.as_ref().is_none_or(|only| *only == one.issuer)) {
                    let event = event(&store, Kind::IdentityUnlinked, &known, identity, &by).await?;
                    if store.unlink_identity(identity, known.id, &event).await? {
                        events.push(event);
                    }
                }
                if events.is_empty() {
                    return Err(Failure::NotFound(format!("{name} has no identity that could be unlinked")));
                }
                super::commands::publish(settings, &events).await;
                line(&format!("unlinked {} of {name}", events.len()))
            }
        }
    }
}
