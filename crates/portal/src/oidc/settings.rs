//! Settings of the identity providers.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;

use runtime::outcome::Failure;
pub use runtime::sign_in::{Claim, Entry};

/// The identity provider of the vendor and of every tenant without its own provider. More providers are under `sign-in` in
/// the settings file.
#[derive(Args, Clone, Debug, Default)]
pub struct Provider {
    /// Issuer of the identity provider, such as `https://login.fabrikam.example`.
    #[arg(long, env = "LOCKBOX_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    pub oidc_issuer: Option<String>,
    /// Client ID of the portal at the identity provider.
    #[arg(long, env = "LOCKBOX_OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// File with the client secret. Leave it out for a public client.
    #[arg(long, env = "LOCKBOX_OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub oidc_client_secret_file: Option<PathBuf>,
    /// Claim that finds the person in the directory at their first sign-in.
    #[arg(long, env = "LOCKBOX_OIDC_CLAIM", value_name = "CLAIM", value_enum, default_value_t)]
    pub oidc_claim: Claim,
    /// Accept email addresses without `email_verified`, for a provider that never sends it, such as Entra ID.
    #[arg(long, env = "LOCKBOX_OIDC_TRUST_EMAIL", value_parser = FalseyValueParser::new())]
    pub oidc_trust_email: bool,
    /// Another audience to accept in identity tokens beside the client ID. Can be used several times.
    #[arg(long, env = "LOCKBOX_OIDC_AUDIENCE", value_name = "NAME", value_delimiter = ' ')]
    pub oidc_audience: Vec<String>,
    /// Providers from the settings file.
    #[arg(skip)]
    pub others: Vec<Entry>,
}

impl Provider {
    /// Whether there is a provider. An empty issuer is none, because compose files cannot leave a variable out.
    pub(crate) fn is_set(&self) -> bool {
        !self.others.is_empty() || self.oidc_issuer.as_ref().is_some_and(|issuer| !issuer.is_empty())
    }

    /// Every provider, the one of the flags first.
    ///
    /// # Errors
    /// When an issuer is repeated or not valid, or a client ID is missing.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let own = self.oidc_issuer.iter().filter(|issuer| !issuer.is_empty()).map(|issuer| Entry {
            issuer: issuer.clone(),
            client_id: self.oidc_client_id.clone().unwrap_or_default(),
            client_secret_file: self.oidc_client_secret_file.clone(),
            tenant: None,
            label: None,
            claim: self.oidc_claim,
            trust_email: self.oidc_trust_email,
            audience: self.oidc_audience.clone(),
        });
        let entries: Vec<Entry> = own.chain(self.others.iter().cloned()).collect();
        let mut seen = std::collections::BTreeSet::new();
        for entry in &entries {
            let usage = |why: &str| Err(Failure::Usage(format!("sign-in through {}: {why}", entry.issuer)));
            if entry.client_id.is_empty() {
                return usage("the client ID is missing; set it");
            }
            if !url::Url::parse(&entry.issuer).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
                return usage("the issuer is not an http or https URL; fix it");
            }
            if !seen.insert(entry.issuer.trim_end_matches('/')) {
                return usage("this issuer is set twice; remove one");
            }
        }
        Ok(entries)
    }
}

/// A secret from its file; `None` when there is no file.
pub(super) fn secret(path: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else { return Ok(None) };
    let read = std::fs::read_to_string(path);
    let read =
        read.map_err(|fault| Failure::Usage(format!("cannot read the client secret in {}: {fault}", path.display())))?;
    Ok(Some(read.trim().to_owned()))
}
