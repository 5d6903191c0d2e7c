//! Break-glass access: off unless the customer's own approvers set a policy, and then two managers under exactly that policy.

use chrono::TimeDelta;
use contracts::Kind;
use contracts::commands::RespondToReport;
use domain::Verdict::{Approve, Deny};
use domain::{BreakGlassPolicy, TenantId};
use serde_json::{Value, json};
use store::settings::By;
use store::views::RequestFilter;
use uuid::Uuid;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, submission};

/// An approver of Contoso gives a rule for Exchange Online.
pub async fn give(lockbox: &Lockbox, quota: i32) -> BreakGlassPolicy {
    let alex = person(lockbox, "alex").await;
    let until = lockbox.store.clock().await.unwrap() + TimeDelta::days(1);
    let policy = rule(tenant_of(&alex), quota, until);
    lockbox.store.create_policy(By { person: &alex, channel: "test" }, &policy).await.unwrap();
    policy
}

fn tenant_of(person: &domain::Person) -> TenantId {
    let domain::Side::Customer(tenant) = person.side else { panic!("{} is no customer", person.name) };
    tenant
}

fn rule(tenant: TenantId, quota: i32, until: chrono::DateTime<chrono::Utc>) -> BreakGlassPolicy {
    BreakGlassPolicy {
        id: Uuid::now_v7(),
        tenant,
        name: "night watch".into(),
        services: vec!["exchange_online".into()],
        ceiling_seconds: 900,
        quota,
        until: chrono::SubsecRound::trunc_subsecs(until, 6),
    }
}

async fn person(lockbox: &Lockbox, name: &str) -> domain::Person {
    lockbox.store.enabled_people().await.unwrap().into_iter().find(|person| person.name == name).unwrap()
}

pub fn break_glass() -> Value {
    let mut data = submission();
    data["break_glass"] = "night watch".into();
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_of_the_customer_there_is_no_break_glass_access() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    assert_eq!(lockbox.outcome(Kind::RequestSubmit, &break_glass()).await, "no_break_glass_policy");
    let given = give(&lockbox, 5).await;
    for (field, value, code) in [
        ("break_glass", json!("another name"), "no_break_glass_policy"),
        ("service", json!("onedrive"), "no_break_glass_policy"),
        ("duration_seconds", json!(901), "invalid"),
        ("tenant", json!("adatum"), "no_break_glass_policy"),
    ] {
        let mut data = break_glass();
        data[field] = value;
        assert_eq!(lockbox.outcome(Kind::RequestSubmit, &data).await, code, "{field}");
    }
    let alex = person(&lockbox, "alex").await;
    lockbox.store.revoke_policy(By { person: &alex, channel: "test" }, given.id).await.unwrap();
    assert_eq!(lockbox.outcome(Kind::RequestSubmit, &break_glass()).await, "no_break_glass_policy", "revoked");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_different_managers_approve_break_glass_access_and_every_approver_is_notified_and_can_revoke_it() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    let policy = give(&lockbox, 5).await;
    let request = lockbox.submit(&break_glass()).await;
    let content = lockbox.view(request).await.content().unwrap();
    let named = content.break_glass.unwrap();
    assert_eq!((named.policy, named.digest), (policy.id, policy.digest()), "named and hashed in what managers see");
    assert_eq!(lockbox.decide(Kind::CustomerDecide, request, "alex", Approve).await, "not_reviewed");
    let first = lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    assert_eq!(first, "request.break_glass_supported");
    assert_eq!(lockbox.view(request).await.state, "pending_vendor", "one approval opens nothing");
    assert_eq!(lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await, "repeated");
    assert_eq!(lockbox.decide(Kind::VendorDecide, request, "robin", Approve).await, "own_request");
    lockbox.decide(Kind::VendorDecide, request, "jo", Approve).await;
    lockbox.until(request, "active").await;
    lockbox.until_provisioning(request, "active").await;
    let granted = lockbox.event(request, "grant.activated").await;
    assert_eq!(granted["break_glass"], "night watch", "clearly marked");
    eventually("every approver is notified", async || {
        let mails = lockbox.mailbox.mails();
        let notified = |to: &str| {
            mails.iter().any(|mail| mail.to.join(",") == to && mail.text.contains("BREAK-GLASS ACCESS was granted"))
        };
        (notified("alex@contoso.example") && notified("kim@contoso.example")).then_some(())
    })
    .await;
    let end = contracts::commands::RevokeAccess { request, by: "kim".into(), comment: None };
    assert_eq!(lockbox.outcome(Kind::GrantRevoke, &end).await, "grant.ended");
    lockbox.until_provisioning(request, "revoked").await;
    let owed = async || {
        let filter = RequestFilter { owed: true, limit: 10, ..RequestFilter::default() };
        lockbox.store.list_requests(&filter).await.unwrap().len()
    };
    assert_eq!(owed().await, 1, "a review is owed");
    let review = RespondToReport { request, by: "alex".into(), acknowledges: true, comment: None };
    assert_eq!(lockbox.outcome(Kind::ReportRespond, &review).await, "report.acknowledged");
    assert_eq!(owed().await, 0);
    assert_eq!(
        lockbox.steps(request).await,
        [
            "request.submitted",
            "request.break_glass_supported",
            "request.break_glass_approved",
            "grant.activated",
            "grant.ended",
            "report.acknowledged"
        ]
    );
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_a_revoked_policy_and_a_denial_of_either_manager_stop_break_glass_access() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let policy = give(&lockbox, 1).await;
    let (first, second, third) = (
        lockbox.submit(&break_glass()).await,
        lockbox.submit(&break_glass()).await,
        lockbox.submit(&break_glass()).await,
    );
    for request in [first, second, third] {
        lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    }
    lockbox.decide(Kind::VendorDecide, first, "jo", Approve).await;
    lockbox.until(first, "active").await;
    assert_eq!(lockbox.decide(Kind::VendorDecide, second, "jo", Approve).await, "no_break_glass_policy", "used up");
    assert_eq!(lockbox.outcome(Kind::RequestSubmit, &break_glass()).await, "no_break_glass_policy");
    assert_eq!(lockbox.decide(Kind::VendorDecide, third, "jo", Deny).await, "request.vendor_denied");
    let alex = person(&lockbox, "alex").await;
    lockbox.store.revoke_policy(By { person: &alex, channel: "test" }, policy.id).await.unwrap();
    let again = give(&lockbox, 5).await;
    assert_ne!(again.digest(), policy.digest());
    let code = lockbox.decide(Kind::VendorDecide, second, "jo", Approve).await;
    assert_eq!(code, "no_break_glass_policy", "a rule of the same name is another rule");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_grants_no_break_glass_access_without_a_policy_and_a_second_manager() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    give(&lockbox, 5).await;
    let (ordinary, one_approval) = (lockbox.submit(&submission()).await, lockbox.submit(&break_glass()).await);
    lockbox.decide(Kind::VendorDecide, one_approval, "morgan", Approve).await;
    let grant = "update requests set state = 'active', manager = (select id from people where name = 'morgan'), \
                 access_from = now(), access_until = now() + interval '10 seconds', version = version + 1 where id = $1";
    for (request, constraint) in [(ordinary, "requests_break_glass_policy"), (one_approval, "requests_approvals")] {
        let fault = sqlx::query(grant).bind(request).execute(&lockbox.pool).await.unwrap_err();
        assert_eq!(fault.into_database_error().unwrap().constraint(), Some(constraint));
    }
    let longer = "update break_glass_policies set quota = 100";
    assert!(sqlx::query(longer).execute(&lockbox.pool).await.is_err(), "a rule never changes");
    let tenant = lockbox.view(one_approval).await.content().unwrap().tenant;
    let until = lockbox.store.clock().await.unwrap() + TimeDelta::days(1);
    let policy = BreakGlassPolicy { name: "by others".into(), ..rule(tenant, 5, until) };
    for other in ["morgan", "noor"] {
        let person = person(&lockbox, other).await;
        let given = lockbox.store.create_policy(By { person: &person, channel: "test" }, &policy).await;
        assert!(given.is_err(), "{other} is no approver of the tenant");
    }
    lockbox.finish().await;
}
