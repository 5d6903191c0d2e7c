//! `lockbox dovecot-auth`: the program that Dovecot runs for a login (checkpassword). It allows the login while the connector's
//! entry is valid and the gate allows it, so every login is in the audit log.
//!
//! Deliberately absent: the database. A mail server needs only the gate.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use connectors::Entry;
use serde_json::json;
use uuid::Uuid;

use runtime::outcome::Failure;

/// Time limit for the gate.
const LIMIT: Duration = Duration::from_secs(2);

/// Mailboxes and their gate.
#[derive(Args, Debug)]
pub struct DovecotAuth {
    /// URL of the gate.
    #[arg(long, value_name = "URL")]
    gate: String,
    /// Short name of the tenant that owns the mailboxes.
    #[arg(long, value_name = "NAME")]
    tenant: String,
    /// Service of the mailboxes.
    #[arg(long, value_name = "NAME")]
    service: String,
    /// Folder of the connector's entries.
    #[arg(long, value_name = "FOLDER")]
    entries: PathBuf,
    /// Folder of the mailboxes (Maildir), one for each address.
    #[arg(long, value_name = "FOLDER")]
    mailboxes: PathBuf,
    /// Dovecot ACL file for read-only access.
    #[arg(long, value_name = "FILE")]
    read_only_acl: PathBuf,
    /// Address of the client; Dovecot sets it.
    #[arg(long, env = "AUTH_REMOTE_IP", value_name = "ADDRESS")]
    source: Option<String>,
    /// Dovecot's reply program; not used.
    reply: Vec<PathBuf>,
}

fn refused() -> Failure {
    Failure::Failed("refused".to_owned())
}

impl DovecotAuth {
    pub(super) async fn run(self) -> Result<(), Failure> {
        // Name and password, each terminated by a zero byte (https://cr.yp.to/checkpwd/interface.html).
        let mut input = Vec::new();
        std::fs::File::open("/dev/fd/3")?.take(1024).read_to_end(&mut input)?;
        let input = String::from_utf8(input).map_err(|_| refused())?;
        let mut parts = input.split('\0');
        let (login, token) = parts.next().zip(parts.next()).ok_or_else(refused)?;
        let now = contracts::envelope::wall_clock();
        let mut entries = Entry::all(&self.entries, login, now);
        let named = entries.values().next().ok_or_else(refused)?;
        // The token states the grant; the grant states the access level and the end.
        let grant = self.check(&named.engineer, &named.mailbox, token).await?;
        let entry = entries.remove(&grant).ok_or_else(refused)?;
        let mailbox = self.mailboxes.join(&entry.mailbox);
        let acl = if entry.may_write { String::new() } else { format!(":{}", self.read_only_acl.display()) };
        // No ACL right covers the list of subscriptions, which is a file in the mailbox.
        let subscriptions =
            if entry.may_write { "" } else { "userdb_namespace/inbox/subscriptions=no\tuserdb_lockbox_reads=yes\t" };
        let answer = format!(
            "user={login}\tuserdb_home={0}\tuserdb_mail=maildir:{0}:INDEX=MEMORY\tuserdb_acl=vfile{acl}\t\
             {subscriptions}userdb_lockbox_until={1}\t",
            mailbox.display(),
            // The mail server ends the session at this time.
            entry.until.timestamp_millis()
        );
        std::fs::OpenOptions::new().write(true).open("/dev/fd/4")?.write_all(answer.as_bytes())?;
        Ok(())
    }

    /// Sends a check to the gate; returns the request of the access token's grant.
    async fn check(&self, engineer: &str, mailbox: &str, token: &str) -> Result<Uuid, Failure> {
        let client = reqwest::Client::builder().timeout(LIMIT).redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|fault| Failure::Failed(fault.to_string()))?;
        let check = json!({
            "access_token": token, "person": engineer, "tenant": self.tenant, "service": self.service,
            "resource": mailbox, "method": "LOGIN", "source": self.source,
        });
        let call = client.post(format!("{}/v1/check", self.gate.trim_end_matches('/'))).body(check.to_string());
        let response = call.send().await.map_err(|fault| Failure::Unreachable(fault.to_string()))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let is_ours =
            header("x-lockbox-allowed").is_some_and(|value| value == format!("{}/{}", self.tenant, self.service));
        let is_allowed = response.status() == reqwest::StatusCode::NO_CONTENT && is_ours;
        let grant = header("x-lockbox-request").filter(|_| is_allowed);
        grant.and_then(|grant| grant.parse().ok()).ok_or_else(refused)
    }
}
