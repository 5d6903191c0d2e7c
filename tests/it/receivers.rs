//! Real syslog receivers with the configuration in `examples/siem`: each entry arrives once and complete, whatever its size.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{self, Actor, NotificationResult};
use servers::programs::{Program, debian, or_skip};
use store::WriteSet;
use uuid::Uuid;
use workers::RoleName;

use crate::forward::{forward, parameter, placed};
use crate::harness::{Lockbox, eventually, packages, progress};
use crate::log::record;

/// A receiver that is running.
struct Receiver {
    child: Child,
    folder: tempfile::TempDir,
    to: String,
    log: PathBuf,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Receiver {
    /// Starts a receiver by an example file, with a certificate, a port and a folder of its own.
    async fn open(
        example: &str,
        changes: &[(&str, &str)],
        command: impl FnOnce(&Path) -> std::process::Command,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(at("ca.pem"), own.cert.pem()).unwrap();
        std::fs::write(at("cert.pem"), own.cert.pem()).unwrap();
        std::fs::write(at("key.pem"), own.signing_key.serialize_pem()).unwrap();
        let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/siem").join(example);
        let mut text = std::fs::read_to_string(path).unwrap();
        let (place, number) = (folder.path().to_str().unwrap().to_owned(), port.to_string());
        let own = [("/etc/lockbox-siem", place.as_str()), ("/var/log/lockbox", &place), ("6514", &number)];
        for (from, to) in own.into_iter().chain(changes.iter().copied()) {
            assert!(text.contains(from), "{example} has no {from}");
            text = text.replace(from, to);
        }
        let config = at(example);
        std::fs::write(&config, text).unwrap();
        let child = command(folder.path()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        let receiver = Self { child, to: format!("syslog+tls://localhost:{port}"), log: at("audit.log"), folder };
        eventually(&format!("{example} listens"), async || {
            tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok().map(drop)
        })
        .await;
        receiver
    }

    fn ca(&self) -> String {
        self.folder.path().join("ca.pem").to_str().unwrap().to_owned()
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }
}

fn rsyslog() -> Option<Program> {
    let names = ["rsyslog", "rsyslog-gnutls", "rsyslog-openssl"];
    or_skip(debian(&names, "rsyslogd", &packages(), &progress()))
}

/// rsyslog with one of its TLS drivers.
async fn with_driver(rsyslog: &Program, driver: &str) -> Receiver {
    let driver = format!("StreamDriver.Name=\"{driver}\"");
    let changes = [("StreamDriver.Name=\"ossl\"", driver.as_str())];
    Receiver::open("rsyslog.conf", &changes, |folder| {
        let mut command = rsyslog.command();
        command.arg("-n").arg("-i").arg(folder.join("pid")).arg("-f").arg(folder.join("rsyslog.conf"));
        if let Some(root) = rsyslog.root() {
            command.arg("-M").arg(modules(root, "rsyslog"));
        }
        command
    })
    .await
}

/// Where an unpacked program has its modules.
fn modules(root: &Path, name: &str) -> PathBuf {
    let folders = std::fs::read_dir(root.join("usr/lib")).unwrap().flatten();
    folders.map(|folder| folder.path().join(name)).find(|path| path.is_dir()).unwrap()
}

/// Entries of two logs; among them one with more than 60,000 bytes, and text beyond ASCII.
async fn recorded() -> Lockbox {
    let lockbox = Lockbox::with_roles(&[RoleName::Sequencer]).await;
    record(&lockbox, "contoso", 40).await;
    let now = lockbox.store.clock().await.unwrap();
    for size in [9000, 19_882, 62_000] {
        let data = NotificationResult {
            request: None,
            service_request: None,
            notification: Uuid::now_v7(),
            template: "ended".into(),
            recipient: "žofie@contoso.example".into(),
            mail_message_id: "<1@fabrikam.example>".into(),
            attempts: 1,
            error: Some("x".repeat(size)),
            actor: Actor::lockbox(),
        };
        let about = About { tenant: Some("contoso".into()), ..About::default() };
        let body = message(Kind::NotificationFailed, now, about, &data).body;
        let indexed = events::index(&body).unwrap();
        lockbox.store.append(&[(indexed, body.as_slice())], Vec::new(), WriteSet::default()).await.unwrap();
    }
    placed(&lockbox).await;
    lockbox
}

/// Forwards twice; everything must have arrived once and be what was hashed.
async fn each_once(lockbox: &Lockbox, receiver: &Receiver, more: &[&str]) {
    let ca = receiver.ca();
    let arguments = [&["--to", &receiver.to, "--ca-file", &ca], more].concat();
    let (code, text) = forward(lockbox, &arguments).await;
    assert_eq!(code, 0, "{text}");
    let (code, text) = forward(lockbox, &arguments).await;
    assert!(code == 0 && text.starts_with("0 entries"), "{text}");
    let heads = lockbox.store.log_heads().await.unwrap();
    let all: i64 = heads.iter().map(|head| head.size).sum();
    eventually("all entries are written", async || {
        (i64::try_from(receiver.lines().len()).unwrap() >= all).then_some(())
    })
    .await;
    let lines = receiver.lines();
    assert_eq!(i64::try_from(lines.len()).unwrap(), all, "each entry is one line, and none comes twice");
    for head in heads {
        let log = format!(" log=\"{}\"", head.origin);
        let of: Vec<&String> = lines.iter().filter(|line| line.contains(&log)).collect();
        let indices: Vec<i64> = of.iter().map(|line| parameter(line, "index").parse().unwrap()).collect();
        assert_eq!(indices, (0..head.size).collect::<Vec<_>>(), "{}", head.origin);
        for line in of {
            let (_, text) = line.split_once("\"] ").unwrap();
            let entry = evidence::Entry {
                // The mark of UTF-8 is the syslog message's, not the event's.
                event: text.trim_start_matches('\u{feff}').as_bytes(),
                log: &head.origin,
                prev: tlog::Hash::from_slice(&hex::decode(parameter(line, "prev")).unwrap()).unwrap(),
                seq: parameter(line, "seq").parse().unwrap(),
                v: 1,
            };
            assert_eq!(hex::encode(tlog::leaf_hash(&entry.to_bytes()).0), parameter(line, "leaf"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rsyslog_gets_each_entry_once_with_either_of_its_tls_drivers() {
    let Some(rsyslog) = rsyslog() else { return };
    let lockbox = recorded().await;
    let openssl = with_driver(&rsyslog, "ossl").await;
    each_once(&lockbox, &openssl, &["--confirm", "tls"]).await;
    let gnutls = with_driver(&rsyslog, "gtls").await;
    each_once(&lockbox, &gnutls, &[]).await;
    // With `--confirm tls`, the error names the driver that does not support it.
    let strict = with_driver(&rsyslog, "gtls").await;
    let (ca, started) = (strict.ca(), std::time::Instant::now());
    let arguments = ["--to", &strict.to, "--ca-file", &ca, "--confirm", "tls", "--tenant", "contoso"];
    let (code, text) = forward(&lockbox, &arguments).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("driver \"ossl\", or --confirm tcp") && !text.contains("://docs"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(20), "it is not retried");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn syslog_ng_gets_each_entry_once() {
    let names = ["syslog-ng-core"];
    let Some(program) = or_skip(debian(&names, "syslog-ng", &packages(), &progress())) else { return };
    let lockbox = recorded().await;
    let receiver = Receiver::open("syslog-ng.conf", &[], |folder| {
        let mut command = program.command();
        command.args(["--foreground", "--stderr", "--no-caps"]);
        for (option, name) in [("-f", "syslog-ng.conf"), ("-R", "persist"), ("-p", "pid"), ("-c", "control")] {
            command.arg(option).arg(folder.join(name));
        }
        if let Some(root) = program.root() {
            // Its own library stands in a folder of its own, its modules in one below that has its version.
            let own = root.join("usr/lib/syslog-ng");
            let below = std::fs::read_dir(&own).unwrap().flatten().map(|one| one.path());
            let modules = below.into_iter().find(|path| path.join("libsyslogformat.so").is_file()).unwrap();
            let mut libraries = own.into_os_string();
            for (name, value) in command.get_envs() {
                if name == "LD_LIBRARY_PATH" {
                    libraries.push(":");
                    libraries.push(value.unwrap_or_default());
                }
            }
            command.arg("--module-path").arg(modules).env("LD_LIBRARY_PATH", libraries);
        }
        command
    })
    .await;
    each_once(&lockbox, &receiver, &["--confirm", "tls"]).await;
    lockbox.finish().await;
}
