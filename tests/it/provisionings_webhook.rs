//! The webhook connector against the adapter of the examples, a real HTTP server, and the kit that checks adapters.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use connectors::{AccessLevel, Built, Config, Connector, Fault, Found, Order, build};
use contracts::Kind;
use contracts::commands::RevokeAccess;
use uuid::Uuid;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, python, submission};

/// The adapter, as a process.
struct Adapter {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webhook").join(name)
}

impl Adapter {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let mut child = python()
            .arg(example("adapter.py"))
            .arg("0")
            .env("LOCKBOX_WEBHOOK_SECRET_FILE", folder.path().join("secret"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url, folder }
    }

    fn secret(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    fn built(&self) -> Vec<Built> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let text = format!("exchange_online: {{kind: webhook, url: {:?}, secret-file: {:?}}}", self.url, self.secret());
        let config: Config = serde_saphyr::from_str(&text).unwrap();
        build(&config).unwrap()
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn order(grant: Uuid) -> Order {
    Order {
        grant,
        tenant: "contoso".into(),
        service: "exchange_online".into(),
        resource: "finance@contoso.example".into(),
        access_level: AccessLevel::ReadOnly,
        engineer: "robin".into(),
        until: contracts::envelope::wall_clock(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_finds_that_the_adapter_of_the_examples_holds_and_that_a_stranger_does_not() {
    let adapter = Adapter::start();
    let check = |url: &str| python().arg(example("check.py")).arg(url).arg(adapter.secret()).output().unwrap();
    let held = check(&adapter.url);
    let said = String::from_utf8_lossy(&held.stdout).into_owned();
    assert!(held.status.success(), "{said}{}", String::from_utf8_lossy(&held.stderr));
    assert!(said.lines().count() > 14 && !said.contains("FAULT"), "{said}");
    // A target that accepts everything.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let careless = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(|| async { r#"{"state": "open", "sessions": 0, "grants": []}"# });
    let serving = tokio_util::task::TaskTracker::new();
    let task = serving.spawn(async move { axum::serve(listener, router).await });
    let held = tokio::task::block_in_place(|| check(&careless));
    assert_eq!(held.status.code(), Some(1), "{}", String::from_utf8_lossy(&held.stdout));
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_signed_repeatable_and_read_back() {
    let adapter = Adapter::start();
    let connector = adapter.built().remove(0).connector;
    let grant = order(Uuid::now_v7());
    assert_eq!(connector.probe(&grant).await.unwrap(), Found::Closed);
    for _ in 0..2 {
        connector.open(&grant).await.unwrap();
        assert_eq!(connector.probe(&grant).await.unwrap(), Found::Open);
    }
    assert_eq!(connector.marked().await.unwrap(), [grant.grant]);
    for _ in 0..2 {
        connector.close(&grant).await.unwrap();
        assert_eq!(connector.probe(&grant).await.unwrap(), Found::Closed);
    }
    assert_eq!(connector.terminate_sessions(&grant).await.unwrap(), 0);
    std::fs::write(adapter.secret(), "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let forged = adapter.built().remove(0).connector;
    assert!(matches!(forged.open(&grant).await, Err(Fault::Permanent(said)) if said.contains("401")));
    drop(adapter);
    assert!(matches!(connector.probe(&grant).await, Err(Fault::Transient(_))), "away is not closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_an_odd_answer_and_a_short_secret_open_nothing() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new()
        .route("/away", axum::routing::post(|| async { axum::response::Redirect::temporary("/closed") }))
        .route("/closed", axum::routing::post(|| async { r#"{"state": "closed", "sessions": 0}"# }))
        .route("/odd", axum::routing::post(|| async { r#"{"state": "probably closed"}"# }))
        .route("/html", axum::routing::post(|| async { "<h1>closed</h1>" }));
    let serving = tokio_util::task::TaskTracker::new();
    let task = serving.spawn(async move { axum::serve(listener, router).await });
    let connector = |path: &str| {
        let settings =
            connectors::WebhookSettings { url: format!("http://{address}{path}"), secret_file: secret.clone() };
        connectors::Webhook::new(&settings)
    };
    let grant = order(Uuid::now_v7());
    assert_eq!(connector("/closed").unwrap().probe(&grant).await.unwrap(), Found::Closed);
    for path in ["/away", "/odd", "/html", "/nowhere"] {
        assert!(connector(path).unwrap().probe(&grant).await.is_err(), "{path} is not closed");
    }
    std::fs::write(&secret, "whsec_c2hvcnQ=").unwrap();
    assert!(connector("/closed").err().unwrap().contains("at least 24"));
    std::fs::write(&secret, "hunter2").unwrap();
    assert!(connector("/closed").err().unwrap().contains("whsec_"));
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_opens_and_closes_through_a_real_adapter_and_one_that_is_down_confirms_nothing() {
    let lockbox = Lockbox::without_roles().await;
    let roles: Vec<RoleName> = ROLES.into_iter().filter(|role| *role != RoleName::Access).collect();
    lockbox.start(&roles).await;
    let adapter = Adapter::start();
    let built = adapter.built();
    let connector = built[0].connector.clone();
    lockbox.keep_provisionings(built).await;
    let end = async |request| {
        let data = RevokeAccess { request, by: "alex".into(), comment: None };
        assert_eq!(lockbox.outcome(Kind::GrantRevoke, &data).await, "grant.ended");
    };
    let (first, second) = (lockbox.granted(&submission()).await, lockbox.granted(&submission()).await);
    lockbox.until_provisioning(first, "active").await;
    lockbox.until_provisioning(second, "active").await;
    end(first).await;
    lockbox.until_provisioning(first, "revoked").await;
    assert_eq!(connector.marked().await.unwrap(), [second], "the other grant stays");
    drop(adapter);
    end(second).await;
    eventually("the failure is in the audit log", async || {
        let provisioning = lockbox.store.provisioning(second).await.unwrap().unwrap();
        assert_ne!(provisioning.state, "revoked", "nobody read it back");
        provisioning.last_error
    })
    .await;
    lockbox.finish().await;
}
