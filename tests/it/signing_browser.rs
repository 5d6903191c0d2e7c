//! Signed decisions of a founded tenant, in a real browser and on the command line, and the recovery of lost keys.

use contracts::Kind;
use domain::Verdict;
use serde_json::Value;
use uuid::Uuid;

use crate::browser::Browsers;
use crate::founded::found;
use crate::founding_browser;
use crate::harness::{Lockbox, ROLES, submission};
use crate::person::Site;

async fn reviewed(lockbox: &Lockbox) -> Uuid {
    let id = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, id, "morgan", Verdict::Approve).await;
    id
}

/// Verifies the signature of a decision as anybody can, from the events and the statement alone.
async fn signer(lockbox: &Lockbox, request: Uuid, step: &str) -> String {
    let statement = lockbox.store.statement_in_force("contoso").await.unwrap().unwrap();
    let submitted = lockbox.event(request, "request.submitted").await;
    lockbox.event(request, step).await;
    // The exact bytes, in which a comment is its commitment.
    let body: Vec<u8> = sqlx::query_scalar("select body from audit_events where request = $1 and type = $2")
        .bind(request)
        .bind(step)
        .fetch_one(&lockbox.pool)
        .await
        .unwrap();
    let event: Value = serde_json::from_slice(&body).unwrap();
    evidence::decisions::signer(&statement, &event, Some(&submitted["content"])).unwrap().name
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_signs_an_approval_and_a_denial_in_the_browser_and_an_unsigned_one_is_refused() {
    let mut lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    lockbox.settings.mail.portal_url.clone_from(&site.origin);
    lockbox.start(&ROLES).await;
    let browsers = Browsers::start("signing").await;
    let alex = browsers.open(1280, "light").await;
    alex.add_authenticator().await;
    founding_browser::found(&alex, &site, &founding_browser::invite(&lockbox).await).await;
    let id = reviewed(&lockbox).await;
    alex.go(&format!("{}/sign-in?next=/requests/{id}", site.origin)).await;
    alex.press("Alex Novak").await;
    alex.until_it_shows("Your decision").await;
    alex.enter("comment", "only the  inbox,\nplease ").await;
    alex.press("Approve").await;
    alex.until_it_shows("signed with a passkey").await;
    lockbox.until(id, "active").await;
    assert_eq!(signer(&lockbox, id, "request.customer_approved").await, "alex");

    let denied = reviewed(&lockbox).await;
    alex.go(&format!("{}/requests/{denied}", site.origin)).await;
    alex.press("Deny").await;
    alex.until_it_shows("signed with a passkey").await;
    assert_eq!(signer(&lockbox, denied, "request.customer_denied").await, "alex");

    // A page that shows something else than what the digest stands for is not signed.
    let changed = reviewed(&lockbox).await;
    alex.go(&format!("{}/requests/{changed}", site.origin)).await;
    alex.script("document.querySelector('[data-content=resource]').textContent = 'harmless@contoso.example'").await;
    alex.press("Approve").await;
    alex.until_it_shows("This page does not show the content that you would sign").await;
    let unsigned = lockbox.decide(Kind::CustomerDecide, changed, "alex", Verdict::Approve).await;
    assert_eq!(unsigned, "signature_required");
    alex.close().await;
    browsers.stop();
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_signs_with_a_software_key_after_showing_the_request() {
    let mut lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    lockbox.settings.mail.portal_url.clone_from(&site.origin);
    lockbox.start(&ROLES).await;
    let founded = found(&lockbox, "contoso", &["alex"], |statement| {
        statement.rules.software_keys = true;
        statement.portal = consent::Portal { origin: site.origin.clone(), rp_id: "localhost".into() };
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alex.pem").display().to_string();
    let (code, printed, _) = site.command(&["key", "create", &file, "-o", "json"]);
    assert_eq!(code, 0, "{printed}");
    let key: consent::Key = serde_json::from_str(&printed).unwrap();
    let id = reviewed(&lockbox).await.to_string();
    let approve = |more: &[&str]| site.command(&[&["request", "approve", &id, "--as", "alex"], more].concat());
    let (code, _, said) = approve(&[]);
    assert!(code == 4 && said.contains("signature"), "{code} {said}");
    let (code, _, said) = approve(&["--key", &file, "--yes"]);
    assert_eq!(code, 4, "the key is not in the authority yet: {said}");
    founded.change(&lockbox, &["alex"], |next| next.approvers[0].keys.push(key.clone())).await;
    let (code, _, said) = approve(&["--key", &file]);
    assert!(code == 2 && said.contains("--yes"), "without a terminal nobody confirms: {code} {said}");
    let (code, shown, said) = approve(&["--key", &file, "--yes", "--comment", "go ahead", "--duration", "30s"]);
    assert_eq!(code, 0, "{said}");
    assert!(shown.contains("finance@contoso.example") && shown.contains("mail is stuck"), "{shown}");
    let request: Uuid = id.parse().unwrap();
    lockbox.until(request, "active").await;
    assert_eq!(signer(&lockbox, request, "request.customer_approved").await, "alex");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_lost_the_passkey_recovers_with_the_code_after_the_delay() {
    let mut lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    lockbox.settings.mail.portal_url.clone_from(&site.origin);
    lockbox.start(&ROLES).await;
    let browsers = Browsers::start("recovery").await;
    let lost = browsers.open(1280, "light").await;
    lost.add_authenticator().await;
    let code = founding_browser::found(&lost, &site, &founding_browser::invite(&lockbox).await).await;
    lost.close().await;
    let alex = browsers.open(1280, "light").await;
    alex.add_authenticator().await;
    alex.go(&format!("{}/sign-in?next=/passkeys", site.origin)).await;
    alex.press("Alex Novak").await;
    alex.enter("name", "New phone").await;
    alex.press("Add passkey").await;
    alex.until_it_shows("never used").await;
    alex.go(&format!("{}/authority", site.origin)).await;
    alex.press("Propose passkey").await;
    alex.until_it_shows("Alex gets the key").await;
    alex.click("//summary[contains(., 'I lost my keys')]").await;
    alex.enter("recovery_code", &code.to_lowercase()).await;
    alex.press("Sign change").await;
    alex.until_it_shows("Pending change").await;
    // A day passes.
    for change in [
        "alter table authorities disable trigger user",
        "update authorities set recorded_at = recorded_at - interval '25 hours', in_force_from = in_force_from - interval '25 hours'",
        "alter table authorities enable trigger user",
    ] {
        sqlx::query(change).execute(&lockbox.pool).await.unwrap();
    }
    alex.go(&format!("{}/authority", site.origin)).await;
    alex.until_it_shows("Statement in force (version 2)").await;
    let id = reviewed(&lockbox).await;
    alex.go(&format!("{}/requests/{id}", site.origin)).await;
    alex.press("Approve").await;
    alex.until_it_shows("signed with a passkey").await;
    lockbox.until(id, "active").await;
    alex.close().await;
    browsers.stop();
    site.close();
    lockbox.finish().await;
}
