//! Consent that only the customer can give: founding, statements and signed decisions.

use consent::testing::Device;
use consent::{Approver, Fault};
use contracts::Kind;
use contracts::commands::Decide;
use domain::Rules;
use domain::Verdict::{Approve, Deny};
use serde_json::Value;
use store::Error;
use store::authority::InvitationRefused;
use store::settings::By;
use uuid::Uuid;

use crate::founded::{found, person, to_sign};
use crate::harness::{Lockbox, ROLES, body, eventually, submission};

const COMMITTED: &str = "select encode(commitment, 'hex') from texts where field = 'comment' and salt = $1";

/// The rules of a tenant as the roles read them.
async fn rules(lockbox: &Lockbox, tenant: &str) -> Rules {
    let tenants = lockbox.store.tenants().await.unwrap();
    tenants.into_iter().find(|found| found.name == tenant).unwrap().rules
}

async fn approvers(lockbox: &Lockbox, tenant: &str) -> Vec<String> {
    const APPROVERS: &str = "select distinct p.name from assignments a join people p on p.id = a.person \
                             join tenants t on t.id = p.tenant where t.name = $1 and a.role = 'approver' order by 1";
    sqlx::query_scalar(APPROVERS).bind(tenant).fetch_all(&lockbox.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_approver_founds_a_tenant_and_five_wrong_codes_end_an_invitation() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let store = &lockbox.store;
    let invitation =
        store.invite_founder("contoso", ("alex", "Alex Novak", "alex@contoso.example"), "lee").await.unwrap();
    for left in (0..5).rev() {
        let refused = store.redeem_invitation(&invitation.link, "AAAA-AAAA-AAAA").await.unwrap().unwrap_err();
        assert_eq!(refused, InvitationRefused::WrongCode { left });
    }
    let refused = store.redeem_invitation(&invitation.link, &invitation.code).await.unwrap().unwrap_err();
    assert_eq!(refused, InvitationRefused::Unknown, "the right code comes too late");
    assert!(store.authority("contoso").await.unwrap().is_none());

    let founded = found(&lockbox, "contoso", &["alex", "kim"], |statement| {
        statement.rules.required_approvals = 2;
        statement.rules.access_ceiling_seconds = 1800;
    })
    .await;
    let authority = store.authority("contoso").await.unwrap().unwrap();
    assert_eq!(authority.statements.len(), 1);
    assert_eq!(authority.chain.founding().approvers.len(), founded.devices.len());
    let rules = rules(&lockbox, "contoso").await;
    assert_eq!((rules.required_approvals, rules.access_ceiling_seconds), (2, 1800));
    let event = eventually("the founding is in the audit log", async || {
        let filter = store::audit::AuditFilter {
            type_name: Some("authority.changed".into()),
            limit: 1,
            ..store::audit::AuditFilter::default()
        };
        store.search_audit(&filter).await.unwrap().pop()
    })
    .await;
    assert_eq!(event.tenant.as_deref(), Some("contoso"));
    let data = body(&event);
    assert_eq!(data["statement"], authority.chain.founding().document());
    assert_eq!(data["actor"]["name"], "alex");
    let again = store.invite_founder("contoso", ("kim", "Kim", "kim@contoso.example"), "lee").await;
    assert!(matches!(again, Err(Error::TenantIsFounded(_))));
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weakening_change_waits_a_day_and_a_strengthening_one_applies_at_once() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let founded = found(&lockbox, "contoso", &["alex", "kim"], |_| {}).await;
    let recorded = founded
        .change(&lockbox, &["alex", "kim"], |next| {
            next.rules.access_ceiling_seconds = 600;
            next.approvers.retain(|approver| approver.name == "alex");
            next.change_signatures = 1;
        })
        .await;
    // Fewer signatures for a change weakens, so all of it waits.
    assert_eq!((recorded.in_force_from - recorded.recorded_at).num_seconds(), 86_400);
    assert_eq!(approvers(&lockbox, "contoso").await, ["alex", "kim"]);
    founded.change(&lockbox, &["kim"], |_| {}).await;
    let recorded = founded.change(&lockbox, &["kim", "alex"], |next| next.rules.access_ceiling_seconds = 700).await;
    assert_eq!(recorded.in_force_from, recorded.recorded_at);
    assert_eq!(rules(&lockbox, "contoso").await.access_ceiling_seconds, 700);
    // A third approver waits, too.
    let recorded = founded
        .change(&lockbox, &["alex", "kim"], |next| {
            next.approvers.push(Approver {
                person: Uuid::now_v7(),
                name: "mallory".into(),
                email: "mallory@contoso.example".into(),
                services: Vec::new(),
                keys: vec![Device::new().key],
            });
        })
        .await;
    assert!(recorded.in_force_from > recorded.recorded_at);
    assert_eq!(approvers(&lockbox, "contoso").await, ["alex", "kim"]);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_time_of_a_statement_has_come_its_rules_are_written() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let founded = found(&lockbox, "contoso", &["alex", "kim"], |_| {}).await;
    let soon = lockbox.store.clock().await.unwrap() + chrono::TimeDelta::seconds(3);
    let recorded = founded
        .change(&lockbox, &["alex", "kim"], |next| {
            next.rules.access_ceiling_seconds = 600;
            next.effective_at = consent::time_text(soon);
        })
        .await;
    assert_eq!(recorded.in_force_from, soon);
    assert_ne!(rules(&lockbox, "contoso").await.access_ceiling_seconds, 600);
    eventually("the recovery scan writes the rules", async || {
        (rules(&lockbox, "contoso").await.access_ceiling_seconds == 600).then_some(())
    })
    .await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_approvers_with_their_keys_changes_a_founded_tenant() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let store = &lockbox.store;
    let founded = found(&lockbox, "contoso", &["alex", "kim"], |_| {}).await;
    let (alex, noor) = (person(&lockbox, "alex").await, person(&lockbox, "noor").await);
    let by = By { person: &alex, channel: "portal/oidc" };
    let is_founded = |refused: Result<Vec<_>, Error>| assert!(matches!(refused, Err(Error::TenantIsFounded(_))));
    is_founded(store.change_settings(by, &Rules::default(), &[]).await);
    is_founded(store.require_witnesses(by, None).await);
    is_founded(store.delegate(by, "noor", store.clock().await.unwrap() + chrono::TimeDelta::days(1)).await);
    is_founded(store.change_approvers(by, &contracts::directory::ApproverRules::default()).await);

    // Not an approver; another person's key; a key that nobody has.
    let statement = founded.next(&lockbox, |next| next.rules.access_ceiling_seconds = 60).await;
    let outsider = By { person: &noor, channel: "portal/oidc" };
    assert!(matches!(store.propose_change(outsider, &statement).await, Err(Error::Authority(Fault::Invalid(_)))));
    let id = store.propose_change(by, &statement).await.unwrap();
    let kims = founded.devices["kim"].sign_at(&statement.portal, &statement.challenge());
    assert!(matches!(store.sign_change(by, id, &kims).await, Err(Error::Authority(Fault::OthersKey { .. }))));
    let unknown = Device::new().sign_at(&statement.portal, &statement.challenge());
    assert!(matches!(store.sign_change(by, id, &unknown).await, Err(Error::Authority(Fault::UnknownKey(_)))));
    let other = founded.next(&lockbox, |next| next.rules.access_ceiling_seconds = 70).await;
    let wrong = founded.devices["alex"].sign_at(&other.portal, &other.challenge());
    assert!(matches!(store.sign_change(by, id, &wrong).await, Err(Error::Authority(Fault::Challenge))));
    let open = store.open_changes("contoso").await.unwrap();
    assert_eq!((open.len(), open[0].signatures.len(), open[0].needed), (1, 0, 2));

    // The database itself refuses rows that are no statement of the chain.
    for statement in [
        "update authorities set in_force_from = in_force_from + interval '1 day'",
        "delete from authorities",
        "insert into authorities select authority, version + 1, statement, hash, signatures, recorded_at, in_force_from, event from authorities",
    ] {
        let refused = sqlx::query(statement).execute(&lockbox.pool).await;
        assert!(refused.is_err(), "{statement}");
    }
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_file_only_proposes_changes_of_a_founded_tenant() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let store = &lockbox.store;
    found(&lockbox, "contoso", &["alex"], |_| {}).await;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
    let mut directory = operations::directory_file::read(&path).unwrap();
    let contoso = directory.tenants.iter_mut().find(|tenant| tenant.name == "contoso").unwrap();
    contoso.people.iter_mut().find(|person| person.name == "alex").unwrap().email = "alex@evil.example".into();
    let (applied, messages) = store.apply(&directory, "lee").await.unwrap();
    assert!(!applied.proposals["contoso"].is_empty(), "{applied:?}");
    assert!(messages.iter().any(|message| message.kind == contracts::Kind::AuthorityProposed));
    assert_eq!(approvers(&lockbox, "contoso").await, ["alex"], "kim is not appointed");
    assert_eq!(person(&lockbox, "alex").await.email, "alex@contoso.example");
    let open = store.open_changes("contoso").await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].origin, store::authority::Origin::Directory);
    // The same file again proposes nothing new.
    let (applied, _) = store.apply(&directory, "lee").await.unwrap();
    assert!(applied.proposals.is_empty());
    let proposed: Value = open[0].statement.document();
    assert_eq!(proposed["approvers"].as_array().unwrap().len(), 2);
    lockbox.finish().await;
}

async fn reviewed(lockbox: &Lockbox) -> Uuid {
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_signature_with_a_key_of_the_authority_in_force_opens_access_in_a_founded_tenant() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let founded = found(&lockbox, "contoso", &["alex", "kim"], |_| {}).await;
    let (request, other) = (reviewed(&lockbox).await, reviewed(&lockbox).await);
    let outcome = async |decide: &Decide| lockbox.outcome(Kind::CustomerDecide, decide).await;
    let sign = async |decide: Decide| founded.signed_decision(&lockbox, decide).await;
    let yes = lockbox.decision(request, "alex", Approve).await;
    assert_eq!(outcome(&yes).await, "signature_required", "naming a person is not enough");
    assert_eq!(outcome(&Decide { verdict: Deny, ..yes.clone() }).await, "signature_required");
    // Signed for another request, person, verdict, comment or duration.
    let elsewhere = sign(lockbox.decision(other, "alex", Approve).await).await;
    assert_eq!(outcome(&Decide { request, ..elsewhere.clone() }).await, "signature_invalid");
    assert_eq!(outcome(&Decide { by: "kim".into(), ..elsewhere }).await, "nonce_invalid");
    let no = sign(Decide { verdict: Deny, ..yes.clone() }).await;
    assert_eq!(outcome(&Decide { verdict: Approve, ..no }).await, "signature_invalid");
    let signed = sign(yes.clone()).await;
    let reworded = Decide { comment: Some("other words".into()), ..signed.clone() };
    assert_eq!(outcome(&reworded).await, "signature_invalid");
    assert_eq!(outcome(&Decide { duration_seconds: Some(5), ..signed.clone() }).await, "signature_invalid");
    // A key that is not in the authority, and one of another approver.
    let mut forged = signed.clone();
    let made = forged.signature.as_mut().unwrap();
    made.assertion = Device::new().sign(&made.decision.challenge());
    assert_eq!(outcome(&forged).await, "signature_invalid");
    let mut borrowed = signed.clone();
    let made = borrowed.signature.as_mut().unwrap();
    made.assertion = founded.devices["kim"].sign(&made.decision.challenge());
    assert_eq!(outcome(&borrowed).await, "signature_invalid");
    // A nonce that is too old.
    let late = sign(yes.clone()).await;
    let nonce = late.signature.as_ref().unwrap().decision.nonce.clone();
    sqlx::query("update signing_nonces set not_after = not_after - interval '3 minutes' where nonce = $1")
        .bind(nonce)
        .execute(&lockbox.pool)
        .await
        .unwrap();
    assert_eq!(outcome(&late).await, "nonce_invalid");
    assert_eq!(lockbox.view(request).await.state, "pending_customer");

    let said = outcome(&signed).await;
    assert!(said == "request.customer_approved" || said == "grant.activated", "{said}");
    lockbox.until(request, "active").await;
    assert_ne!(outcome(&signed).await, "request.customer_approved", "a nonce counts once");
    let event = lockbox.event(request, "request.customer_approved").await;
    let made = signed.signature.clone().unwrap();
    assert_eq!(event["signature"], serde_json::to_value(&made).unwrap());
    let committed: String =
        sqlx::query_scalar(COMMITTED).bind(signed.comment_salt.unwrap()).fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(Some(committed), made.decision.comment, "the event commits to what was signed");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_an_unsigned_approval_in_a_founded_tenant() {
    const APPROVE: &str = "insert into decisions (request, stage, person, side, role, verdict, digest, channel, duration_seconds, decided_at) \
                           select r.id, 'customer', p.id, 'customer', 'approver', 'approve', r.digest, 'sql', 60, clock_timestamp() \
                           from requests r, people p where r.id = $1 and p.name = 'alex'";
    let lockbox = Lockbox::with_roles(&ROLES).await;
    found(&lockbox, "contoso", &["alex"], |_| {}).await;
    let request = reviewed(&lockbox).await;
    let refused = sqlx::query(APPROVE).bind(request).execute(&lockbox.pool).await.unwrap_err();
    let constraint = refused.as_database_error().and_then(|fault| fault.constraint().map(str::to_owned));
    assert_eq!(constraint.as_deref(), Some("decisions_signature"));
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_was_removed_decides_no_more_and_is_signed_out() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let founded = found(&lockbox, "contoso", &["alex", "kim", "noor"], |_| {}).await;
    let request = reviewed(&lockbox).await;
    let mut yes = lockbox.decision(request, "noor", Approve).await;
    let decision = to_sign(&lockbox, &mut yes, ("contoso", 1)).await;
    let assertion = founded.devices["noor"].sign(&decision.challenge());
    let yes = Decide { signature: Some(consent::SignedDecision { decision, assertion }), ..yes };
    let recorded =
        founded.change(&lockbox, &["alex", "kim"], |next| next.approvers.retain(|one| one.name != "noor")).await;
    assert_eq!(recorded.in_force_from, recorded.recorded_at, "removing an approver takes effect at once");
    assert_eq!(lockbox.outcome(Kind::CustomerDecide, &yes).await, "signature_invalid");
    assert_eq!(approvers(&lockbox, "contoso").await, ["alex", "kim"]);
    let signed = founded.signed_decision(&lockbox, lockbox.decision(request, "alex", Approve).await).await;
    lockbox.outcome(Kind::CustomerDecide, &signed).await;
    lockbox.until(request, "active").await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_vendor_has_an_authority_its_managers_sign_too() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let founded = found(&lockbox, "vendor", &["morgan"], |_| {}).await;
    let request = lockbox.submit(&submission()).await;
    let yes = lockbox.decision(request, "morgan", Approve).await;
    assert_eq!(lockbox.outcome(Kind::VendorDecide, &yes).await, "signature_required");
    let signed = founded.signed_decision(&lockbox, yes).await;
    assert_eq!(lockbox.outcome(Kind::VendorDecide, &signed).await, "request.vendor_approved");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_glass_policy_of_a_statement_counts_from_its_time_and_while_it_is_in_force() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let tenants = lockbox.store.tenants().await.unwrap();
    let contoso = tenants.into_iter().find(|tenant| tenant.name == "contoso").unwrap().id.0;
    let until = lockbox.store.clock().await.unwrap() + chrono::TimeDelta::days(30);
    let rule = consent::BreakGlassRule {
        v: 1,
        policy: Uuid::now_v7(),
        tenant: contoso,
        name: "night".into(),
        services: vec!["exchange_online".into()],
        ceiling_seconds: 3600,
        quota: 3,
        until: consent::time_text(until),
    };
    let founded = found(&lockbox, "contoso", &["alex", "kim"], |statement| {
        statement.break_glass = vec![rule.clone()];
    })
    .await;
    let policies = lockbox.store.policies(contoso).await.unwrap();
    assert_eq!((policies.len(), policies[0].policy.name.as_str()), (1, "night"));
    let mut data = submission();
    data["break_glass"] = "night".into();
    let request = lockbox.submit(&data).await;
    let document = serde_json::to_value(&rule).unwrap().to_string();
    let digest = lockbox.event(request, "request.submitted").await["break_glass_digest"].clone();
    assert_eq!(
        digest,
        domain::Digest::of(document.as_bytes()).to_string(),
        "the digest is that of the statement's document"
    );
    founded.change(&lockbox, &["alex", "kim"], |next| next.break_glass.clear()).await;
    for manager in ["morgan", "jo"] {
        lockbox.decide(Kind::VendorDecide, request, manager, Approve).await;
    }
    assert_ne!(lockbox.view(request).await.state, "active", "the policy was removed before the approvals");
    lockbox.finish().await;
}
