//! `lockbox dovecot-auth`: what Dovecot runs for a login (its `checkpassword`): yes while the connector's entry has not ended
//! and the gate says yes, and so with every login on record.
//!
//! Deliberately absent: Lockbox' database. A mail server knows the gate alone.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use connectors::Entry;
use serde_json::json;
use uuid::Uuid;

use runtime::outcome::Failure;

/// Longest wait for the gate.
const LIMIT: Duration = Duration::from_secs(2);

/// Whose mailboxes, and where.
#[derive(Args, Debug)]
pub struct DovecotAuth {
    /// The gate.
    #[arg(long, value_name = "URL")]
    gate: String,
    /// Whose mailboxes these are.
    #[arg(long, value_name = "NAME")]
    tenant: String,
    /// Service that they belong to.
    #[arg(long, value_name = "NAME")]
    service: String,
    /// Folder of the connector's entries.
    #[arg(long, value_name = "FOLDER")]
    entries: PathBuf,
    /// Folder of the mailboxes (Maildir), by address.
    #[arg(long, value_name = "FOLDER")]
    mailboxes: PathBuf,
    /// Rights of those who only read.
    #[arg(long, value_name = "FILE")]
    read_only_acl: PathBuf,
    /// Address of the client, from Dovecot.
    #[arg(long, env = "AUTH_REMOTE_IP", value_name = "ADDRESS")]
    source: Option<String>,
    /// Dovecot's own program for the answer; not needed.
    reply: Vec<PathBuf>,
}

fn no() -> Failure {
    Failure::Failed("refused".to_owned())
}

impl DovecotAuth {
    pub(super) async fn run(self) -> Result<(), Failure> {
        // Name and password, each with a zero at its end (https://cr.yp.to/checkpwd/interface.html).
        let mut said = Vec::new();
        std::fs::File::open("/dev/fd/3")?.take(1024).read_to_end(&mut said)?;
        let said = String::from_utf8(said).map_err(|_| no())?;
        let mut parts = said.split('\0');
        let (login, handle) = parts.next().zip(parts.next()).ok_or_else(no)?;
        let now = contracts::envelope::wall_clock();
        let mut entries = Entry::all(&self.entries, login, now);
        let named = entries.values().next().ok_or_else(no)?;
        // The token names the grant, and the grant its rights and its end.
        let grant = self.ask(&named.engineer, &named.mailbox, handle).await?;
        let entry = entries.remove(&grant).ok_or_else(no)?;
        let mailbox = self.mailboxes.join(&entry.mailbox);
        let acl = if entry.may_write { String::new() } else { format!(":{}", self.read_only_acl.display()) };
        // No right of an ACL covers the list of subscriptions, which is a file in the mailbox.
        let subscriptions =
            if entry.may_write { "" } else { "userdb_namespace/inbox/subscriptions=no\tuserdb_lockbox_reads=yes\t" };
        let answer = format!(
            "user={login}\tuserdb_home={0}\tuserdb_mail=maildir:{0}:INDEX=MEMORY\tuserdb_acl=vfile{acl}\t\
             {subscriptions}userdb_lockbox_until={1}\t",
            mailbox.display(),
            // For the mail server's own cut of the session.
            entry.until.timestamp_millis()
        );
        std::fs::OpenOptions::new().write(true).open("/dev/fd/4")?.write_all(answer.as_bytes())?;
        Ok(())
    }

    /// Asks the gate; answers with the request of the access token's grant.
    async fn ask(&self, engineer: &str, mailbox: &str, handle: &str) -> Result<Uuid, Failure> {
        let client = reqwest::Client::builder().timeout(LIMIT).redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|fault| Failure::Failed(fault.to_string()))?;
        let question = json!({
            "handle": handle, "person": engineer, "tenant": self.tenant, "service": self.service,
            "resource": mailbox, "method": "LOGIN", "source": self.source,
        });
        let asking = client.post(format!("{}/v1/check", self.gate.trim_end_matches('/'))).body(question.to_string());
        let answer = asking.send().await.map_err(|fault| Failure::Unreachable(fault.to_string()))?;
        let header = |name: &str| answer.headers().get(name).and_then(|said| said.to_str().ok());
        let is_ours =
            header("x-lockbox-allowed").is_some_and(|said| said == format!("{}/{}", self.tenant, self.service));
        let is_yes = answer.status() == reqwest::StatusCode::NO_CONTENT && is_ours;
        let grant = header("x-lockbox-request").filter(|_| is_yes);
        grant.and_then(|grant| grant.parse().ok()).ok_or_else(no)
    }
}
