//! The connectors of services: the section `targets` of the settings file. A service that is not in it has no target and
//! is provisioned by the gate alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::files::Files;
use crate::mailbox::Mailbox;
use crate::order::Connector;
use crate::postgres::Postgres;
use crate::webhook::{Webhook, WebhookSettings};

/// Services and their targets.
pub type Config = BTreeMap<String, Target>;

/// One target.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    /// Any provisioning system that accepts signed calls.
    Webhook(WebhookSettings),
    /// A site of files behind a proxy that calls the gate.
    Files(FilesSettings),
    /// A Dovecot server.
    Mailbox(MailboxSettings),
    /// Schemas of a Postgres database.
    Postgres(PostgresSettings),
}

/// How the state of a site is read back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FilesSettings {
    /// Address of the gate.
    pub gate: String,
    /// URL of a page on the site that requires an access token.
    pub canary: Option<String>,
}

/// How to reach a Dovecot server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MailboxSettings {
    /// Folder of the entries that allow engineers to log in.
    pub entries: PathBuf,
    /// Address of `doveadm` over HTTP.
    pub doveadm: String,
    /// File with the API key of `doveadm`.
    pub key_file: PathBuf,
}

/// How to reach a Postgres database, and the secret for passwords.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PostgresSettings {
    /// File with the URL of a login that can create roles.
    pub url_file: PathBuf,
    /// File with the secret from which passwords are derived, at least 24 characters.
    pub secret_file: PathBuf,
}

fn secret(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|fault| format!("{} cannot be read: {fault}", path.display()))?;
    Ok(text.trim().to_owned())
}

impl PostgresSettings {
    /// The connector.
    ///
    /// # Errors
    /// When a file cannot be read, or the secret is too short to be safe.
    pub fn connector(&self) -> Result<Postgres, String> {
        let (url, key) = (secret(&self.url_file)?, secret(&self.secret_file)?);
        if key.len() < 24 {
            let path = self.secret_file.display();
            return Err(format!("{path} has {} characters; a secret needs at least 24", key.len()));
        }
        Postgres::new(&url, key.as_bytes()).map_err(|fault| fault.to_string())
    }
}

/// A connector that is ready to be used.
#[derive(Clone)]
pub struct Built {
    /// The service whose provisionings it opens and revokes.
    pub service: String,
    /// Its kind, which is stored with each provisioning.
    pub kind: &'static str,
    /// The connector.
    pub connector: Arc<dyn Connector>,
}

/// Creates all connectors.
///
/// # Errors
/// All faults, one sentence each.
pub fn build(config: &Config) -> Result<Vec<Built>, Vec<String>> {
    let (mut built, mut faults) = (Vec::new(), Vec::new());
    for (service, target) in config {
        match target.build() {
            Ok((kind, connector)) => built.push(Built { service: service.clone(), kind, connector }),
            Err(fault) => faults.push(format!("targets: {service}: {fault}")),
        }
    }
    if faults.is_empty() { Ok(built) } else { Err(faults) }
}

impl Target {
    fn build(&self) -> Result<(&'static str, Arc<dyn Connector>), String> {
        match self {
            Self::Webhook(settings) => Ok(("webhook", Arc::new(Webhook::new(settings)?))),
            Self::Files(settings) => {
                let files = Files::new(&settings.gate, settings.canary.clone()).map_err(|fault| fault.to_string())?;
                Ok(("files", Arc::new(files)))
            }
            Self::Mailbox(settings) => {
                let key = secret(&settings.key_file)?;
                let mailbox = Mailbox::new(settings.entries.clone(), &settings.doveadm, &key);
                Ok(("mailbox", Arc::new(mailbox.map_err(|fault| fault.to_string())?)))
            }
            Self::Postgres(settings) => Ok(("postgres", Arc::new(settings.connector()?))),
        }
    }
}
