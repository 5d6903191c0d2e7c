//! Decisions signed with passkeys: what holds, what does not, and what stays for those who check later.

use consent::SignedDecision;
use contracts::Kind;
use contracts::commands::Decide;
use domain::Verdict::{Approve, Deny};
use reqwest::StatusCode;
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::Value;
use store::audit::AuditFilter;
use uuid::Uuid;

use crate::authenticator::Authenticator;
use crate::founded::to_sign;
use crate::harness::{Lockbox, ROLES, body, submission};
use crate::person::{Person, Site};

/// Where the roles believe the portal to be.
const PORTAL: &str = "http://localhost:8080";

/// Registers a passkey as a browser would.
pub(crate) async fn register(person: &Person, authenticator: &Authenticator) -> StatusCode {
    let options = person.fill("/passkeys", "/passkeys/options", &[]).await;
    assert_eq!(options.status, StatusCode::OK, "{}", options.text);
    let options: Value = serde_json::from_str(&options.text).unwrap();
    let answer = authenticator.create(&options, &person.origin).to_string();
    person.fill("/passkeys", "/passkeys", &[("name", "Laptop"), ("answer", &answer)]).await.status
}

async fn reviewed(lockbox: &Lockbox) -> Uuid {
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    request
}

/// A decision of a tenant without an authority, signed with a registered passkey.
async fn signed(lockbox: &Lockbox, mut decide: Decide, key: &mut Authenticator, origin: &str) -> Decide {
    let decision = to_sign(lockbox, &mut decide, ("contoso", 0)).await;
    let assertion = key.sign(decision.challenge(), origin);
    Decide { signature: Some(SignedDecision { decision, assertion }), ..decide }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_passkey_is_required_only_a_signature_of_this_very_decision_opens_access() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    sqlx::query("update tenants set passkey_required = true where name = 'contoso'")
        .execute(&lockbox.pool)
        .await
        .unwrap();
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    let mut key = Authenticator::new();
    assert_eq!(register(&alex, &key).await, StatusCode::SEE_OTHER);
    assert!(alex.get("/passkeys").await.text.contains("Laptop"));

    let request = reviewed(&lockbox).await;
    let yes = lockbox.decision(request, "alex", Approve).await;
    let outcome = async |decide: &Decide| lockbox.outcome(Kind::CustomerDecide, decide).await;
    assert_eq!(outcome(&yes).await, "passkey_required");
    // Another origin, another request, another verdict, another time, another key, a replayed counter.
    assert_eq!(
        outcome(&signed(&lockbox, yes.clone(), &mut key, "https://evil.example").await).await,
        "signature_invalid"
    );
    let other = lockbox.decision(reviewed(&lockbox).await, "alex", Approve).await;
    let elsewhere = signed(&lockbox, other, &mut key, PORTAL).await;
    assert_eq!(outcome(&Decide { request, ..elsewhere }).await, "signature_invalid");
    let no = signed(&lockbox, Decide { verdict: Deny, ..yes.clone() }, &mut key, PORTAL).await;
    assert_eq!(outcome(&Decide { verdict: Approve, ..no }).await, "signature_invalid");
    let short = signed(&lockbox, Decide { duration_seconds: Some(5), ..yes.clone() }, &mut key, PORTAL).await;
    assert_eq!(outcome(&Decide { duration_seconds: None, ..short }).await, "signature_invalid");
    assert_eq!(
        outcome(&signed(&lockbox, yes.clone(), &mut Authenticator::new(), PORTAL).await).await,
        "signature_invalid"
    );
    let by_kim = lockbox.decision(request, "kim", Approve).await;
    assert_eq!(outcome(&signed(&lockbox, by_kim, &mut key, PORTAL).await).await, "signature_invalid", "not Kim's key");
    assert_eq!(lockbox.view(request).await.state, "pending_customer");

    let good = signed(&lockbox, yes, &mut key, PORTAL).await;
    outcome(&good).await;
    lockbox.until(request, "active").await;
    assert!(alex.get(&format!("/requests/{request}")).await.text.contains("signed with a passkey"));

    // A counter that does not rise is a copied key.
    let again = reviewed(&lockbox).await;
    key.counter -= 1;
    let copied = lockbox.decision(again, "alex", Approve).await;
    let copied = signed(&lockbox, copied, &mut key, PORTAL).await;
    assert_eq!(outcome(&copied).await, "signature_invalid");
    // What is recorded about it are our words, not those of a library.
    let filter = AuditFilter {
        request: Some(again),
        type_name: Some("decision.refused".into()),
        limit: 1,
        ..AuditFilter::default()
    };
    let said = crate::harness::eventually("the refusal is recorded", async || {
        lockbox.store.search_audit(&filter).await.unwrap().pop()
    });
    let said = body(&said.await)["message"].as_str().unwrap().to_owned();
    assert!(said.contains("its counter did not rise") && !said.contains("compromised"), "{said}");
    let no = lockbox.decision(again, "alex", Deny).await;
    assert_eq!(outcome(&no).await, "request.customer_denied", "a no opens nothing and needs no signature");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_alone_proves_later_what_a_passkey_signed() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    let mut key = Authenticator::new();
    register(&alex, &key).await;
    let request = reviewed(&lockbox).await;
    let yes = signed(&lockbox, lockbox.decision(request, "alex", Approve).await, &mut key, PORTAL).await;
    lockbox.outcome(Kind::CustomerDecide, &yes).await;
    lockbox.steps(request).await;
    let filter = AuditFilter {
        request: Some(request),
        type_name: Some("request.customer_approved".into()),
        limit: 1,
        ..AuditFilter::default()
    };
    let data = body(&lockbox.store.search_audit(&filter).await.unwrap().pop().unwrap());

    let decode = |value: &Value| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
    };
    let signature = &data["signature"];
    let assertion = &signature["assertion"];
    let said: Value = serde_json::from_slice(&decode(&assertion["client_data"])).unwrap();
    let expected = consent::challenge("lockbox/decision/v1", &signature["decision"]);
    assert_eq!(decode(&said["challenge"]), expected, "the challenge is the decision");
    assert_eq!(signature["decision"]["digest"], data["digest"]);
    let salt = yes.comment_salt.unwrap();
    let comment = hex::encode(domain::commitment(&salt, data["comment"].as_str().unwrap()));
    assert_eq!(signature["decision"]["comment"], comment, "the signature covers the comment");
    let mut message = decode(&assertion["authenticator_data"]);
    message.extend(digest(&SHA256, &decode(&assertion["client_data"])).as_ref());
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key());
    public.verify(&message, &decode(&assertion["signature"])).unwrap();
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_registered_once_for_this_portal_and_soon_after_signing_in() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let (alex, kim) = (site.sign_in("Alex Novak").await, site.sign_in("Kim Duarte").await);
    let key = Authenticator::new();
    assert_eq!(register(&alex, &key).await, StatusCode::SEE_OTHER);
    assert_eq!(register(&kim, &key).await, StatusCode::CONFLICT, "somebody has it already");
    let options = kim.fill("/passkeys", "/passkeys/options", &[]).await;
    let options: Value = serde_json::from_str(&options.text).unwrap();
    let foreign = Authenticator::new().create(&options, "https://evil.example").to_string();
    let answer = kim.fill("/passkeys", "/passkeys", &[("name", "x"), ("answer", &foreign)]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "made at another site: {}", answer.text);
    sqlx::query("update sessions set created_at = created_at - interval '16 minutes'")
        .execute(&lockbox.pool)
        .await
        .unwrap();
    let stale = alex.fill("/passkeys", "/passkeys/options", &[]).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert!(stale.text.contains("Sign out, sign in again"));
    site.close();
    lockbox.finish().await;
}
