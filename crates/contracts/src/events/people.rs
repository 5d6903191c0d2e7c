//! Passkeys, identities and tokens of people.

use serde::{Deserialize, Serialize};

use super::Actor;

/// Data of `passkey.added` and `passkey.removed`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasskeyChanged {
    /// Id of the passkey.
    pub credential: String,
    /// Its owner's name for it.
    pub note: String,
    /// Its owner.
    pub actor: Actor,
}

/// Data of `identity.linked` and `identity.unlinked`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentityChanged {
    /// Short name of the person.
    pub person: String,
    /// The identity provider.
    pub issuer: String,
    /// The subject at the provider.
    pub subject: String,
    /// Who did it: the person at their first sign-in, or an operator.
    pub actor: Actor,
}

/// Data of `token.added` and `token.revoked`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenChanged {
    /// Purpose, owner and permissions of a new token; the id of a revoked one.
    pub note: String,
    /// Who did it.
    pub actor: Actor,
}
