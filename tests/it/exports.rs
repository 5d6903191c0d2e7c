//! Exports of a period and of the operator's log, their age, a change of the key, and a signer that lost its memory.

use std::process::{Child, Command, Stdio};

use chrono::{DateTime, TimeDelta, Utc};
use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{self, Actor, NotificationResult};
use store::WriteSet;
use tlog::{Frontier, Hash, Verifier};
use uuid::Uuid;
use workers::RoleName;
use workers::signer::Seeds;

use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::histories::{run, second_opinion, until_placed};
use crate::operations::operation;

/// Events of Contoso about requests that nobody asks for, a second apart, straight into the table.
async fn record(lockbox: &Lockbox, from: DateTime<Utc>, count: i64) {
    let event = |second| {
        let request = Uuid::now_v7();
        let data = NotificationResult {
            request: Some(request),
            service_request: None,
            notification: Uuid::now_v7(),
            template: "ended".into(),
            recipient: "alex@contoso.example".into(),
            mail_message_id: "<1@fabrikam.example>".into(),
            attempts: 1,
            error: None,
            actor: Actor::lockbox(),
        };
        let about = About { tenant: Some("contoso".into()), request: Some(request), ..About::default() };
        message(Kind::NotificationSent, from + TimeDelta::seconds(second), about, &data).body
    };
    let bodies: Vec<Vec<u8>> = (0..count).map(event).collect();
    let indexed: Vec<_> = bodies.iter().map(|body| (events::index(body).unwrap(), body.as_slice())).collect();
    lockbox.store.append(&indexed, Vec::new(), WriteSet::default()).await.unwrap();
}

/// Exports a log, and asks both verifiers about it; they must agree. Answers with the code and the first one's report.
fn judged(lockbox: &Lockbox, export: &[&str], verify: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.tar");
    let file = path.to_str().unwrap();
    let (code, text) = run(lockbox, &[&["audit", "export", "--to", file], export].concat());
    assert_eq!(code, 0, "{text}");
    let (code, text) = run(lockbox, &[&["audit", "verify", file], verify].concat());
    if let Some((second, words)) = second_opinion(file, verify) {
        assert_eq!(second, code, "{text}\n{words}");
    }
    (code, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_a_period_holds_its_entries_and_of_all_others_the_hashes_and_is_good() {
    let lockbox = Lockbox::without_roles().await;
    lockbox.start(&[RoleName::Sequencer, RoleName::Signer]).await;
    let begin = lockbox.store.clock().await.unwrap() - TimeDelta::minutes(30);
    eventually("the log has begun", async || lockbox.store.log_head(Some("contoso")).await.unwrap()).await;
    record(&lockbox, begin, 900).await;
    until_placed(&lockbox).await;
    let time = |second: i64| (begin + TimeDelta::seconds(second)).to_rfc3339();
    let key = lockbox.store.log_keys(Some("contoso")).await.unwrap().remove(0);
    let of = |since: Option<String>, until: Option<String>| {
        let mut export = vec!["--tenant".to_owned(), "contoso".to_owned()];
        export.extend(since.into_iter().flat_map(|time| ["--since".to_owned(), time]));
        export.extend(until.into_iter().flat_map(|time| ["--until".to_owned(), time]));
        let export: Vec<&str> = export.iter().map(String::as_str).collect();
        judged(&lockbox, &export, &["--key", &key])
    };
    for (since, until, here) in [
        (Some(400), Some(450), "the bundle holds entries 256 to 512"),
        (None, Some(100), "the bundle holds entries 0 to 256"),
        (Some(700), Some(1_700), "the bundle holds entries 512 to "),
        (Some(400), Some(401), "the bundle holds entries 256 to 512"),
    ] {
        let (code, text) = of(since.map(time), until.map(time));
        assert_eq!(code, 18, "{text}");
        assert!(text.contains(here), "{here}: {text}");
    }
    // A period in which nothing happened: no entry, all hashes.
    let (code, text) = of(Some(time(1_000_000)), Some(time(1_000_001)));
    assert_eq!(code, 18, "{text}");
    assert!(text.contains("verified    0 entries"), "{text}");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_older_than_it_may_be_is_stale_and_the_operators_log_can_be_exported_too() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let nonsense = Uuid::now_v7().to_string();
    lockbox.publish_raw("request.submit.v1", &nonsense, b"{".to_vec()).await;
    lockbox.answer(&nonsense).await;
    lockbox.submit(&submission()).await;
    lockbox.until_idle().await;
    until_placed(&lockbox).await;
    for (log, export) in [(None, &[] as &[&str]), (Some("contoso"), &["--tenant", "contoso"])] {
        let key = lockbox.store.log_keys(log).await.unwrap().remove(0);
        for (age, expected) in [("3600", if log.is_none() { 0 } else { 18 }), ("0", 14)] {
            let (code, text) = judged(&lockbox, export, &["--key", &key, "--max-age", age]);
            assert_eq!(code, expected, "{text}");
        }
    }
    let (code, text) = run(&lockbox, &["audit", "verify", "--max-age", "0"]);
    assert_eq!(code, 14, "the log in the database: {text}");
    assert_eq!(run(&lockbox, &["audit", "verify", "--max-age", "3600"]).0, 18);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_announced_under_the_old_and_followed_however_many_checkpoints_came_since() {
    let lockbox = Lockbox::without_roles().await;
    lockbox.start(&[RoleName::Sequencer, RoleName::Signer]).await;
    eventually("the log has its key", async || lockbox.store.log_keys(Some("contoso")).await.unwrap().pop()).await;
    until_placed(&lockbox).await;
    let old = lockbox.store.log_keys(Some("contoso")).await.unwrap().remove(0);
    let (code, text) = run(&lockbox, &["audit", "keys", "add"]);
    assert_eq!(code, 0, "{text}");
    let begin = lockbox.store.clock().await.unwrap();
    record(&lockbox, begin, 10).await;
    let announced = "select convert_from(a.body, 'UTF8')::jsonb -> 'data' from audit_entries e \
                     join audit_events a on a.id = e.event join audit_checkpoints c on c.log = e.log and c.size > e.index \
                     where a.tenant = 'contoso' and a.type = 'log.key_changed' order by e.index desc limit 1";
    let said = eventually("the new key is announced under a signature", async || {
        let data: Option<serde_json::Value> =
            sqlx::query_scalar(announced).fetch_optional(&lockbox.pool).await.unwrap();
        data.filter(|data| data["previous"] == old.as_str())
    })
    .await;
    let keys = lockbox.store.log_keys(Some("contoso")).await.unwrap();
    assert_eq!((keys.len(), &keys[0], said["key"].as_str()), (2, &old, Some(keys[1].as_str())));
    until_placed(&lockbox).await;
    let (code, text) = run(&lockbox, &["audit", "keys", "retire"]);
    assert_eq!(code, 0, "{text}");
    assert_ne!(run(&lockbox, &["audit", "keys", "retire"]).0, 0, "the only key stays");
    // More checkpoints by the new key alone than a bundle holds.
    let size = async || lockbox.store.log_head(Some("contoso")).await.unwrap().unwrap().size;
    let before = size().await;
    record(&lockbox, begin, 230).await;
    until_placed(&lockbox).await;
    sign_every_size(&lockbox, before).await;
    let (code, text) = judged(&lockbox, &["--tenant", "contoso"], &["--key", &old]);
    assert_eq!(code, 18, "{text}");
    let new: Verifier = keys[1].parse().unwrap();
    assert!(text.contains(&format!("signed by {} (key {})", new.name, hex::encode(new.id()))), "{text}");
    let count =
        text.lines().find_map(|line| line.strip_prefix("consistent  with ")?.split(' ').next()?.parse::<u32>().ok());
    assert!((201..=204).contains(&count.unwrap()), "the last ones, and those of the changes: {text}");
    lockbox.finish().await;
}

/// Signs, as the signer would have with more time, the tree at each size from this one on.
async fn sign_every_size(lockbox: &Lockbox, from: i64) {
    let head = lockbox.store.log_head(Some("contoso")).await.unwrap().unwrap();
    let keys = Seeds::read(&lockbox.settings.audit.folder).unwrap().signers(&head.origin);
    assert_eq!(keys.len(), 1);
    let mut edge = Frontier::default();
    let mut signed = Vec::new();
    for entry in lockbox.store.log_entries(&head, 0, head.size).await.unwrap() {
        edge.push(Hash::from_slice(&entry.leaf).unwrap());
        if entry.index >= from {
            let tree = tlog::Checkpoint { origin: head.origin.clone(), size: edge.size(), root: edge.root() };
            let at = store::log::Head { size: entry.index + 1, root: tree.root.0.to_vec(), ..head.clone() };
            signed.push((at, workers::signer::sign(&tree, &keys)));
        }
    }
    assert!(signed.len() > 220);
    lockbox.store.store_checkpoints(&signed).await.unwrap();
}

/// A signer in a process of its own; what it says is in a file.
struct Signing {
    child: Child,
    said: std::path::PathBuf,
}

impl Signing {
    fn start(lockbox: &Lockbox, said: std::path::PathBuf) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_lockbox"))
            .args(["worker", "signer"])
            .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
            .env("LOCKBOX_AMQP_URL", &lockbox.settings.amqp_url)
            .env("LOCKBOX_AUDIT_FOLDER", &lockbox.settings.audit.folder)
            .env("LOCKBOX_ADMIN_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::from(std::fs::File::create(&said).unwrap()))
            .stderr(Stdio::from(std::fs::File::create(said.with_extension("err")).unwrap()))
            .spawn()
            .unwrap();
        Self { child, said }
    }

    fn said(&self) -> String {
        let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
        read(&self.said) + &read(&self.said.with_extension("err"))
    }
}

impl Drop for Signing {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_lost_its_memory_signs_nothing_until_it_adopts_what_its_own_key_signed() {
    let lockbox = Lockbox::without_roles().await;
    lockbox.start(&[RoleName::Sequencer]).await;
    let folder = tempfile::tempdir().unwrap();
    let signing = Signing::start(&lockbox, folder.path().join("first"));
    let signed =
        async || lockbox.store.latest_checkpoint(Some("contoso")).await.unwrap().map_or(0, |latest| latest.size);
    let now = lockbox.store.clock().await.unwrap();
    record(&lockbox, now, 20).await;
    eventually("it is signed", async || (signed().await >= 20).then_some(())).await;
    until_placed(&lockbox).await;
    drop(signing);
    std::fs::remove_file(lockbox.settings.audit.folder.join("trees")).unwrap();
    let before = signed().await;
    record(&lockbox, now, 5).await;
    let signing = Signing::start(&lockbox, folder.path().join("second"));
    eventually("it says that it remembers nothing", async || {
        signing.said().contains("folder has no tree of this log").then_some(())
    })
    .await;
    assert_eq!(signed().await, before, "nothing is signed on somebody's word");
    drop(signing);
    let (code, text) = run(&lockbox, &["audit", "reset-signer", "--operator", "lee"]);
    assert_eq!(code, 0, "{text}");
    let details = operation(&lockbox, "audit_reset_signer", None, "lee").await;
    assert!(details.iter().any(|detail| detail.contains(&format!("/t/contoso: {before} entries"))), "{details:?}");
    assert!(text.contains(&format!("/t/contoso: {before} entries, root ")), "{text}");
    let _signing = Signing::start(&lockbox, folder.path().join("third"));
    eventually("it is signed again", async || (signed().await > before).then_some(())).await;
    until_placed(&lockbox).await;
    let (code, text) = run(&lockbox, &["audit", "verify"]);
    assert_eq!(code, 18, "{text}");
    // A key that signed none of it adopts nothing.
    let stranger = tempfile::tempdir().unwrap();
    Seeds::add(stranger.path()).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(["audit", "reset-signer"])
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .env("LOCKBOX_AUDIT_FOLDER", stranger.path())
        .output()
        .unwrap();
    assert!(!done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    lockbox.finish().await;
}
