//! Requests from submission to each possible end.

use contracts::Kind;
use domain::Verdict::{Approve, Deny};
use serde_json::json;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, quick_submission, submission};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_approved_by_both_sides_and_revoked_by_time() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&quick_submission(1)).await;
    assert_eq!(lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await, "request.vendor_approved");
    lockbox.decide(Kind::CustomerDecide, request, "dana", Approve).await;
    let granted = lockbox.until(request, "active").await;
    let length = granted.access_until.unwrap() - granted.access_from.unwrap();
    assert_eq!(length.num_milliseconds(), 1000, "exactly the time asked for");
    let ended = lockbox.until(request, "ended").await;
    assert_eq!(ended.cause.as_deref(), Some("expired"));
    assert!(ended.finished_at.unwrap() >= granted.access_until.unwrap(), "never early");
    assert_eq!(
        lockbox.steps(request).await,
        ["request.submitted", "request.vendor_approved", "request.customer_approved", "grant.activated", "grant.ended"]
    );
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_of_either_side_ends_a_request() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    assert_eq!(lockbox.decide(Kind::VendorDecide, request, "morgan", Deny).await, "request.vendor_denied");
    assert_eq!(lockbox.steps(request).await, ["request.submitted", "request.vendor_denied"]);
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    assert_eq!(lockbox.decide(Kind::CustomerDecide, request, "alex", Deny).await, "request.customer_denied");
    let late = lockbox.decide(Kind::CustomerDecide, request, "kim", Approve).await;
    assert_eq!(late, "already_finished", "a no is final");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_different_approvers_must_approve_where_the_tenant_requires_two() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let mut data = submission();
    data["tenant"] = "northwind".into();
    let request = lockbox.submit(&data).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    assert_eq!(lockbox.decide(Kind::CustomerDecide, request, "ines", Approve).await, "request.customer_approved");
    assert_eq!(lockbox.view(request).await.state, "pending_customer");
    assert_eq!(lockbox.decide(Kind::CustomerDecide, request, "ines", Approve).await, "repeated");
    let mut silent = lockbox.decision(request, "olu", Approve).await;
    silent.comment = None;
    assert_eq!(lockbox.outcome(Kind::CustomerDecide, &silent).await, "comment_required");
    let mut shorter = lockbox.decision(request, "olu", Approve).await;
    shorter.duration_seconds = Some(30);
    lockbox.outcome(Kind::CustomerDecide, &shorter).await;
    let granted = lockbox.until(request, "active").await;
    let length = granted.access_until.unwrap() - granted.access_from.unwrap();
    assert_eq!(length.num_seconds(), 30, "the shortest time anybody allowed");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn either_side_ends_access_early_and_a_closed_ticket_ends_everything() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let end = async |by: &str| {
        let request = lockbox.submit(&submission()).await;
        lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
        lockbox.decide(Kind::CustomerDecide, request, "alex", Approve).await;
        let data = contracts::commands::RevokeAccess { request, by: by.into(), comment: None };
        assert_eq!(lockbox.outcome(Kind::GrantRevoke, &data).await, "grant.ended");
        let view = lockbox.view(request).await;
        assert!(view.access_until.unwrap() <= view.finished_at.unwrap(), "the end moved earlier");
        view.cause.unwrap()
    };
    assert_eq!(end("kim").await, "revoked_by_customer");
    assert_eq!(end("robin").await, "released");
    assert_eq!(end("jo").await, "revoked_by_vendor");

    let mut data = submission();
    data["service_request"] = "SR-2026-000777".into();
    let (open, pending) = (lockbox.submit(&data).await, lockbox.submit(&data).await);
    let other = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, open, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, open, "alex", Approve).await;
    let closed = json!({"tenant": "contoso", "service_request": "SR-2026-000777"});
    lockbox.publish(Kind::TicketClosed, &closed).await;
    assert_eq!(lockbox.until(open, "ended").await.cause.as_deref(), Some("ticket_closed"));
    assert_eq!(lockbox.until(pending, "withdrawn").await.cause.as_deref(), Some("ticket_closed"));
    assert_eq!(lockbox.view(other).await.state, "pending_vendor");
    let withdraw = json!({"request": other, "by": "robin", "comment": "solved without"});
    lockbox.publish(Kind::RequestWithdraw, &withdraw).await;
    assert_eq!(lockbox.until(other, "withdrawn").await.cause.as_deref(), Some("requester"));
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_reach_the_right_people_once_and_hold_no_free_text() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    let mut data = quick_submission(60);
    data["justification"]["text"] = "the secret words of the engineer".into();
    let request = lockbox.submit(&data).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, request, "dana", Deny).await;
    let notified = eventually("all mail has arrived", async || {
        let mut notified: Vec<(String, String)> = lockbox
            .mailbox
            .mails()
            .iter()
            .map(|mail| (mail.to.join(","), mail.text.lines().nth(2).unwrap_or_default().to_owned()))
            .collect();
        notified.sort();
        (notified.len() >= 10).then_some(notified)
    })
    .await;
    let expected = [
        ("dana@adatum.example", "An access request needs your decision."),
        ("dana@adatum.example", "The customer denied the request."),
        ("jo@fabrikam.example", "An access request needs your review."),
        ("jo@fabrikam.example", "An approval was recorded."),
        ("morgan@fabrikam.example", "An access request needs your review."),
        ("morgan@fabrikam.example", "An approval was recorded."),
        ("morgan@fabrikam.example", "The customer denied the request."),
        ("robin@fabrikam.example", "The customer denied the request."),
        ("security@adatum.example", "An access request needs your decision."),
        ("security@adatum.example", "The customer denied the request."),
    ];
    assert_eq!(notified, expected.map(|(to, subject)| (to.to_owned(), subject.to_owned())));
    for mail in lockbox.mailbox.mails() {
        let raw = String::from_utf8_lossy(&mail.raw).into_owned();
        assert!(!raw.contains("secret words"), "free text of the engineer stays out of mail");
        assert!(raw.contains("Auto-Submitted: auto-generated"));
        assert!(mail.message_id.ends_with("@fabrikam.example"));
    }
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_asks_the_engineer_answers_and_mail_says_only_that_there_is_something_to_read() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    let request = lockbox.submit(&quick_submission(60)).await;
    let say = async |by: &str, comment: &str| {
        let data = contracts::commands::CommentRequest { request, by: by.into(), comment: comment.into() };
        lockbox.outcome(Kind::RequestComment, &data).await
    };
    assert_eq!(say("dana", "why?").await, "not_reviewed", "the customer is not asked yet");
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    assert_eq!(say("dana", "why the whole mailbox?").await, "request.commented");
    assert_eq!(say("robin", "only the outbox is read").await, "request.commented");
    assert_eq!(say("alex", "may I?").await, "may_not_comment", "another tenant");
    assert_eq!(say("dana", "  ").await, "invalid");
    lockbox.decide(Kind::CustomerDecide, request, "dana", Approve).await;
    lockbox.until(request, "active").await;
    assert_eq!(say("dana", "are you done?").await, "request.commented", "also while access is open");
    let steps = lockbox.steps(request).await;
    assert_eq!(steps[2..5], ["request.commented", "request.commented", "request.customer_approved"]);
    let notified = eventually("both are notified", async || {
        let mails = lockbox.mailbox.mails();
        let about =
            |to: &str| mails.iter().any(|mail| mail.to.join(",") == to && mail.text.contains("There is a new comment"));
        (about("robin@fabrikam.example") && about("dana@adatum.example")).then_some(mails)
    })
    .await;
    assert!(notified.iter().all(|mail| !String::from_utf8_lossy(&mail.raw).contains("outbox")));
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_time_is_a_new_request_linked_to_the_one_before() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let first = lockbox.submit(&submission()).await;
    let mut more = submission();
    more["extends"] = first.to_string().into();
    assert_eq!(lockbox.outcome(Kind::RequestSubmit, &more).await, "invalid", "nothing was granted yet");
    lockbox.decide(Kind::VendorDecide, first, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, first, "alex", Approve).await;
    for (field, other) in [("resource", "hr@contoso.example"), ("requester", "sam"), ("service", "onedrive")] {
        let mut other_content = more.clone();
        other_content[field] = other.into();
        assert_eq!(lockbox.outcome(Kind::RequestSubmit, &other_content).await, "invalid", "{field}");
    }
    let second = lockbox.submit(&more).await;
    let view = lockbox.view(second).await;
    assert_eq!(view.content().unwrap().extends.unwrap().0, first);
    assert_eq!(view.state, "pending_vendor", "both sides are asked again");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_consumer_may_send_the_notifications_and_report_it() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    let asked: Vec<(uuid::Uuid, Vec<u8>)> = eventually("notifications are published", async || {
        let rows: Vec<_> = sqlx::query_as("select message_id, body from outbox where consumer = 'mail'")
            .fetch_all(&lockbox.pool)
            .await
            .unwrap();
        (rows.len() == 2).then_some(rows)
    })
    .await;
    for (index, (message, body)) in asked.iter().enumerate() {
        let notification = &serde_json::from_slice::<serde_json::Value>(body).unwrap()["data"];
        let mut report = json!({
            "message": message, "notification": notification["notification"], "request": request, "service_request": "SR-2026-004711",
            "template": notification["template"], "recipient": notification["recipient"]["address"],
        });
        if index == 1 {
            report["error"] = "the chat is gone".into();
        }
        let said = lockbox.outcome(Kind::NotificationReport, &report).await;
        assert_eq!(said, if index == 1 { "notification.failed" } else { "notification.sent" });
    }
    let left: i64 = sqlx::query_scalar("select count(*) from outbox where consumer = 'mail'")
        .fetch_one(&lockbox.pool)
        .await
        .unwrap();
    assert_eq!(left, 0, "nothing is sent again");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_is_in_the_audit_log_and_raises_an_alarm_on_the_first_page_of_the_people_it_concerns() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = crate::person::Site::open(&lockbox).await;
    let (alex, dana) = (site.sign_in("Alex Novak").await, site.sign_in("Dana Whitfield").await);
    let request = lockbox.submit(&submission()).await;
    assert!(!alex.get("/").await.text.contains("was not delivered"));
    let bounce = serde_json::json!({
        "notification": uuid::Uuid::now_v7(), "message": uuid::Uuid::now_v7(), "template": "decision_needed",
        "recipient": "kim@contoso.example", "request": request, "error": "550 no such mailbox",
    });
    let sent = lockbox.publish(Kind::NotificationReport, &bounce).await;
    assert_eq!(lockbox.answer(&sent).await.type_name, "notification.failed");
    assert!(alex.get("/").await.text.contains("was not delivered"));
    assert!(alex.get(&format!("/requests/{request}")).await.text.contains("550 no such mailbox"));
    assert!(!dana.get("/").await.text.contains("was not delivered"), "nothing of another tenant");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_gets_more_mails_an_hour_than_the_cap() {
    let lockbox = Lockbox::without_roles().await;
    let may = async |address: &str| lockbox.store.may_mail(address, 2).await.unwrap();
    assert!(may("kim@contoso.example").await && may("KIM@contoso.example").await);
    assert!(!may("kim@contoso.example").await, "the third waits");
    assert!(may("alex@contoso.example").await, "others are not held back");
    sqlx::query("update mail_counts set hour = hour - interval '1 hour'").execute(&lockbox.pool).await.unwrap();
    assert!(may("kim@contoso.example").await, "a new hour");
    lockbox.finish().await;
}
