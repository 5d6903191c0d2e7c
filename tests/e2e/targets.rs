//! Kills every process while grants are active on real targets: mailboxes, files and a database refuse access on their own,
//! and after the restart every provisioning is revoked and read back. Without a broker, access still ends on time.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use servers::Worker;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use uuid::Uuid;

use crate::harness::{Lockbox, eventually};
use crate::provisionings::granted_to;
use crate::target_servers::{FileSite, Imap, database, folder, mail_server};

const CONTOSO: (&str, &str) = ("contoso", "alex");
const MAILBOX: (&str, &str) = ("exchange_online", "finance@contoso.example");
const FILES: (&str, &str) = ("sharepoint", "https://contoso.example/sites/site-a");
const SALES: (&str, &str) = ("onedrive", "https://contoso.example/sales");
const ROBIN: &str = "robin*finance@contoso.example";
const SECRET: &str = "/sites/site-a/secret.txt";

/// A gate in its own process, always on the same address.
fn gate(lockbox: &Lockbox, address: &str, folder: &Path) -> Worker {
    let arguments = ["gate", "--listen", address].map(str::to_owned);
    let environment = [
        ("LOCKBOX_DATABASE_URL", lockbox.settings.database_url.clone()),
        ("LOCKBOX_AMQP_URL", lockbox.settings.amqp_url.clone()),
        ("LOCKBOX_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_lockbox"));
    Worker::start(program, &arguments, &environment, &folder.join("gate.log")).unwrap()
}

async fn provisioning(lockbox: &Lockbox, grant: Uuid, wanted: &str) -> store::provisionings::ProvisioningView {
    eventually(&format!("the provisioning of {grant} is {wanted}"), async || {
        let provisioning = lockbox.store.provisioning(grant).await.ok()??;
        (provisioning.state == wanted).then_some(provisioning)
    })
    .await
}

async fn until_over(lockbox: &Lockbox, grant: Uuid) {
    let until = lockbox.store.show_request(grant).await.unwrap().access_until.unwrap();
    eventually("the end has passed", async || (lockbox.store.clock().await.ok()? >= until).then_some(())).await;
}

fn shown(lockbox: &Lockbox, grant: Uuid) -> String {
    let said = lockbox.run(&["grant", "token", &grant.to_string(), "--as", "robin"]);
    said.lines().find(|line| line.starts_with("lbg_")).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_process_targets_end_access_on_their_own_and_are_read_back_after_the_restart() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let place = folder("dead-mail");
    let mail = mail_server(&place, &address);
    let files = FileSite::open("dead-files", &address);
    let (target, admin) = database("dead-postgres").await;
    let config = place.join("lockbox.yaml");
    for (name, text) in [("key", "change-me"), ("url", target.database_url()), ("secret", "a secret of the connector")]
    {
        std::fs::write(place.join(name), text).unwrap();
    }
    let [at, canary] = [place.display().to_string(), format!("http://127.0.0.1:{}{SECRET}", files.nginx.port)];
    let text = format!(
        "targets:\n  exchange_online: {{kind: mailbox, entries: {at}/entries, doveadm: 'http://127.0.0.1:{}', key-file: {at}/key}}\n  \
         sharepoint: {{kind: files, gate: 'http://{address}', canary: '{canary}'}}\n  \
         onedrive: {{kind: postgres, url-file: {at}/url, secret-file: {at}/secret}}\n",
        mail.doveadm
    );
    std::fs::write(&config, text).unwrap();
    let mut lockbox = Lockbox::start_with("targets", 1, Some(config)).await;
    let mut asked = gate(&lockbox, &address, &place);

    let grants = [MAILBOX, FILES, SALES].map(|what| granted_to(&lockbox, CONTOSO, what, "60s"));
    for grant in grants {
        provisioning(&lockbox, grant, "active").await;
    }
    let [mailbox, site, sales] = grants;
    let (mail_handle, file_handle) = (shown(&lockbox, mailbox), shown(&lockbox, site));
    let connector = connectors::Postgres::new(target.database_url(), b"a secret of the connector").unwrap();
    let base: PgConnectOptions = target.database_url().parse().unwrap();
    let login = base.username(&connectors::login(sales)).password(&connector.password(sales));
    let mut reading = eventually("mail", async || Imap::enter(mail.imap, ROBIN, &mail_handle).await.ok()).await;
    let content = std::fs::read_to_string(files.files.join(SECRET.trim_start_matches('/'))).unwrap();
    assert_eq!(files.get(SECRET, &file_handle).await, (StatusCode::OK, content));
    let mut query = login.clone().connect().await.unwrap();

    lockbox.kill_all();
    asked.kill();
    assert!(Imap::enter(mail.imap, ROBIN, &mail_handle).await.is_err(), "no gate, no mailbox");
    let (status, text) = files.get(SECRET, &file_handle).await;
    assert!(!status.is_success() && !text.contains("content of"), "no gate, no files: {status}");
    assert!(
        reading.say("NOOP").await.contains("x OK") && query.ping().await.is_ok(),
        "what runs goes on until its end"
    );
    until_over(&lockbox, sales).await;
    assert!(login.clone().connect().await.is_err(), "the role's own end");
    let cut = Instant::now();
    eventually("the database cuts by itself", async || query.ping().await.err()).await;
    eventually("the mail server cuts by itself", async || (!reading.say("NOOP").await.contains("x OK")).then_some(()))
        .await;
    assert!(cut.elapsed() < Duration::from_secs(10), "{:?}", cut.elapsed());
    let roles = "select count(*) from pg_roles where rolname = $1";
    let is_there: i64 = sqlx::query_scalar(roles).bind(connectors::login(sales)).fetch_one(&admin).await.unwrap();
    assert_eq!(is_there, 1, "nobody of ours was there");

    let restarted = Instant::now();
    lockbox.spawn_all();
    let mut asked = gate(&lockbox, &address, &place);
    for grant in grants {
        let provisioning = provisioning(&lockbox, grant, "revoked").await;
        assert!(provisioning.revoked_at > provisioning.revocation_ordered_at, "{provisioning:?}");
    }
    assert!(restarted.elapsed() < Duration::from_secs(60), "{:?}{}", restarted.elapsed(), lockbox.logs());
    let is_there: i64 = sqlx::query_scalar(roles).bind(connectors::login(sales)).fetch_one(&admin).await.unwrap();
    assert_eq!(is_there, 0, "the role is dropped");

    // No broker from the moment access opens.
    let site = granted_to(&lockbox, CONTOSO, FILES, "20s");
    provisioning(&lockbox, site, "active").await;
    let token = shown(&lockbox, site);
    lockbox.servers.broker.as_mut().unwrap().kill();
    assert_eq!(files.get(SECRET, &token).await.0, StatusCode::OK);
    until_over(&lockbox, site).await;
    assert_eq!(files.get(SECRET, &token).await.0, StatusCode::UNAUTHORIZED, "on time");
    provisioning(&lockbox, site, "revoked").await;
    lockbox.servers.broker.as_mut().unwrap().restart().unwrap();
    asked.kill();
    files.stop();
    mail.stop();
    target.stop().await;
    lockbox.finish().await;
}
