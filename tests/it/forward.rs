//! Forwarding of the audit log: in order, at least once, and only to a trusted receiver.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use workers::RoleName;

use crate::harness::{Lockbox, eventually};
use crate::log::record;

/// A certificate for `localhost` with its key, and the file that makes it trusted.
pub fn certificate(folder: &Path) -> (Arc<ServerConfig>, PathBuf) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = folder.join("ca.pem");
    std::fs::write(&path, own.cert.pem()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), path)
}

/// A receiver of syslog over TLS, and what it has read.
#[derive(Clone, Default)]
pub struct Receiver {
    pub messages: Arc<Mutex<Vec<String>>>,
    /// Connections that end after so many messages, without a word.
    drops: Arc<AtomicUsize>,
}

/// Messages read before a connection is dropped.
const READ_BEFORE_DROP: usize = 4;

impl Receiver {
    pub async fn open(config: Arc<ServerConfig>) -> (Self, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let to = format!("syslog+tls://localhost:{}", listener.local_addr().unwrap().port());
        let (receiver, acceptor) = (Self::default(), TlsAcceptor::from(config));
        let accepting = receiver.clone();
        TaskTracker::new().spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if let Ok(stream) = acceptor.accept(stream).await {
                    accepting.read(stream).await;
                }
            }
        });
        (receiver, to)
    }

    async fn read(&self, mut stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>) {
        let is_dropped = self.drops.load(Ordering::Relaxed) > 0;
        let mut count = 0;
        while let Some(message) = frame(&mut stream).await {
            self.messages.lock().unwrap().push(message);
            count += 1;
            if is_dropped && count == READ_BEFORE_DROP {
                self.drops.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
        drop(stream.shutdown().await);
    }

    /// Index of each message about a log, in the order of arrival.
    fn indices(&self, tenant: &str) -> Vec<u64> {
        let messages = self.messages.lock().unwrap();
        let of = messages.iter().filter(|message| message.contains(&format!(" tenant=\"{tenant}\"")));
        of.map(|message| parameter(message, "index").parse().unwrap()).collect()
    }
}

/// A message in the framing of RFC 5425; `None` at the end.
async fn frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let mut length = 0;
    loop {
        match stream.read_u8().await.ok()? {
            b' ' => break,
            digit => length = length * 10 + usize::from(digit.checked_sub(b'0').unwrap()),
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.ok()?;
    Some(String::from_utf8(message).unwrap())
}

pub fn parameter<'a>(message: &'a str, name: &str) -> &'a str {
    message.split_once(&format!(" {name}=\"")).unwrap().1.split_once('"').unwrap().0
}

pub async fn forward(lockbox: &Lockbox, arguments: &[&str]) -> (i32, String) {
    let done = tokio::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(["audit", "forward", "--once"])
        .args(arguments)
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .output()
        .await
        .unwrap();
    (done.status.code().unwrap(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

/// A log of Contoso with more than so many entries.
async fn recorded(count: usize) -> Lockbox {
    let lockbox = Lockbox::with_roles(&[RoleName::Sequencer]).await;
    record(&lockbox, "contoso", count).await;
    placed(&lockbox).await;
    lockbox
}

/// Waits until everything of both tenants has its place; answers with Contoso's entries.
pub async fn placed(lockbox: &Lockbox) -> u64 {
    eventually("everything has its place", async || {
        let other = lockbox.store.completeness(Some("adatum")).await.unwrap();
        let log = lockbox.store.completeness(Some("contoso")).await.unwrap();
        (log.waiting == 0 && other.waiting == 0).then(|| u64::try_from(log.entries).unwrap())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syslog_receiver_gets_every_entry_in_order_at_least_once_when_connections_break() {
    let lockbox = recorded(30).await;
    let folder = tempfile::tempdir().unwrap();
    let (config, ca) = certificate(folder.path());
    let (receiver, to) = Receiver::open(config).await;
    receiver.drops.store(2, Ordering::Relaxed);
    let arguments = ["--to", &to, "--ca-file", ca.to_str().unwrap()];
    let (code, text) = forward(&lockbox, &arguments).await;
    assert_eq!(code, 0, "{text}");
    let size = placed(&lockbox).await;
    let indices = receiver.indices("contoso");
    let mut next = 0;
    for index in &indices {
        assert!(*index <= next, "entry {next} was left out: {indices:?}");
        next = next.max(index + 1);
    }
    assert_eq!(next, size, "all were sent");
    assert!(u64::try_from(indices.len()).unwrap() > size, "what was dropped came again");
    let last = receiver.messages.lock().unwrap().iter().rfind(|text| text.contains("/t/contoso\"")).cloned().unwrap();
    assert!(last.starts_with("<110>1 20") && last.contains(" lockbox.fabrikam.example lockbox - "), "{last}");
    let (_, event) = last.split_once("] {").unwrap();
    assert_eq!(serde_json::from_str::<Value>(&format!("{{{event}")).unwrap()["id"], parameter(&last, "event"));
    // The entry can be put together again from what was sent, and is the one that was hashed.
    let entry = evidence::Entry {
        event: format!("{{{event}").as_bytes(),
        log: parameter(&last, "log"),
        prev: tlog::Hash::from_slice(&hex::decode(parameter(&last, "prev")).unwrap()).unwrap(),
        seq: parameter(&last, "seq").parse().unwrap(),
        v: 1,
    }
    .to_bytes();
    assert_eq!(hex::encode(tlog::leaf_hash(&entry).0), parameter(&last, "leaf"));
    // Another process goes on where that one ended.
    let before = receiver.indices("contoso").len();
    let (code, text) = forward(&lockbox, &arguments).await;
    assert_eq!((code, text.starts_with("0 entries")), (0, true), "{text}");
    record(&lockbox, "contoso", 3).await;
    let grown = placed(&lockbox).await;
    let (code, text) = forward(&lockbox, &arguments).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(receiver.indices("contoso")[before..], (size..grown).collect::<Vec<_>>());
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_an_untrusted_receiver_and_one_process_at_a_time_forwards() {
    let lockbox = recorded(3).await;
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (config, own) = certificate(one.path());
    let (_, foreign) = certificate(other.path());
    let (receiver, to) = Receiver::open(config).await;
    let (code, text) = forward(&lockbox, &["--to", &to, "--ca-file", foreign.to_str().unwrap()]).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("certificate of localhost is not trusted") && text.contains("--ca-file"), "{text}");
    assert!(receiver.messages.lock().unwrap().is_empty());
    let right = lockbox.store.forward_to(&to).await.unwrap().unwrap();
    let (code, text) = forward(&lockbox, &["--to", &to, "--ca-file", own.to_str().unwrap()]).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("another process forwards"), "{text}");
    right.release().await;
    let (code, text) =
        forward(&lockbox, &["--to", &to, "--ca-file", own.to_str().unwrap(), "--tenant", "contoso"]).await;
    assert_eq!(code, 0, "{text}");
    let messages = receiver.messages.lock().unwrap().clone();
    assert!(!messages.is_empty() && messages.iter().all(|message| message.contains("/t/contoso\"")), "only its log");
    for (to, words) in [
        ("http://siem.contoso.example/", "https"),
        ("https://name:secret@siem.contoso.example/", "must not contain a secret"),
        ("ftp://siem.contoso.example/", "syslog+tls://"),
    ] {
        let (code, text) = forward(&lockbox, &["--to", to]).await;
        assert!(code == 2 && text.contains(words), "{to}: {text}");
    }
    lockbox.finish().await;
}

/// A collector with its next response and the documents that it accepted.
#[derive(Clone, Default)]
pub struct Collector {
    /// Logs it refuses, and how.
    pub refuses: Arc<Mutex<HashMap<String, StatusCode>>>,
    answers: Arc<Mutex<Vec<StatusCode>>>,
    pub taken: Arc<Mutex<Vec<Value>>>,
}

async fn collect(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
    if headers.get("authorization").is_none_or(|value| value != "Bearer let me in") {
        return (StatusCode::UNAUTHORIZED, "who are you?");
    }
    if let Some(answer) = collector.answers.lock().unwrap().pop() {
        return (answer, "");
    }
    let documents: Vec<Value> = serde_json::from_slice(&body).unwrap();
    let log = documents[0]["metadata"]["log_name"].as_str().unwrap();
    if let Some(answer) = collector.refuses.lock().unwrap().get(log) {
        return (*answer, "");
    }
    if documents.len() > 20 {
        return (StatusCode::PAYLOAD_TOO_LARGE, "");
    }
    collector.taken.lock().unwrap().extend(documents);
    (StatusCode::ACCEPTED, "")
}

/// Serves the collector over TLS.
pub async fn serve(collector: &Collector, config: Arc<ServerConfig>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let to = format!("https://localhost:{}/ocsf", listener.local_addr().unwrap().port());
    let acceptor = TlsAcceptor::from(config);
    let router = Router::new().route("/ocsf", axum::routing::post(collect)).with_state(collector.clone());
    let tasks = TaskTracker::new();
    tasks.clone().spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, service) = (acceptor.clone(), hyper_util::service::TowerToHyperService::new(router.clone()));
            tasks.spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let stream = hyper_util::rt::TokioIo::new(stream);
                drop(hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await);
            });
        }
    });
    to
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_ocsf_in_batches_that_it_accepts_and_a_wrong_token_is_reported() {
    let lockbox = recorded(50).await;
    let folder = tempfile::tempdir().unwrap();
    let (config, ca) = certificate(folder.path());
    let collector = Collector::default();
    let to = serve(&collector, config).await;
    let token = folder.path().join("token");
    std::fs::write(&token, "let me out\n").unwrap();
    let arguments = [
        "--to",
        &to,
        "--ca-file",
        ca.to_str().unwrap(),
        "--bearer-file",
        token.to_str().unwrap(),
        "--tenant",
        "contoso",
    ];
    let (code, text) = forward(&lockbox, &arguments).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("does not accept the token (401)") && text.contains("who are you?"), "{text}");
    std::fs::write(&token, "let me in\n").unwrap();
    *collector.answers.lock().unwrap() = vec![StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    let (code, text) = forward(&lockbox, &arguments).await;
    assert_eq!(code, 0, "{text}");
    let taken = collector.taken.lock().unwrap().clone();
    let sequence: Vec<u64> = taken.iter().map(|document| document["metadata"]["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequence, (0..placed(&lockbox).await).collect::<Vec<_>>(), "each once and in order");
    assert_eq!(taken[0]["metadata"]["log_name"], "lockbox.fabrikam.example/t/contoso");
    assert!(taken[0]["raw_data"].as_str().unwrap().contains(taken[0]["metadata"]["uid"].as_str().unwrap()));
    *collector.answers.lock().unwrap() = vec![StatusCode::NOT_FOUND];
    record(&lockbox, "contoso", 1).await;
    placed(&lockbox).await;
    let (code, text) = forward(&lockbox, &arguments).await;
    assert!(code == 4 && text.contains("refuses the events (404 Not Found)"), "{text}");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_forwarder_sends_new_entries_and_continues_after_an_outage_of_the_receiver() {
    let lockbox = recorded(2).await;
    let folder = tempfile::tempdir().unwrap();
    let (config, ca) = certificate(folder.path());
    let (receiver, to) = Receiver::open(config).await;
    receiver.drops.store(1, Ordering::Relaxed);
    let mut staying = tokio::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(["audit", "forward", "--to", &to, "--ca-file", ca.to_str().unwrap()])
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .env("LOCKBOX_ADMIN_LISTEN", "127.0.0.1:0")
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    for _ in 0..2 {
        record(&lockbox, "contoso", 2).await;
        let size = placed(&lockbox).await;
        eventually("it has all there is", async || receiver.indices("contoso").contains(&(size - 1)).then_some(()))
            .await;
    }
    let id = i32::try_from(staying.id().unwrap()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(staying.wait().await.unwrap().success());
    lockbox.finish().await;
}
