//! Requests on every road there is.

use contracts::Kind;
use domain::Verdict::{Approve, Reject};
use serde_json::json;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, quick_submission, submission};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_approved_by_both_sides_and_revoked_by_time() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&quick_submission(1)).await;
    assert_eq!(lockbox.decide(Kind::ManagerDecide, request, "morgan", Approve).await, "request.manager_approved");
    lockbox.decide(Kind::CustomerDecide, request, "dana", Approve).await;
    let granted = lockbox.until(request, "granted").await;
    let length = granted.access_until.unwrap() - granted.access_from.unwrap();
    assert_eq!(length.num_milliseconds(), 1000, "exactly the time asked for");
    let ended = lockbox.until(request, "ended").await;
    assert_eq!(ended.cause.as_deref(), Some("time"));
    assert!(ended.over_at.unwrap() >= granted.access_until.unwrap(), "never early");
    assert_eq!(
        lockbox.steps(request).await,
        [
            "request.submitted",
            "request.manager_approved",
            "request.customer_approved",
            "access.granted",
            "access.ended"
        ]
    );
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_of_either_side_ends_a_request() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    assert_eq!(lockbox.decide(Kind::ManagerDecide, request, "morgan", Reject).await, "request.manager_rejected");
    assert_eq!(lockbox.steps(request).await, ["request.submitted", "request.manager_rejected"]);
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::ManagerDecide, request, "morgan", Approve).await;
    assert_eq!(lockbox.decide(Kind::CustomerDecide, request, "alex", Reject).await, "request.customer_rejected");
    let late = lockbox.decide(Kind::CustomerDecide, request, "kim", Approve).await;
    assert_eq!(late, "already_over", "a no is final");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_different_approvers_must_say_yes_where_the_tenant_wants_two() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let mut data = submission();
    data["tenant"] = "northwind".into();
    let request = lockbox.submit(&data).await;
    lockbox.decide(Kind::ManagerDecide, request, "morgan", Approve).await;
    assert_eq!(lockbox.decide(Kind::CustomerDecide, request, "ines", Approve).await, "request.customer_approved");
    assert_eq!(lockbox.view(request).await.state, "awaiting_customer");
    assert_eq!(lockbox.decide(Kind::CustomerDecide, request, "ines", Approve).await, "repeated");
    let mut silent = lockbox.decision(request, "olu", Approve).await;
    silent.comment = None;
    assert_eq!(lockbox.outcome(Kind::CustomerDecide, &silent).await, "comment_required");
    let mut shorter = lockbox.decision(request, "olu", Approve).await;
    shorter.duration_seconds = Some(30);
    lockbox.outcome(Kind::CustomerDecide, &shorter).await;
    let granted = lockbox.until(request, "granted").await;
    let length = granted.access_until.unwrap() - granted.access_from.unwrap();
    assert_eq!(length.num_seconds(), 30, "the shortest time anybody allowed");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn either_side_ends_access_early_and_a_closed_ticket_ends_everything() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let end = async |by: &str| {
        let request = lockbox.submit(&submission()).await;
        lockbox.decide(Kind::ManagerDecide, request, "morgan", Approve).await;
        lockbox.decide(Kind::CustomerDecide, request, "alex", Approve).await;
        let data = contracts::commands::EndAccess { request, by: by.into(), comment: None };
        assert_eq!(lockbox.outcome(Kind::AccessEnd, &data).await, "access.ended");
        let view = lockbox.view(request).await;
        assert!(view.access_until.unwrap() <= view.over_at.unwrap(), "the end moved earlier");
        view.cause.unwrap()
    };
    assert_eq!(end("kim").await, "customer");
    assert_eq!(end("robin").await, "engineer");
    assert_eq!(end("jo").await, "vendor");

    let mut data = submission();
    data["service_request"] = "SR-2026-000777".into();
    let (open, pending) = (lockbox.submit(&data).await, lockbox.submit(&data).await);
    let other = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::ManagerDecide, open, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, open, "alex", Approve).await;
    let closed = json!({"tenant": "contoso", "service_request": "SR-2026-000777"});
    lockbox.publish(Kind::TicketClosed, &closed).await;
    assert_eq!(lockbox.until(open, "ended").await.cause.as_deref(), Some("ticket_closed"));
    assert_eq!(lockbox.until(pending, "withdrawn").await.cause.as_deref(), Some("ticket_closed"));
    assert_eq!(lockbox.view(other).await.state, "awaiting_manager");
    let withdraw = json!({"request": other, "by": "robin", "comment": "solved without"});
    lockbox.publish(Kind::RequestWithdraw, &withdraw).await;
    assert_eq!(lockbox.until(other, "withdrawn").await.cause.as_deref(), Some("engineer"));
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_reach_the_right_people_once_and_hold_no_free_text() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    let mut data = quick_submission(60);
    data["reason"]["text"] = "the secret words of the engineer".into();
    let request = lockbox.submit(&data).await;
    lockbox.decide(Kind::ManagerDecide, request, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, request, "dana", Reject).await;
    let told = eventually("all mail has arrived", async || {
        let mut told: Vec<(String, String)> = lockbox
            .mailbox
            .mails()
            .iter()
            .map(|mail| (mail.to.join(","), mail.subject.rsplit(": ").next().unwrap_or_default().to_owned()))
            .collect();
        told.sort();
        (told.len() >= 6).then_some(told)
    })
    .await;
    let expected = [
        ("dana@adatum.example", "an access request waits for your decision"),
        ("jo@fabrikam.example", "an access request waits for your review"),
        ("morgan@fabrikam.example", "an access request waits for your review"),
        ("morgan@fabrikam.example", "the customer said no"),
        ("robin@fabrikam.example", "the customer said no"),
        ("security@adatum.example", "an access request waits for your decision"),
    ];
    assert_eq!(told, expected.map(|(to, subject)| (to.to_owned(), subject.to_owned())));
    for mail in lockbox.mailbox.mails() {
        let raw = String::from_utf8_lossy(&mail.raw).into_owned();
        assert!(!raw.contains("secret words"), "free text of the engineer stays out of mail");
        assert!(raw.contains("Auto-Submitted: auto-generated"));
        assert!(mail.message_id.ends_with("@fabrikam.example"));
    }
    lockbox.finish().await;
}
