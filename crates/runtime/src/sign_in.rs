//! Identity providers, as the settings file names them.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Deserialize;

/// Claim that states which person of the directory an identity is, at the first sign-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Claim {
    /// The email address, if the provider verified it.
    #[default]
    Email,
    /// The preferred user name; must be the person's address in the directory.
    PreferredUsername,
    /// The user principal name (Entra ID, AD FS); must be the person's address in the directory.
    Upn,
    /// The object id (Entra ID). It is the subject, and `lockbox person link` links it to a person.
    Oid,
}

impl Claim {
    /// Its name in tokens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::PreferredUsername => "preferred_username",
            Self::Upn => "upn",
            Self::Oid => "oid",
        }
    }
}

/// An identity provider, as under `sign-in` in the settings file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// Issuer.
    pub issuer: String,
    /// Client id of this portal at the provider.
    pub client_id: String,
    /// File with the client secret; none for a public client.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// Short name of the tenant whose people sign in only here. Absent: the vendor's people, and the people of every tenant
    /// without a provider of its own.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Name on the sign-in page. Without one, people find a tenant's provider by the tenant's short name.
    #[serde(default)]
    pub label: Option<String>,
    /// Claim that states which person of the directory an identity is.
    #[serde(default)]
    pub claim: Claim,
    /// Accept the email address without `email_verified`.
    #[serde(default)]
    pub trust_email: bool,
    /// Audiences that are allowed beside the client id.
    #[serde(default)]
    pub audience: Vec<String>,
}
