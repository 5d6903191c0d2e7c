//! Identity providers, as the settings file names them.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Deserialize;

/// What of an identity says which person of the directory it is, when somebody signs in for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Claim {
    /// The e-mail address, if the provider verified it.
    #[default]
    Email,
    /// The name to sign in with; must be the person's address in the directory.
    PreferredUsername,
    /// The user principal name (Entra ID, AD FS); must be the person's address in the directory.
    Upn,
    /// The object id (Entra ID). It stands for the subject, and `lockbox person link` says whose it is.
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

/// An identity provider, as it stands under `sign-in` in the settings file.
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
    /// Short name of the tenant whose people sign in here and nowhere else. Absent: the vendor's people, and those of
    /// every tenant that has no provider of its own.
    #[serde(default)]
    pub tenant: Option<String>,
    /// What the sign-in page calls it. A tenant's provider without a label is found by the tenant's short name.
    #[serde(default)]
    pub label: Option<String>,
    /// Claim that says which person of the directory somebody is.
    #[serde(default)]
    pub claim: Claim,
    /// Take the e-mail address without `email_verified`.
    #[serde(default)]
    pub trust_email: bool,
    /// Audiences that may stand beside the client id.
    #[serde(default)]
    pub audience: Vec<String>,
}
