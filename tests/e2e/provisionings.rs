//! Kills every process while grants are active. After the restart, access in the target is revoked and read back within a minute.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use connectors::{AccessLevel, Connector, Found, Order};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use uuid::Uuid;

use crate::harness::{Lockbox, eventually, python};

/// The adapter of the examples as the target, with the requests that it receives.
struct Target {
    child: Child,
    folder: tempfile::TempDir,
    connector: Arc<dyn Connector>,
}

impl Target {
    fn start() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webhook/adapter.py");
        let mut child = python()
            .arg(adapter)
            .arg("0")
            .env("LOCKBOX_WEBHOOK_SECRET_FILE", &secret)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap();
        let target = format!("exchange_online: {{kind: webhook, url: {url:?}, secret-file: {secret:?}}}");
        std::fs::write(folder.path().join("lockbox.yaml"), format!("targets:\n  {target}\n")).unwrap();
        let connector = connectors::build(&serde_saphyr::from_str(&target).unwrap()).unwrap().remove(0).connector;
        Self { child, folder, connector }
    }

    async fn is_open(&self, grant: Uuid) -> bool {
        let order = Order {
            grant,
            tenant: String::new(),
            service: "exchange_online".into(),
            resource: String::new(),
            access_level: AccessLevel::ReadOnly,
            engineer: String::new(),
            until: contracts::envelope::wall_clock(),
        };
        self.connector.probe(&order).await.unwrap() == Found::Open
    }

    /// Stops or resumes responses.
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn granted(lockbox: &Lockbox, tenant: &str, approver: &str, duration: &str) -> Uuid {
    granted_to(lockbox, (tenant, approver), ("exchange_online", "finance@contoso.example"), duration)
}

/// A request of Robin for a service and a resource, with both approvals.
pub fn granted_to(
    lockbox: &Lockbox,
    (tenant, approver): (&str, &str),
    (service, resource): (&str, &str),
    duration: &str,
) -> Uuid {
    let submit = [
        "request",
        "submit",
        "--as",
        "robin",
        "--tenant",
        tenant,
        "--service-request",
        "SR-2026-004711",
        "--service",
        service,
        "--resource",
        resource,
        "--justification",
        "mail is stuck",
        "--duration",
        duration,
        "-o",
        "json",
    ];
    let shown: serde_json::Value = serde_json::from_str(&lockbox.run(&submit)).unwrap();
    let id = shown["id"].as_str().unwrap();
    lockbox.run(&["request", "approve", id, "--as", "morgan"]);
    lockbox.run(&["request", "approve", id, "--as", approver]);
    id.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_is_killed_during_grants_and_after_the_restart_provisionings_are_revoked_and_read_back() {
    let target = Target::start();
    let mut lockbox = Lockbox::start_with("provisionings", 1, Some(target.folder.path().join("lockbox.yaml"))).await;
    let state = async |lockbox: &Lockbox, id: Uuid, wanted: &str| {
        eventually(&format!("the provisioning of {id} is {wanted}"), async || {
            let provisioning = lockbox.store.provisioning(id).await.ok()??;
            (provisioning.state == wanted).then_some(provisioning)
        })
        .await
    };
    // One ends by its time while nobody lives, one was ended and could not be closed, one goes on.
    let ended = granted(&lockbox, "contoso", "alex", "10m");
    let kept = granted(&lockbox, "contoso", "alex", "10m");
    let timed = granted(&lockbox, "adatum", "dana", "12s");
    for id in [ended, kept, timed] {
        state(&lockbox, id, "active").await;
        assert!(target.is_open(id).await);
    }
    target.signal(Signal::SIGSTOP);
    lockbox.run(&["request", "show", &ended.to_string(), "--as", "robin"]);
    let word = contracts::commands::RevokeAccess { request: ended, by: "alex".into(), comment: None };
    let now = lockbox.store.clock().await.unwrap();
    let about = contracts::envelope::About::default();
    let end = contracts::envelope::message(contracts::Kind::GrantRevoke, now, about, &word);
    lockbox.store.enqueue(&[end]).await.unwrap();
    state(&lockbox, ended, "revoking").await;
    lockbox.kill_all();
    target.signal(Signal::SIGCONT);
    let until = lockbox.store.show_request(timed).await.unwrap().access_until.unwrap();
    eventually("the end has passed", async || (lockbox.store.clock().await.ok()? > until).then_some(())).await;
    assert!(target.is_open(timed).await, "nobody lives who could close it; the gate refuses by the row");
    let restarted = Instant::now();
    lockbox.spawn_all();
    for id in [ended, timed] {
        let provisioning = state(&lockbox, id, "revoked").await;
        assert!(provisioning.revoked_at > provisioning.revocation_ordered_at, "{provisioning:?}");
        assert!(!target.is_open(id).await, "read back by us too");
    }
    assert!(restarted.elapsed() < Duration::from_secs(60), "{:?}{}", restarted.elapsed(), lockbox.logs());
    let provisioning = lockbox.store.provisioning(timed).await.unwrap().unwrap();
    assert_eq!(provisioning.refused_from, Some(until), "the gate refused from the end on, with everybody dead");
    assert!(target.is_open(kept).await, "what goes on goes on");
    let said = lockbox.run(&["grant", "revoke", &kept.to_string(), "--as", "kim"]);
    assert!(said.contains("revocation confirmed at"), "the one who ends is shown the measured cut: {said}");
    assert!(!target.is_open(kept).await);
    let report = lockbox.run(&["grant", "acknowledge", &kept.to_string(), "--as", "alex"]);
    assert!(report.contains("acknowledged by Alex Novak"), "{report}");
    assert!(lockbox.run(&["grant", "list", "--as", "morgan"]).contains("nothing found"));
    lockbox.finish().await;
}
