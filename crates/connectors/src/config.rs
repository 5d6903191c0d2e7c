//! Which service is behind which connector, as the section `provisionings` of the settings file says it. A service that is not
//! named there has no target: the gate alone is its provisioning.

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
    /// Any provisioning system that answers signed calls.
    Webhook(WebhookSettings),
    /// A site of files behind a proxy that asks the gate.
    Files(FilesSettings),
    /// A Dovecot.
    Mailbox(MailboxSettings),
    /// Schemas of a Postgres.
    Postgres(PostgresSettings),
}

/// Where a site is read back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FilesSettings {
    /// Address of the gate.
    pub gate: String,
    /// Address of something on the site that nobody may see without a handle.
    pub canary: Option<String>,
}

/// Where a Dovecot is and how it is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MailboxSettings {
    /// Folder of the entries that let engineers in.
    pub entries: PathBuf,
    /// Address of `doveadm` over HTTP.
    pub doveadm: String,
    /// File that holds the key for it.
    pub key_file: PathBuf,
}

/// Which Postgres, and what passwords follow from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PostgresSettings {
    /// File that holds the URL of a login that may make roles.
    pub url_file: PathBuf,
    /// File that holds the secret, at least 24 characters.
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
    /// When a file cannot be read, or the secret is too short to keep anybody out.
    pub fn connector(&self) -> Result<Postgres, String> {
        let (url, key) = (secret(&self.url_file)?, secret(&self.secret_file)?);
        if key.len() < 24 {
            let path = self.secret_file.display();
            return Err(format!("{path} holds {} characters; a secret has at least 24", key.len()));
        }
        Postgres::new(&url, key.as_bytes()).map_err(|fault| fault.to_string())
    }
}

/// A connector that is ready to be used.
#[derive(Clone)]
pub struct Built {
    /// The service whose provisionings it opens and closes.
    pub service: String,
    /// Which kind it is, as provisionings remember it.
    pub kind: &'static str,
    /// The connector.
    pub connector: Arc<dyn Connector>,
}

/// Makes every connector.
///
/// # Errors
/// Every fault, a sentence each.
pub fn build(config: &Config) -> Result<Vec<Built>, Vec<String>> {
    let (mut built, mut faults) = (Vec::new(), Vec::new());
    for (service, target) in config {
        match target.build() {
            Ok((kind, connector)) => built.push(Built { service: service.clone(), kind, connector }),
            Err(fault) => faults.push(format!("provisionings: {service}: {fault}")),
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
