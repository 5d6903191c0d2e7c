//! Decisions that do not count: each is refused with its own reason, audited, and changes nothing.

use contracts::Kind;
use domain::Digest;
use domain::Verdict::Approve;
use store::audit::AuditFilter;

use crate::harness::{Lockbox, ROLES, body, submission};

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_decision_is_refused_with_a_reason_of_its_own_and_audited() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let mut data = submission();
    data["requester"] = "jo".into();
    let request = lockbox.submit(&data).await;
    let manager = async |by: &str| lockbox.decide(Kind::VendorDecide, request, by, Approve).await;
    let customer = async |by: &str| lockbox.decide(Kind::CustomerDecide, request, by, Approve).await;

    assert_eq!(manager("jo").await, "own_request", "a manager's own request");
    assert_eq!(manager("robin").await, "not_manager");
    assert_eq!(manager("alex").await, "not_manager", "the customer does not review");
    assert_eq!(manager("nobody").await, "unknown_person");
    assert_eq!(customer("alex").await, "not_reviewed");
    let mut forged = lockbox.decision(request, "morgan", Approve).await;
    forged.digest = Digest::of(b"another content");
    assert_eq!(lockbox.outcome(Kind::VendorDecide, &forged).await, "digest_mismatch");
    assert_eq!(manager("morgan").await, "request.vendor_approved");
    assert_eq!(manager("morgan").await, "repeated");
    assert_eq!(customer("dana").await, "wrong_tenant");
    assert_eq!(customer("morgan").await, "wrong_tenant", "the vendor never says the customer's yes");
    sqlx::query("update people set enabled = false where name = 'kim'").execute(&lockbox.pool).await.unwrap();
    assert_eq!(customer("kim").await, "person_disabled");
    assert_eq!(lockbox.view(request).await.version, 2, "no refusal moved the request");

    let mut elsewhere = lockbox.decision(request, "alex", Approve).await;
    elsewhere.request = uuid::Uuid::new_v4();
    assert_eq!(lockbox.outcome(Kind::CustomerDecide, &elsewhere).await, "not_found");

    let filter = AuditFilter {
        request: Some(request),
        type_name: Some("decision.refused".into()),
        limit: 50,
        ..AuditFilter::default()
    };
    let refused = lockbox.store.search_audit(&filter).await.unwrap();
    assert!(refused.len() >= 9, "{} refusals in the audit log", refused.len());
    let by_kim = refused
        .iter()
        .find(|event| event.person.as_deref() == Some("kim"))
        .expect("the named person is in the audit log");
    assert_eq!(body(by_kim)["actor"]["display_name"], "Kim Duarte");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_counts_only_from_a_login_that_is_listed_for_it() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    sqlx::query("delete from producers where command = 'vendor.decide'").execute(&lockbox.pool).await.unwrap();
    assert_eq!(lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await, "wrong_producer");
    assert_eq!(lockbox.view(request).await.state, "pending_vendor");
    sqlx::query("delete from producers").execute(&lockbox.pool).await.unwrap();
    let id = lockbox.publish(Kind::RequestSubmit, &submission()).await;
    assert_eq!(body(&lockbox.answer(&id).await)["code"], "wrong_producer");
    lockbox.finish().await;
}
