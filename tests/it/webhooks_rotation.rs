//! Rotation of webhook secrets: both secrets sign for a stated time, and the receivers' libraries verify.

use std::io::Write as _;
use std::process::{Command, Stdio};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use contracts::events::Actor;
use serde_json::{Value, json};
use uuid::Uuid;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, node_with, python_with};
use crate::histories::run;
use crate::operations::operation;
use crate::person::Site;
use crate::webhooks::{Ears, SECRET, add, granted};

/// A delivery that one secret should, or should not, verify.
fn case(case: &str, (headers, body): &(HeaderMap, Bytes), secret: &str) -> Value {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), headers[*name].to_str().unwrap().into())).collect();
    json!({ "case": case, "headers": headers, "body": std::str::from_utf8(body).unwrap(), "secret": secret })
}

/// The result of each library for each case.
fn verdicts(mut program: Command, (flag, script): (&str, &str), cases: &[Value]) -> Vec<(String, String, bool)> {
    let mut child = program.args([flag, script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(cases).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the script failed");
    let lines = String::from_utf8(output.stdout).unwrap();
    let read = |line: &str| {
        let said: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        (text("library"), text("case"), said["verifies"].as_bool().unwrap())
    };
    let said: Vec<_> = lines.lines().map(read).collect();
    assert_eq!(said.len(), 2 * cases.len(), "two libraries judge each case: {lines}");
    said
}

/// The next delivery after `before` ones.
async fn delivery(lockbox: &Lockbox, ears: &Ears, before: usize) -> (HeaderMap, Bytes) {
    granted(lockbox).await;
    eventually("the next delivery arrives", async || {
        let heard = ears.heard.lock().unwrap();
        heard.get(before).map(|(_, headers, body)| (headers.clone(), body.clone()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn receiver_libraries_verify_every_delivery_before_during_and_after_a_rotation() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let ears = Ears::open().await;
    let hook = add(&lockbox, Some("contoso"), &format!("{}/hook", ears.origin), "grant.activated").await;
    lockbox.start(&[RoleName::Mail]).await;
    let before = delivery(&lockbox, &ears, 0).await;
    let new = workers::webhooks::secret().unwrap();
    let (_, until) =
        lockbox.store.rotate_webhook((hook, None), (&new, 86_400.0), "test", Actor::lockbox()).await.unwrap();
    let minutes = (until.unwrap() - lockbox.store.clock().await.unwrap()).num_minutes();
    assert!((1430..=1440).contains(&minutes), "{minutes} minutes");
    let during = delivery(&lockbox, &ears, 1).await;
    assert_eq!(during.0["webhook-signature"].to_str().unwrap().split(' ').count(), 2, "two signatures");
    let over = "update webhooks set secret_before_until = clock_timestamp()";
    sqlx::query(over).execute(&lockbox.pool).await.unwrap();
    let after = delivery(&lockbox, &ears, 2).await;
    assert!(!after.0["webhook-signature"].to_str().unwrap().contains(' '), "one signature");
    let cases = [
        case("before, old: yes", &before, SECRET),
        case("before, new: no", &before, &new),
        case("during, old: yes", &during, SECRET),
        case("during, new: yes", &during, &new),
        case("after, old: no", &after, SECRET),
        case("after, new: yes", &after, &new),
    ];
    let mut said = Vec::new();
    if let Some(python) = python_with(&["standardwebhooks==1.1.0", "svix==2.9.1"]) {
        said.extend(verdicts(python, ("-c", include_str!("webhooks/verify.py")), &cases));
    }
    if let Some(node) = node_with(&["standardwebhooks@1.1.1", "svix@1.99.1"]) {
        said.extend(verdicts(node, ("--eval", include_str!("webhooks/verify.cjs")), &cases));
    }
    for (library, case, verifies) in &said {
        assert_eq!(case.ends_with("yes"), *verifies, "{library}: {case}");
    }
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_rotates_the_secret_reads_the_delivery_log_and_redelivers_an_event() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let (alex, dana) = (site.sign_in("Alex Novak").await, site.sign_in("Dana Whitfield").await);
    let ears = Ears::open().await;
    let hook = add(&lockbox, Some("contoso"), &format!("{}/hook", ears.origin), "grant.activated").await;
    lockbox.start(&[RoleName::Mail]).await;
    ears.answers(StatusCode::BAD_REQUEST);
    granted(&lockbox).await;
    let log = format!("/settings/webhooks/{hook}");
    let page = eventually("the failed attempt is in the log", async || {
        let page = alex.get(&log).await.text;
        Some(page).filter(|page| page.contains("it responded with 400") && page.contains("state: failing"))
    })
    .await;
    assert!(page.contains("grant.activated") && page.contains("attempt 1"), "{page}");
    assert_eq!(dana.get(&log).await.status, StatusCode::NOT_FOUND, "another tenant sees nothing of it");
    // Sent again by hand, at once.
    ears.answers(StatusCode::OK);
    let event = lockbox.store.webhook_attempts(hook, None, 1).await.unwrap()[0].event.to_string();
    let id = hook.to_string();
    let fields = [("id", id.as_str()), ("event", event.as_str())];
    for path in ["/settings/webhooks/redelivery", "/settings/webhooks/rotation"] {
        assert_eq!(dana.fill("/settings", path, &fields).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(alex.fill(&log, "/settings/webhooks/redelivery", &fields).await.status, StatusCode::SEE_OTHER);
    eventually("it is delivered", async || {
        Some(alex.get(&log).await.text).filter(|page| page.contains("delivered (200)") && page.contains("attempt 2"))
    })
    .await;
    let details = operation(&lockbox, "webhook_redeliver", Some("contoso"), "alex").await;
    assert!(details[0].contains(&event), "{details:?}");
    // An event of another tenant is none to send.
    let foreign = "select id from audit_events where tenant is distinct from 'contoso' limit 1";
    let foreign: Uuid = sqlx::query_scalar(foreign).fetch_one(&lockbox.pool).await.unwrap();
    assert!(lockbox.store.redeliver(hook, foreign, None, Actor::lockbox()).await.is_err());
    let rotated = alex.fill(&log, "/settings/webhooks/rotation", &[("id", &id), ("overlap_seconds", "3600")]).await;
    assert!(rotated.text.contains("whsec_") && rotated.text.contains("they are signed with the old secret too"));
    eventually("the approvers are notified", async || {
        let mails = lockbox.mailbox.mails();
        mails
            .iter()
            .any(|mail| mail.text.contains("has a new secret; the previous secret also signs until"))
            .then_some(())
    })
    .await;
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_failed_every_attempt_can_be_redelivered_and_the_delivery_log_is_bounded() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let ears = Ears::open().await;
    let hook = add(&lockbox, Some("contoso"), &format!("{}/hook", ears.origin), "grant.activated").await;
    lockbox.start(&[RoleName::Mail]).await;
    ears.answers(StatusCode::BAD_REQUEST);
    granted(&lockbox).await;
    let look = async || lockbox.store.webhooks(None).await.unwrap().pop().unwrap();
    eventually("every attempt has failed", async || {
        let due = "update webhook_deliveries set due_at = clock_timestamp(), attempt = 9 where attempt between 1 and 9";
        sqlx::query(due).execute(&lockbox.pool).await.unwrap();
        Some(look().await).filter(|hook| hook.failed == 1 && hook.waiting == 0)
    })
    .await;
    ears.answers(StatusCode::OK);
    let (code, text) = run(&lockbox, &["webhook", "redeliver", &hook.to_string(), "--failed", "--operator", "lee"]);
    assert!(code == 0 && text.contains("1 event is sent again"), "{text}");
    let details = operation(&lockbox, "webhook_redeliver", Some("contoso"), "lee").await;
    assert!(details[0].ends_with("1 events whose delivery failed are sent again"), "{details:?}");
    eventually("it is delivered", async || Some(look().await).filter(|hook| hook.failed + hook.waiting == 0)).await;
    // Attempts go after thirty days.
    let ago = "update webhook_attempts set at = at - interval '31 days' where status = 400";
    let aged = sqlx::query(ago).execute(&lockbox.pool).await.unwrap().rows_affected();
    let before = lockbox.store.webhook_attempts(hook, None, 100).await.unwrap().len();
    lockbox.store.trim_attempts().await.unwrap();
    let left = lockbox.store.webhook_attempts(hook, None, 100).await.unwrap();
    assert!(aged >= 2 && left.len() == before - usize::try_from(aged).unwrap(), "{left:?}");
    lockbox.finish().await;
}
