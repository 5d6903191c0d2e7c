//! Messages that are lost, repeated, late or out of order lead to the same result.

use contracts::Kind;
use contracts::envelope::{About, message};
use domain::Verdict::Approve;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use workers::{Health, Relay};

use crate::harness::{Lockbox, ROLES, envelope, eventually, submission};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_sent_five_times_is_processed_once() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let id = Uuid::now_v7().to_string();
    let body = envelope(Kind::RequestSubmit, &id, &submission());
    for _ in 0..5 {
        lockbox.publish_raw(Kind::RequestSubmit.key(), &id, body.clone()).await;
    }
    let request = lockbox.answer(&id).await.request.unwrap();
    for (kind, by) in [(Kind::VendorDecide, "morgan"), (Kind::CustomerDecide, "alex")] {
        let decision = lockbox.decision(request, by, Approve).await;
        let command = lockbox.command(kind, &decision).await;
        for _ in 0..4 {
            let again = workers::relay::outgoing(command.clone());
            lockbox.publisher.lock().await.publish(&[again]).await.unwrap();
        }
        lockbox.answer(&command.id.to_string()).await;
    }
    lockbox.until(request, "active").await;
    lockbox.until_idle().await;
    assert_eq!(lockbox.steps(request).await.len(), 4);
    let count: i64 = sqlx::query_scalar("select count(*) from requests").fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(count, 1);
    let refused: i64 = sqlx::query_scalar("select count(*) from audit_events where type like '%refused'")
        .fetch_one(&lockbox.pool)
        .await
        .unwrap();
    assert_eq!(refused, 0, "a copy of a message is no second try of a person");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_from_the_portal_survives_a_broker_that_lost_all_messages() {
    let lockbox = Lockbox::with_roles(&ROLES[..1]).await;
    lockbox.start(&ROLES[5..]).await;
    let request = lockbox.submit(&submission()).await;
    let decision = lockbox.decision(request, "morgan", Approve).await;
    let sent = lockbox.command(Kind::VendorDecide, &decision).await;
    lockbox.delete_topology().await;
    assert!(!broker::topology::apply(&lockbox.link, &lockbox.settings.names).await.unwrap().created.is_empty());
    lockbox.store.resend_all().await.unwrap();
    lockbox.start(&ROLES[1..5]).await;
    assert_eq!(lockbox.answer(&sent.id.to_string()).await.type_name, "request.vendor_approved");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_every_role_share_the_work_without_duplicates() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&ROLES).await;
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(lockbox.publish(Kind::RequestSubmit, &submission()).await);
    }
    let mut requests = Vec::new();
    for id in &ids {
        requests.push(lockbox.answer(id).await.request.unwrap());
    }
    for (kind, by) in [(Kind::VendorDecide, "morgan"), (Kind::CustomerDecide, "alex")] {
        for request in &requests {
            let decision = lockbox.decision(*request, by, Approve).await;
            lockbox.command(kind, &decision).await;
        }
        for request in &requests {
            let state = if kind == Kind::VendorDecide { "pending_customer" } else { "active" };
            lockbox.until(*request, state).await;
        }
    }
    eventually("all steps are in the audit log", async || {
        let (steps, recorded) = lockbox.store.steps().await.unwrap();
        (steps == 240 && recorded == 240).then_some(())
    })
    .await;
    assert_eq!(lockbox.store.audit_gaps(10).await.unwrap(), Vec::<Uuid>::new());
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_never_idle_records_confirms_and_publishes_nothing_twice() {
    let lockbox = Lockbox::without_roles().await;
    let config = broker::Config { url: lockbox.settings.amqp_url.clone(), name: "relay".into() };
    let (relay, task) = Relay::new(config, lockbox.settings.names.clone(), lockbox.store.clone(), Health::default());
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(task.run(stop.clone()));
    let now = lockbox.store.clock().await.unwrap();
    let click = || message(Kind::VendorDecide, now, About::default(), &json!({}));
    let first = click();
    lockbox.store.enqueue(std::slice::from_ref(&first)).await.unwrap();
    relay.publish(vec![first.clone()], Vec::new(), now).await;
    let recoveries = eventually("the confirmed messages to be deferred", async || {
        // More than it holds, so that it always has something to publish.
        relay.publish((0..3000).map(|_| click()).collect(), Vec::new(), now).await;
        let deferred =
            "select recoveries from outbox where message_id = $1 and publish_after > clock_timestamp() + interval '30 s'";
        sqlx::query_scalar::<_, i32>(deferred).bind(first.id).fetch_optional(&lockbox.pool).await.unwrap()
    })
    .await;
    assert_eq!(recoveries, 0, "it was sent again while the broker had it");
    stop.cancel();
    drop(relay);
    tasks.close();
    tasks.wait().await;
    lockbox.finish().await;
}
