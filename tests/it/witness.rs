//! A tenant that requires a witness: without proof, access does not open.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use contracts::Kind;
use domain::Verdict::Approve;

use crate::harness::{Lockbox, ROLES, eventually, submission};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(folder: &Path, port: u16, logs: &[String]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockbox"));
    command.args(["witness", "--name", "witness.contoso.example", "--listen", &format!("127.0.0.1:{port}")]);
    command.arg("--folder").arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
    for key in logs {
        command.args(["--log-key", key]);
    }
    Running(command.spawn().unwrap())
}

async fn free_port() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn access_is_proved_only_when_the_required_witness_has_cosigned_both_approvals() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port().await);
    let logs = eventually("the log has its key", async || {
        let keys = lockbox.store.log_keys(Some("contoso")).await.unwrap();
        (!keys.is_empty()).then_some(keys)
    })
    .await;
    let witness = start(folder.path(), port, &logs);
    let key = eventually("the witness tells its key", async || {
        let key = reqwest::get(format!("http://127.0.0.1:{port}/key")).await.ok()?.text().await.ok()?;
        (key.splitn(3, '+').count() == 3).then_some(key)
    })
    .await;
    drop(witness);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut directory: contracts::directory::Directory = serde_saphyr::from_str(&text).unwrap();
    let tenant = directory.tenants.iter_mut().find(|tenant| tenant.name == "contoso").unwrap();
    tenant.rules.witnesses_required = Some(1);
    assert_eq!(directory.faults().len(), 1, "more are required than named");
    let tenant = directory.tenants.iter_mut().find(|tenant| tenant.name == "contoso").unwrap();
    let url = format!("http://127.0.0.1:{port}");
    tenant.witnesses = vec![contracts::directory::WitnessEntry { url, key: key.trim().to_owned() }];
    assert!(directory.faults().is_empty(), "{:?}", directory.faults());
    lockbox.store.apply(&directory, "test").await.unwrap();

    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, request, "alex", Approve).await;
    lockbox.until(request, "active").await;
    eventually("all is signed by the log", async || {
        let state = lockbox.store.completeness(Some("contoso")).await.unwrap();
        let incomplete = lockbox.store.incomplete_requests("contoso").await.unwrap();
        let signed = state.checkpoint.map_or(0, |latest| latest.size);
        (state.waiting == 0 && incomplete == 0 && signed == state.entries).then_some(())
    })
    .await;
    assert!(!lockbox.store.access_is_proved(request).await.unwrap(), "the witness is away");
    assert!(lockbox.store.open_grant(request).await.unwrap().is_none(), "without proof the gate refuses");
    assert_eq!(
        lockbox.store.provisioning(request).await.unwrap().unwrap().state,
        "provisioning",
        "and the provisioning waits"
    );
    let _witness = start(folder.path(), port, &logs);
    eventually("the witness signs and access is proved", async || {
        lockbox.store.access_is_proved(request).await.unwrap().then_some(())
    })
    .await;
    assert!(lockbox.store.open_grant(request).await.unwrap().is_some());
    lockbox.until_provisioning(request, "active").await;
    eventually("the latest checkpoint carries the witness", async || {
        let latest = lockbox.store.latest_checkpoint(Some("contoso")).await.unwrap()?;
        latest.note.contains("\u{2014} witness.contoso.example ").then_some(())
    })
    .await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_rule_no_proof_is_required_and_with_zero_witnesses_the_logs_own_signature_is_enough() {
    let lockbox = Lockbox::with_roles(&[workers::RoleName::Intake, workers::RoleName::Audit]).await;
    let request = lockbox.submit(&submission()).await;
    assert!(lockbox.store.access_is_proved(request).await.unwrap());
    sqlx::query("update tenants set witnesses_required = 0").execute(&lockbox.pool).await.unwrap();
    assert!(!lockbox.store.access_is_proved(request).await.unwrap(), "nobody has approved");
    lockbox.start(&[workers::RoleName::ManagerReview, workers::RoleName::Approval]).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, request, "alex", Approve).await;
    tokio::time::timeout(Duration::from_secs(20), async {
        eventually("both approvals are cosigned", async || {
            lockbox.store.access_is_proved(request).await.unwrap().then_some(())
        })
        .await;
    })
    .await
    .unwrap();
    lockbox.finish().await;
}
