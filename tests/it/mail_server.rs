//! A mail server that refuses: a refusal of the server or of our login defers mails and fails none.

use std::sync::{Arc, Mutex};

use contracts::Kind;
use domain::Verdict::Approve;
use store::audit::AuditFilter;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, body, eventually, submission};

/// A mail server with configurable replies.
#[derive(Clone, Default)]
pub(crate) struct Server {
    /// Which step is refused, and how.
    refusal: Arc<Mutex<Option<(&'static str, &'static str)>>>,
    /// Recipients of the mails that it took.
    pub taken: Arc<Mutex<Vec<String>>>,
    /// What it took, in the same order.
    pub mails: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Listens on a free port; answers with a URL for it, with a login.
    pub async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = self.clone();
        let tasks = TaskTracker::new();
        let connections = tasks.clone();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                connections.spawn(async move { drop(server.serve(stream).await) });
            }
        });
        format!("smtp://lockbox:wrong@127.0.0.1:{port}")
    }

    fn refuse(&self, refusal: Option<(&'static str, &'static str)>) {
        *self.refusal.lock().unwrap() = refusal;
    }

    fn reply(&self, step: &str, otherwise: &'static str) -> &'static str {
        match *self.refusal.lock().unwrap() {
            Some((refused, reply)) if refused == step => reply,
            _ => otherwise,
        }
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let mut say = async |reply: &str| writer.write_all(format!("{reply}\r\n").as_bytes()).await;
        say(self.reply("greeting", "220 mail.fabrikam.example ESMTP")).await?;
        let mut recipient = String::new();
        while let Some(line) = lines.next_line().await? {
            let step = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            let reply = match step.as_str() {
                "EHLO" => self.reply("EHLO", "250-mail.fabrikam.example\r\n250 AUTH PLAIN"),
                "AUTH" => self.reply("AUTH", "235 welcome"),
                "DATA" => {
                    say(self.reply("DATA", "354 go on")).await?;
                    let mut mail = String::new();
                    while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                        mail.push_str(&line);
                        mail.push('\n');
                    }
                    self.mails.lock().unwrap().push(mail);
                    self.taken.lock().unwrap().push(recipient.clone());
                    "250 taken"
                }
                // Every mail gets a connection of its own, so that each step can be refused.
                "NOOP" => return say("421 closing").await,
                "QUIT" => return say("221 bye").await,
                "RCPT" => {
                    line.split(['<', '>']).nth(1).unwrap_or_default().clone_into(&mut recipient);
                    self.reply("RCPT", "250 fine")
                }
                step => self.reply(step, "250 fine"),
            };
            say(reply).await?;
        }
        Ok(())
    }
}

/// The reason of every deferred mail.
async fn reasons(lockbox: &Lockbox) -> Vec<String> {
    let reading = "select last_error from outbox where consumer = 'mail' and last_error is not null";
    sqlx::query_scalar(reading).fetch_all(&lockbox.pool).await.unwrap()
}

async fn due_now(lockbox: &Lockbox) {
    let due = "update outbox set publish_after = clock_timestamp() where consumer = 'mail' and last_error is not null";
    sqlx::query(due).execute(&lockbox.pool).await.unwrap();
}

async fn failed(lockbox: &Lockbox) -> Vec<serde_json::Value> {
    let filter = AuditFilter { type_name: Some("notification.failed".into()), limit: 100, ..AuditFilter::default() };
    lockbox.store.search_audit(&filter).await.unwrap().iter().map(body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_deferred_while_the_server_refuses_our_login_or_sender_and_sent_afterwards() {
    let mut lockbox = Lockbox::with_roles(&ROLES).await;
    let server = Server::default();
    lockbox.settings.mail.url = server.listen().await;
    lockbox.start(&[RoleName::Mail]).await;
    for (step, reply) in [
        ("AUTH", "535 5.7.8 authentication credentials invalid"),
        ("greeting", "554 5.3.2 not today"),
        ("EHLO", "550 5.7.1 client host rejected"),
        ("MAIL", "530 5.7.0 authentication required"),
        ("RCPT", "554 5.7.1 <morgan@fabrikam.example>: Relay access denied"),
    ] {
        server.taken.lock().unwrap().clear();
        server.refuse(Some((step, reply)));
        lockbox.submit(&submission()).await;
        eventually(&format!("both mails are deferred at {step}"), async || {
            let reasons = reasons(&lockbox).await;
            (reasons.len() == 2 && reasons.iter().all(|reason| reason.contains(&reply[..3]))).then_some(())
        })
        .await;
        let depth = eventually("the rest is consumed", async || {
            Some(lockbox.store.outbox_depth().await.unwrap()).filter(|depth| depth.waiting == 0)
        })
        .await;
        assert_eq!(depth.deferred, 2, "a mail that waits for a retry is not a message that nobody consumes");
        assert!(depth.oldest_seconds < 1.0 && depth.deferred_reason.unwrap().starts_with("the mail server refuses"));
        assert_eq!(failed(&lockbox).await, Vec::<serde_json::Value>::new(), "{step}: no mail failed");
        server.refuse(None);
        eventually(&format!("both mails are sent after {step}"), async || {
            // An attempt that was under way may have deferred its mail once more, and a mail may then be sent twice.
            due_now(&lockbox).await;
            let mut taken = server.taken.lock().unwrap().clone();
            taken.sort();
            taken.dedup();
            (taken == ["jo@fabrikam.example", "morgan@fabrikam.example"]).then_some(())
        })
        .await;
        eventually("nothing waits", async || reasons(&lockbox).await.is_empty().then_some(())).await;
    }
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deferred_mails_are_sent_at_once_when_the_server_accepts_mail_again() {
    let mut lockbox = Lockbox::with_roles(&ROLES).await;
    let server = Server::default();
    lockbox.settings.mail.url = server.listen().await;
    lockbox.start(&[RoleName::Mail]).await;
    server.refuse(Some(("AUTH", "535 5.7.8 authentication credentials invalid")));
    let request = lockbox.submit(&submission()).await;
    eventually("both mails are deferred", async || (reasons(&lockbox).await.len() == 2).then_some(())).await;
    let later = "update outbox set publish_after = publish_after + interval '1 hour', retry_at = retry_at + interval '1 hour' \
                 where consumer = 'mail' and last_error is not null";
    sqlx::query(later).execute(&lockbox.pool).await.unwrap();
    server.refuse(None);
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    eventually("every mail is sent, the deferred ones long before their time", async || {
        let taken = server.taken.lock().unwrap().clone();
        let has = |address: &str| taken.iter().any(|to| to == address);
        (has("jo@fabrikam.example") && has("morgan@fabrikam.example") && has("alex@contoso.example")).then_some(())
    })
    .await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_recipient_fails_permanently_and_is_in_the_audit_log() {
    let mut lockbox = Lockbox::with_roles(&ROLES).await;
    let server = Server::default();
    lockbox.settings.mail.url = server.listen().await;
    lockbox.start(&[RoleName::Mail]).await;
    server.refuse(Some(("RCPT", "550 5.1.1 user unknown")));
    lockbox.submit(&submission()).await;
    let failed = eventually("both failures are in the audit log", async || {
        Some(failed(&lockbox).await).filter(|failed| failed.len() == 2)
    })
    .await;
    assert!(
        failed.iter().all(|event| event["error"].as_str().unwrap().contains("550 5.1.1 user unknown")),
        "{failed:?}"
    );
    assert!(reasons(&lockbox).await.is_empty());
    lockbox.finish().await;
}
