//! Deadlines and ends hold whatever runs and whatever does not.

use contracts::Kind;
use domain::Verdict::Approve;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, quick_submission, submission};

#[tokio::test(flavor = "multi_thread")]
async fn silence_of_either_side_expires_the_request_and_nobody_decided() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    sqlx::query("update tenants set review_deadline_seconds = 1, decision_deadline_seconds = 2 where name = 'adatum'")
        .execute(&lockbox.pool)
        .await
        .unwrap();
    let unanswered = lockbox.submit(&quick_submission(5)).await;
    assert_eq!(lockbox.until(unanswered, "expired").await.cause.as_deref(), Some("vendor"));
    sqlx::query("update tenants set review_deadline_seconds = 60 where name = 'adatum'")
        .execute(&lockbox.pool)
        .await
        .unwrap();
    let reviewed = lockbox.submit(&quick_submission(5)).await;
    lockbox.decide(Kind::VendorDecide, reviewed, "morgan", Approve).await;
    let expired = lockbox.until(reviewed, "expired").await;
    assert_eq!(expired.cause.as_deref(), Some("customer"));
    assert!(expired.finished_at.unwrap() >= expired.decision_deadline.unwrap(), "never early");
    assert_eq!(lockbox.steps(reviewed).await.last().unwrap(), "request.expired");
    assert_eq!(lockbox.store.decisions(reviewed).await.unwrap().len(), 1, "only the manager decided");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_after_the_deadline_is_refused_even_when_no_expiry_worker_ever_ran() {
    let lockbox =
        Lockbox::with_roles(&[RoleName::Intake, RoleName::ManagerReview, RoleName::Approval, RoleName::Audit]).await;
    sqlx::query("update tenants set decision_deadline_seconds = 1 where name = 'adatum'")
        .execute(&lockbox.pool)
        .await
        .unwrap();
    let request = lockbox.submit(&quick_submission(5)).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    let deadline = lockbox.view(request).await.decision_deadline.unwrap();
    eventually("the deadline has passed", async || (lockbox.store.clock().await.unwrap() >= deadline).then_some(()))
        .await;
    assert_eq!(lockbox.decide(Kind::CustomerDecide, request, "dana", Approve).await, "deadline_passed");
    assert_eq!(
        lockbox.view(request).await.state,
        "pending_customer",
        "nobody labelled it yet, and yet it was too late"
    );
    lockbox.start(&[RoleName::Expiry]).await;
    lockbox.until(request, "expired").await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_waits_for_the_lock_past_the_deadline_is_refused() {
    let lockbox =
        Lockbox::with_roles(&[RoleName::Intake, RoleName::ManagerReview, RoleName::Approval, RoleName::Audit]).await;
    sqlx::query("update tenants set decision_deadline_seconds = 1 where name = 'adatum'")
        .execute(&lockbox.pool)
        .await
        .unwrap();
    let request = lockbox.submit(&quick_submission(5)).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    let mut holder = lockbox.pool.begin().await.unwrap();
    sqlx::query("select from requests where id = $1 for update").bind(request).execute(&mut *holder).await.unwrap();
    let decision = lockbox.decision(request, "dana", Approve).await;
    let sent = lockbox.command(Kind::CustomerDecide, &decision).await;
    let deadline = lockbox.view(request).await.decision_deadline.unwrap();
    eventually("the deadline has passed", async || (lockbox.store.clock().await.unwrap() > deadline).then_some(()))
        .await;
    holder.rollback().await.unwrap();
    let answer = lockbox.answer(&sent.id.to_string()).await;
    assert_eq!(crate::harness::body(&answer)["code"], "deadline_passed");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_fire_from_the_table_when_every_hint_was_lost() {
    let lockbox =
        Lockbox::with_roles(&[RoleName::Intake, RoleName::ManagerReview, RoleName::Approval, RoleName::Audit]).await;
    let request = lockbox.submit(&quick_submission(1)).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, request, "dana", Approve).await;
    lockbox.until(request, "active").await;
    // All the broker knew is gone, and comes back empty.
    lockbox.delete_topology().await;
    broker::topology::apply(&lockbox.link, &lockbox.settings.names).await.unwrap();
    lockbox.start(&[RoleName::Expiry, RoleName::Notification]).await;
    lockbox.until(request, "ended").await;
    lockbox.steps(request).await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_start_opens_later_and_lasts_as_long_as_asked() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let start = lockbox.store.clock().await.unwrap() + chrono::TimeDelta::hours(2);
    let mut data = submission();
    data["start_time"] = start.to_rfc3339().into();
    let request = lockbox.submit(&data).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, request, "alex", Approve).await;
    let granted = lockbox.until(request, "active").await;
    assert_eq!(granted.access_from.unwrap().timestamp_micros(), start.timestamp_micros());
    assert_eq!((granted.access_until.unwrap() - start).num_seconds(), 60);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approvers_who_have_not_decided_are_reminded_once_for_each_time_that_is_set() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    sqlx::query(
        "update tenants set decision_deadline_seconds = 600, reminders_seconds = '{599,598,60}' where name = 'northwind'",
    )
    .execute(&lockbox.pool)
    .await
    .unwrap();
    let mut data = submission();
    data["tenant"] = "northwind".into();
    let request = lockbox.submit(&data).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, request, "ines", Approve).await;
    let reminded = eventually("two reminders have come", async || {
        let mails = lockbox.mailbox.mails();
        let to: Vec<String> = mails
            .iter()
            .filter(|mail| mail.text.contains("still needs your decision"))
            .map(|mail| mail.to.join(","))
            .collect();
        (to.iter().filter(|to| to.starts_with("olu@")).count() >= 2).then_some(to)
    })
    .await;
    assert!(!reminded.iter().any(|to| to.starts_with("ines@")), "who has answered is left alone: {reminded:?}");
    let left: Vec<(String, f64)> = sqlx::query_as(
        "select kind, extract(epoch from (select decision_deadline from requests where id = request) - due_at)::float8 \
         from timers where request = $1 order by kind",
    )
    .bind(request)
    .fetch_all(&lockbox.pool)
    .await
    .unwrap();
    assert_eq!(left, [("decision_deadline".to_owned(), 0.0), ("reminder".to_owned(), 60.0)]);
    let steps = lockbox.steps(request).await;
    assert_eq!(steps.iter().filter(|step| *step == "request.reminded").count(), 2);
    lockbox.decide(Kind::CustomerDecide, request, "olu", domain::Verdict::Deny).await;
    let timers: i64 = sqlx::query_scalar("select count(*) from timers where request = $1")
        .bind(request)
        .fetch_one(&lockbox.pool)
        .await
        .unwrap();
    assert_eq!(timers, 0, "nobody is reminded of what is over");
    lockbox.finish().await;
}
