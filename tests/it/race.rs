//! Approve against expire at the deadline, thousands of times: exactly one ending each, and no yes at or after it.

use contracts::Kind;
use contracts::envelope::{About, message};
use domain::{Digest, Verdict};
use sqlx::Row;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, quick_submission};

const REQUESTS: usize = 4000;

#[tokio::test(flavor = "multi_thread")]
async fn four_thousand_approvals_meet_their_deadline_and_each_request_ends_once() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Approval, RoleName::Expiry]).await;
    sqlx::query(
        "update tenants set review_deadline_seconds = 600, decision_deadline_seconds = 8 where name = 'adatum'",
    )
    .execute(&lockbox.pool)
    .await
    .unwrap();
    for _ in 0..REQUESTS {
        lockbox.publish(Kind::RequestSubmit, &quick_submission(60)).await;
    }
    let submitted = "select id, digest from requests where state = 'pending_vendor'";
    let rows = eventually("all are submitted", async || {
        let rows = sqlx::query(submitted).fetch_all(&lockbox.pool).await.unwrap();
        (rows.len() == REQUESTS).then_some(rows)
    })
    .await;
    let now = lockbox.store.clock().await.unwrap();
    let send = |kind: Kind, by: &str, (id, digest): (uuid::Uuid, Vec<u8>)| {
        let decision = contracts::commands::Decide {
            request: id,
            by: by.into(),
            verdict: Verdict::Approve,
            digest: Digest(digest.try_into().unwrap()),
            comment: None,
            channel: "test".into(),
            duration_seconds: None,
            signature: None,
            comment_salt: None,
        };
        workers::relay::outgoing(message(kind, now, About::default(), &decision))
    };
    let mut yes = Vec::with_capacity(REQUESTS);
    for row in &rows {
        yes.push(send(Kind::VendorDecide, "morgan", (row.get(0), row.get(1))));
    }
    for batch in yes.chunks(500) {
        lockbox.publisher.lock().await.publish(batch).await.unwrap();
    }
    // The customer's yes is on its way around the moment the deadline passes.
    let due = "select id, digest from requests where state = 'pending_customer' and decision_deadline < clock_timestamp() + interval '1500 milliseconds' order by decision_deadline limit 200";
    let mut answered = std::collections::HashSet::new();
    eventually("all are over or open", async || {
        let rows = sqlx::query(due).fetch_all(&lockbox.pool).await.unwrap();
        let mut batch = Vec::new();
        for row in rows {
            let id: uuid::Uuid = row.get(0);
            if answered.insert(id) {
                batch.push(send(Kind::CustomerDecide, "dana", (id, row.get(1))));
            }
        }
        if !batch.is_empty() {
            lockbox.publisher.lock().await.publish(&batch).await.unwrap();
        }
        let open: i64 =
            sqlx::query_scalar("select count(*) from requests where state in ('pending_vendor', 'pending_customer')")
                .fetch_one(&lockbox.pool)
                .await
                .unwrap();
        (open == 0).then_some(())
    })
    .await;
    lockbox.until_idle().await;
    let counts = lockbox.store.request_counts().await.unwrap();
    eprintln!("{counts:?}");
    let of = |state: &str| counts.iter().find(|(name, _)| name == state).map_or(0, |(_, count)| *count);
    // Where this takes over a minute, the first grants have ended by time.
    let granted = of("active") + of("ended");
    assert_eq!(granted + of("expired"), i64::try_from(REQUESTS).unwrap());
    assert!(granted > 0 && of("expired") > 0, "both sides won some: {counts:?}");
    let late: i64 = sqlx::query_scalar("select count(*) from decisions d join requests r on r.id = d.request where d.stage = 'customer' and d.decided_at >= r.decision_deadline")
        .fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(late, 0, "no yes at or after the deadline");
    let endings: i64 = sqlx::query_scalar("select count(*) from (select request from audit_events where type in ('grant.activated', 'request.expired') group by request having count(*) <> 1) x")
        .fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(endings, 0, "exactly one end in the audit log each");
    assert_eq!(lockbox.store.audit_gaps(5).await.unwrap(), Vec::<uuid::Uuid>::new());
    lockbox.finish().await;
}
