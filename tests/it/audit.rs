//! The audit log as people search it, and the command line as they call it.

use std::process::Command;

use contracts::Kind;
use domain::Verdict::Approve;
use store::audit::AuditFilter;

use crate::harness::{Lockbox, ROLES, eventually, submission};

fn lockbox_command(lockbox: &Lockbox, arguments: &[&str]) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(arguments)
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .env("LOCKBOX_AMQP_URL", &lockbox.settings.amqp_url)
        .env("LOCKBOX_PREFIX", lockbox.settings.names.prefix())
        .env("LOCKBOX_SMTP_URL", &lockbox.settings.mail.url)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_found_by_request_person_tenant_type_words_and_time() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let mut data = submission();
    data["reason"]["text"] = "a flamingo stands in the outbox".into();
    let request = lockbox.submit(&data).await;
    lockbox.submit(&submission()).await;
    lockbox.decide(Kind::ManagerDecide, request, "morgan", Approve).await;
    lockbox.steps(request).await;
    let found = async |filter: AuditFilter| {
        let filter = AuditFilter { limit: 50, ..filter };
        lockbox.store.search_audit(&filter).await.unwrap().into_iter().map(|event| event.type_name).collect::<Vec<_>>()
    };
    let nothing = AuditFilter::default;
    assert_eq!(
        found(AuditFilter { person: Some("morgan".into()), ..nothing() }).await,
        ["request.manager_approved"],
        "the named person, not a service account"
    );
    assert_eq!(found(AuditFilter { text: Some("flamingo".into()), ..nothing() }).await, ["request.submitted"]);
    assert_eq!(found(AuditFilter { type_name: Some("request.manager".into()), ..nothing() }).await.len(), 1);
    assert_eq!(
        found(AuditFilter { tenant: Some("adatum".into()), type_name: Some("request.".into()), ..nothing() })
            .await
            .len(),
        0
    );
    assert_eq!(found(AuditFilter { request: Some(request), ..nothing() }).await.len(), 2);
    let future = lockbox.store.clock().await.unwrap();
    assert_eq!(found(AuditFilter { since: Some(future), ..nothing() }).await.len(), 0);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_does_the_whole_journey_with_exit_codes_that_scripts_can_use() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let submit = [
        "request",
        "submit",
        "--as",
        "robin",
        "--tenant",
        "contoso",
        "--service-request",
        "SR-2026-000123",
        "--service",
        "onedrive",
        "--resource",
        "https://contoso.example/personal/alex",
        "--reason",
        "sync fails",
        "--duration",
        "15m",
        "-o",
        "json",
    ];
    let (code, out, err) = lockbox_command(&lockbox, &submit);
    assert_eq!(code, 0, "{err}");
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    let id = document["id"].as_str().unwrap();
    assert_eq!(document["duration_seconds"], 900);

    let run = |arguments: &[&str]| lockbox_command(&lockbox, arguments);
    let (code, _, err) = run(&["review", id, "approve", "--as", "robin"]);
    assert_eq!(code, 4, "refused: {err}");
    assert!(err.contains("own request"), "{err}");
    assert_eq!(run(&["review", id, "approve", "--as", "morgan"]).0, 0);
    let (code, out, _) = run(&["decide", id, "approve", "--as", "alex", "--comment", "go ahead", "-o", "json"]);
    assert_eq!(code, 0);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["decisions"][1]["person"], "alex");
    assert_eq!(run(&["request", "withdraw", id, "--as", "robin"]).0, 4, "too late to withdraw");
    let (code, out, _) = run(&["access", "end", id, "--as", "alex"]);
    assert_eq!(code, 0);
    assert!(out.contains("ended (customer)"), "{out}");
    let (code, out, _) = run(&["request", "watch", id]);
    assert_eq!(code, 0);
    assert!(out.contains("access.ended"), "{out}");
    assert_eq!(run(&["request", "show", "00000000-0000-0000-0000-000000000000"]).0, 3);
    assert_eq!(run(&["request", "list", "--limit", "0"]).0, 2);
    let (_, out, _) = run(&["request", "list", "--state", "ended", "-o", "csv"]);
    assert!(out.starts_with("id,tenant,") && out.contains(id), "{out}");
    let (code, out, _) = run(&["audit", "search", "--person", "alex", "-o", "csv"]);
    assert_eq!(code, 0);
    assert_eq!(out.lines().count(), 3, "{out}");
    // The door may still be closing, and its last event be under way.
    eventually("nothing is missing", async || (run(&["audit", "complete"]).0 == 0).then_some(())).await;
    assert_eq!(run(&["topology", "verify"]).0, 0);
    let mut bad = submit;
    bad[13] = "";
    let (code, _, err) = run(&bad);
    assert_eq!(code, 4);
    assert!(err.contains("reason.text"), "{err}");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_messages_are_listed_shown_replayed_and_discarded() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let id = uuid::Uuid::now_v7().to_string();
    lockbox.publish_raw("request.submit.v1", &id, b"{".to_vec()).await;
    lockbox.answer(&id).await;
    let run = |arguments: &[&str]| lockbox_command(&lockbox, arguments);
    let (_, out, _) = run(&["parked", "list", "-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    let parked = list[0]["id"].as_str().unwrap();
    assert!(run(&["parked", "show", parked]).1.contains("schema.unparseable"));
    assert_eq!(run(&["parked", "replay", parked, "--as", "lee"]).0, 0);
    assert_eq!(run(&["parked", "replay", parked, "--as", "lee"]).0, 4, "only once");
    eventually("it is parked again", async || (lockbox.store.parked_count().await.unwrap() == 1).then_some(())).await;
    let (_, out, _) = run(&["parked", "list", "-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    let again = list[0]["id"].as_str().unwrap();
    assert_eq!(run(&["parked", "discard", again, "--as", "lee", "--note", "sender told"]).0, 0);
    assert_eq!(lockbox.store.parked_count().await.unwrap(), 0);
    lockbox.finish().await;
}
