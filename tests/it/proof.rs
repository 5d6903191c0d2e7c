//! Evidence from the real roles: export, proof, verification by both verifiers, and detection of changes in the database.

use std::path::Path;
use std::process::Command;

use contracts::Kind;
use domain::Verdict::{Approve, Deny};
use sqlx::{AssertSqlSafe, Executor};

use crate::harness::{Lockbox, ROLES, eventually, python, submission};
use crate::person::Site;

pub fn lockbox_command(lockbox: &Lockbox, arguments: &[&str]) -> (i32, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(arguments)
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .output()
        .unwrap();
    let text = [done.stdout, done.stderr].concat();
    (done.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// One approved and one denied request, in a signed log.
pub async fn recorded() -> Lockbox {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    for verdict in [Approve, Deny] {
        let request = lockbox.submit(&submission()).await;
        lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
        lockbox.decide(Kind::CustomerDecide, request, "alex", verdict).await;
        lockbox.steps(request).await;
    }
    lockbox.until_idle().await;
    eventually("all events are in the log and signed", async || {
        let state = lockbox.store.completeness(Some("contoso")).await.unwrap();
        let incomplete = lockbox.store.incomplete_requests("contoso").await.unwrap();
        let signed = state.checkpoint.map_or(0, |latest| latest.size);
        (state.waiting == 0 && incomplete == 0 && signed == state.entries && signed > 7).then_some(())
    })
    .await;
    lockbox
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_valid_for_both_verifiers_and_invalid_after_one_changed_byte() {
    let lockbox = recorded().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("contoso.tar");
    let file = path.to_str().unwrap();
    let (code, text) = lockbox_command(&lockbox, &["audit", "export", "--tenant", "contoso", "--to", file]);
    assert_eq!(code, 0, "{text}");
    let key = lockbox.store.log_keys(Some("contoso")).await.unwrap().remove(0);
    let (code, text) = lockbox_command(&lockbox, &["audit", "verify", file, "--key", &key]);
    assert_eq!(code, 18, "{text}");
    assert!(text.contains("2 complete requests"), "{text}");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify");
    let python_verifier = |file: &str| {
        let done = python().arg(&program).args([file, "--key", &key]).output().unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    };
    let (code, text) = python_verifier(file);
    assert_eq!(code, Some(18), "{text}");
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.windows(6).position(|window| window == b"morgan").unwrap();
    bytes[place] = b'M';
    std::fs::write(&path, bytes).unwrap();
    let (code, text) = lockbox_command(&lockbox, &["audit", "verify", file, "--key", &key]);
    assert_eq!(code, 11, "{text}");
    let (code, text) = python_verifier(file);
    assert_eq!(code, Some(11), "{text}");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_of_one_event_is_valid_without_the_bundle() {
    let lockbox = recorded().await;
    let event: uuid::Uuid = sqlx::query_scalar("select id from audit_events where type = 'grant.activated'")
        .fetch_one(&lockbox.pool)
        .await
        .unwrap();
    let (code, text) = lockbox_command(&lockbox, &["audit", "proof", &event.to_string()]);
    assert_eq!(code, 0, "{text}");
    let proof: tlog::ProofFile = text.parse().unwrap();
    let keys: Vec<tlog::Verifier> =
        lockbox.store.log_keys(Some("contoso")).await.unwrap().iter().map(|key| key.parse().unwrap()).collect();
    let entry = proof.extra.clone().unwrap();
    assert!(String::from_utf8_lossy(&entry).contains(&event.to_string()));
    proof.verify(&entry, &keys).unwrap();
    assert!(proof.verify(b"another", &keys).is_err());
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_downloads_the_evidence_of_their_tenant_from_the_portal_and_it_is_valid() {
    let lockbox = recorded().await;
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    let page = alex.get("/audit").await.text;
    assert!(page.contains("/audit/bundle") && page.contains("/.well-known/lockbox/contoso/checkpoint"), "{page}");
    let fetch = async |path: &str| {
        let url = format!("{}{path}", site.origin);
        let answer = alex.client.get(url).header("cookie", &alex.cookie).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("contoso.tar");
    // The parameter has no effect: people export only the log of their own tenant.
    std::fs::write(&path, fetch("/audit/bundle?tenant=adatum").await).unwrap();
    let key = lockbox.store.log_keys(Some("contoso")).await.unwrap().remove(0);
    let (code, text) = lockbox_command(&lockbox, &["audit", "verify", path.to_str().unwrap(), "--key", &key]);
    assert!(code == 18 && text.contains("/t/contoso") && text.contains("2 complete requests"), "{text}");
    let event: uuid::Uuid = sqlx::query_scalar("select id from audit_events where type = 'grant.activated'")
        .fetch_one(&lockbox.pool)
        .await
        .unwrap();
    let page = alex.get(&format!("/audit/{event}")).await.text;
    assert!(page.contains(&format!("/audit/{event}/proof")), "{page}");
    let proof = fetch(&format!("/audit/{event}/proof")).await;
    let proof: tlog::ProofFile = std::str::from_utf8(&proof).unwrap().parse().unwrap();
    proof.verify(proof.extra.as_deref().unwrap(), &[key.parse().unwrap()]).unwrap();
    let export: serde_json::Value = serde_json::from_slice(&fetch("/audit/export?format=json").await).unwrap();
    let complete = export["complete"].as_str().unwrap();
    assert!(complete.contains("none missing; tree root ") && complete.contains("signed at "), "{complete}");
    assert!(export["events"].as_array().unwrap().len() > 7);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_by_a_database_superuser_are_detected_in_the_live_log() {
    let lockbox = recorded().await;
    let (code, text) = lockbox_command(&lockbox, &["audit", "verify", "--tenant", "contoso"]);
    assert_eq!(code, 18, "{text}");
    let log = "(select id from audit_logs where tenant = 'contoso')";
    let granted = "(select id from audit_events where type = 'grant.activated')";
    let tampers: [(&str, i32, String); 10] = [
        (
            "an event's bytes",
            11,
            format!(
                "update audit_events set body = convert_to(replace(convert_from(body, 'UTF8'), 'grant', 'Grant'), 'UTF8') where id = {granted}"
            ),
        ),
        ("a deleted event", 12, format!("delete from audit_events where id = {granted}")),
        ("a deleted entry", 12, format!("delete from audit_entries where log = {log} and index = 3")),
        (
            "two entries swapped",
            11,
            format!(
                "update audit_entries e set index = -1 - index where log = {log} and index in (2, 3); update audit_entries set index = 4 + index + 2 where log = {log} and index < 0"
            ),
        ),
        ("a leaf hash", 11, format!("update audit_entries set leaf = sha256(leaf) where log = {log} and index = 2")),
        ("the log's root", 11, "update audit_logs set root = sha256(root) where tenant = 'contoso'".to_owned()),
        (
            "a checkpoint's note",
            10,
            format!(
                "update audit_checkpoints set note = replace(note, chr(10) || size || chr(10), chr(10) || size + 1 || chr(10)) where log = {log} and size = (select max(size) from audit_checkpoints where log = {log})"
            ),
        ),
        ("a search column", 15, "update audit_events set person = 'casey' where person = 'morgan'".to_owned()),
        (
            "longer access",
            15,
            "update requests set access_until = access_until + interval '1 hour' where state = 'active'".to_owned(),
        ),
        (
            "a denial undone",
            15,
            "update requests set state = 'pending_customer', finished_at = null where state = 'customer_denied'"
                .to_owned(),
        ),
    ];
    for (name, expected, statement) in tampers {
        // Each change is made in its own copy of the database.
        let copy = lockbox.copy_of_database().await;
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&copy).await.unwrap();
        pool.execute("set session_replication_role = replica").await.unwrap();
        pool.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.unwrap();
        pool.close().await;
        let done = Command::new(env!("CARGO_BIN_EXE_lockbox"))
            .args(["audit", "verify", "--tenant", "contoso"])
            .env("LOCKBOX_DATABASE_URL", &copy)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.status.code(), Some(expected), "{name}: {text}");
    }
    lockbox.finish().await;
}
