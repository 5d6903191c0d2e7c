//! Mailboxes of a Dovecot server: one entry per grant says who can read which mailbox until when; and the resulting sessions.
//!
//! An entry alone does not allow a login: Dovecot also calls the gate, and both must allow it. So every mailbox is closed while
//! the gate is down, and an entry expires by the mail server's own clock. Deliberately absent: passwords.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use reqwest::Client;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::order::{AccessLevel, Connector, Fault, Found, Order};

/// Time limit of a call to Dovecot.
const LIMIT: Duration = Duration::from_secs(5);

/// Permission for an engineer to read a mailbox until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Short name of the engineer.
    pub engineer: String,
    /// Address of the mailbox.
    pub mailbox: String,
    /// When it expires.
    pub until: DateTime<Utc>,
    /// Whether the engineer can change content.
    pub may_write: bool,
}

impl Entry {
    fn read(path: &Path) -> Option<Self> {
        let document: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        Some(Self {
            engineer: document["engineer"].as_str()?.to_owned(),
            mailbox: document["mailbox"].as_str()?.to_owned(),
            until: DateTime::parse_from_rfc3339(document["until"].as_str()?).ok()?.to_utc(),
            may_write: document["may_write"].as_bool()?,
        })
    }

    /// The valid entries for a login such as `robin*finance@contoso.example`, by grant. An engineer can have several grants for a
    /// mailbox, with different rights and ends.
    pub fn all(entries: &Path, login: &str, now: DateTime<Utc>) -> BTreeMap<Uuid, Self> {
        let Some((engineer, mailbox)) = login.split_once('*') else { return BTreeMap::new() };
        let files = std::fs::read_dir(entries).into_iter().flatten().flatten();
        let entries = files.filter_map(|file| Some((grant_of(&file.path())?, Self::read(&file.path())?)));
        entries
            .filter(|(_, entry)| {
                entry.engineer.eq_ignore_ascii_case(engineer)
                    && entry.mailbox.eq_ignore_ascii_case(mailbox)
                    && now < entry.until
            })
            .collect()
    }
}

fn grant_of(path: &Path) -> Option<Uuid> {
    Uuid::parse_str(path.file_name()?.to_str()?).ok()
}

/// One Dovecot server.
#[derive(Clone, Debug)]
pub struct Mailbox {
    client: Client,
    entries: PathBuf,
    doveadm: String,
    key: String,
}

fn on_disk(fault: std::io::Error) -> Fault {
    Fault::Transient(format!("cannot access the entries of the mail server: {fault}"))
}

/// The login name of an engineer for a mailbox.
fn login(order: &Order) -> String {
    format!("{}*{}", order.engineer, order.resource).to_ascii_lowercase()
}

impl Mailbox {
    /// A Dovecot server with its folder of entries, and the URL and key of `doveadm` over HTTP.
    ///
    /// # Errors
    /// When the HTTP client cannot be created.
    pub fn new(entries: PathBuf, doveadm: &str, key: &str) -> Result<Self, Fault> {
        let client = Client::builder().timeout(LIMIT).build().map_err(|fault| Fault::Permanent(fault.to_string()))?;
        let key = format!("X-Dovecot-API {}", BASE64_STANDARD.encode(key));
        Ok(Self { client, entries, doveadm: format!("{}/doveadm/v1", doveadm.trim_end_matches('/')), key })
    }

    async fn doveadm(&self, command: &str, login: &str) -> Result<Vec<Value>, Fault> {
        let failed = |fault: reqwest::Error| Fault::Transient(format!("doveadm: {fault}"));
        let body = json!([[command, {"mask": [login]}, "lockbox"]]).to_string();
        let asking = self.client.post(&self.doveadm).header("authorization", &self.key);
        let answer = asking.header("content-type", "application/json").body(body).send().await.map_err(failed)?;
        let answer = answer.error_for_status().map_err(failed)?.text().await.map_err(failed)?;
        let answer: Value = serde_json::from_str(&answer).map_err(|fault| Fault::Transient(fault.to_string()))?;
        match (answer[0][0].as_str(), &answer[0][1]) {
            (Some("doveadmResponse"), Value::Array(found)) => Ok(found.clone()),
            // No session with this login.
            (Some("error"), said) if said["exitCode"] == 68 => Ok(Vec::new()),
            _ => Err(Fault::Transient(format!("doveadm {command} responded with {answer}"))),
        }
    }

    /// Number of sessions of this login. The login contains a wildcard of the mask, so that other logins are filtered out.
    async fn sessions(&self, login: &str) -> Result<u64, Fault> {
        let found = self.doveadm("who", login).await?;
        let own = found.iter().filter(|session| session["username"] == login);
        Ok(own.filter_map(|session| session["connections"].as_str()?.parse::<u64>().ok()).sum())
    }
}

#[async_trait]
impl Connector for Mailbox {
    async fn open(&self, order: &Order) -> Result<(), Fault> {
        let is_address = order.resource.split('@').filter(|part| !part.is_empty()).count() == 2;
        if !is_address || order.resource.contains(['/', '*', '?', '\t', '\n', ':']) || order.engineer.contains('*') {
            return Err(Fault::Permanent(format!("{:?} is not a mailbox address", order.resource)));
        }
        let entry = json!({
            "engineer": order.engineer, "mailbox": order.resource.to_ascii_lowercase(),
            "until": order.until.to_rfc3339(), "may_write": order.access_level == AccessLevel::ReadWrite,
        });
        let path = self.entries.join(order.grant.to_string());
        let unfinished = path.with_extension("new");
        // Written under another name first, so that Dovecot never reads half an entry.
        std::fs::write(&unfinished, entry.to_string()).map_err(on_disk)?;
        std::fs::rename(unfinished, path).map_err(on_disk)
    }

    async fn close(&self, order: &Order) -> Result<(), Fault> {
        match std::fs::remove_file(self.entries.join(order.grant.to_string())) {
            Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => Err(on_disk(fault)),
            _ => Ok(()),
        }
    }

    async fn terminate_sessions(&self, order: &Order) -> Result<u64, Fault> {
        let login = login(order);
        let count = self.sessions(&login).await?;
        if count > 0 {
            self.doveadm("kick", &login).await?;
        }
        Ok(count)
    }

    async fn probe(&self, order: &Order) -> Result<Found, Fault> {
        let path = self.entries.join(order.grant.to_string());
        let is_open =
            path.try_exists().map_err(on_disk)? && Entry::read(&path).is_none_or(|entry| is_future(entry.until));
        Ok(if is_open || self.sessions(&login(order)).await? > 0 { Found::Open } else { Found::Closed })
    }

    async fn marked(&self) -> Result<Vec<Uuid>, Fault> {
        let files = std::fs::read_dir(&self.entries).map_err(on_disk)?;
        Ok(files.flatten().filter_map(|file| grant_of(&file.path())).collect())
    }
}

#[allow(clippy::disallowed_methods, reason = "the entry expires by the target's own clock")]
fn is_future(until: DateTime<Utc>) -> bool {
    Utc::now() < until
}
