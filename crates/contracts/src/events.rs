//! Events: facts that many consumers read.

use domain::Person;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod authority;
mod dead_letter;
mod directory;
mod index;
mod log;
mod notifications;
mod operations;
mod people;
mod provisionings;
mod refusals;
mod steps;
mod uses;

pub use authority::{AuthorityChanged, AuthorityProposed, authority_changed, authority_proposed};
pub use dead_letter::{DeadLetter, Resolved, dead_letter, resolved};
pub use directory::{DirectoryChanged, PolicyChanged, directory_changed};
pub use index::{Indexed, index};
pub use log::{LogHeartbeat, LogKeyChanged, TextsRedacted};
pub use notifications::NotificationResult;
pub use operations::{Operation, OperationPerformed};
pub use people::{IdentityChanged, PasskeyChanged, TokenChanged};
pub use provisionings::{OrphanRemoved, ProvisioningStep, Receipt, orphan_removed, provisioning};
pub use refusals::{FieldFault, Refused, RefusedCommand, refused};
pub use steps::{Particulars, Step, step};
pub use uses::{GrantUsed, TokenIssued};

/// Who caused an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Actor {
    /// `person`, `producer` (a broker login) or `lockbox`.
    pub kind: String,
    /// Internal id of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Short name of the person, or the broker login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Display name at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// `vendor` or `customer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<String>,
    /// How the actor was authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
}

/// How a person was authenticated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Auth {
    /// `portal`, `api`, `cli`: signed in there. `broker`: named in a message from a ticketing system.
    pub method: String,
    /// How they signed in there: `oidc` (an identity provider), `token`, `developer` (by selecting a name), `database` (anyone
    /// who has the database login can name any person).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<String>,
    /// The broker login that sent the message, or the database login of an operator; the server verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Whether a passkey signed it.
    #[serde(default)]
    pub passkey: bool,
}

impl Auth {
    /// Reads the `channel` of a command, such as `portal/oidc`.
    pub fn of_channel(channel: &str) -> Self {
        let plain: String = channel.chars().filter(|c| !c.is_control()).take(32).collect();
        let (method, signed_in) = match plain.split_once('/') {
            Some((method, signed_in)) => (method.to_owned(), Some(signed_in.to_owned())),
            None => (plain, None),
        };
        Self { method, signed_in, login: None, passkey: false }
    }
}

impl Actor {
    /// Lockbox itself.
    pub fn lockbox() -> Self {
        Self { kind: "lockbox".to_owned(), id: None, name: None, display_name: None, side: None, auth: None }
    }

    /// A person.
    pub fn person(person: &Person) -> Self {
        Self {
            kind: "person".to_owned(),
            id: Some(person.id.0),
            name: Some(person.name.clone()),
            display_name: Some(person.display_name.clone()),
            side: Some(person.side.as_str().to_owned()),
            auth: None,
        }
    }

    /// A person who is named in a message and not known.
    pub fn claimed(name: &str) -> Self {
        Self { kind: "claimed".to_owned(), name: Some(name.to_owned()), ..Self::lockbox() }
    }

    /// The same, with every name cut to so many characters.
    pub(crate) fn brief(mut self, limit: usize) -> Self {
        for name in [&mut self.name, &mut self.display_name] {
            *name = name.take().map(|name| crate::fit::brief(&name, limit));
        }
        self
    }

    /// The same, with how the actor was authenticated.
    #[must_use]
    pub fn known_by(self, auth: Option<Auth>) -> Self {
        Self { auth, ..self }
    }

    /// A broker login.
    pub fn producer(login: Option<&str>) -> Self {
        Self { kind: "producer".to_owned(), name: login.map(str::to_owned), ..Self::lockbox() }
    }
}
