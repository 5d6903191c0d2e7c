//! Founding in a real browser: the code, the passkey, the first statement, and changes of the authority that follow.

use consent::{Pin, fingerprint};
use serde_json::Value;
use store::authority::Invitation;

use crate::browser::{Browser, Browsers};
use crate::harness::{Lockbox, ROLES, eventually};
use crate::person::Site;

pub(crate) async fn invite(lockbox: &Lockbox) -> Invitation {
    let alex = ("alex", "Alex Novak", "alex@contoso.example");
    lockbox.store.invite_founder("contoso", alex, "lee").await.unwrap()
}

/// Founds contoso as Alex, in a browser with an authenticator. Returns the recovery code.
pub(crate) async fn found(alex: &Browser, site: &Site, invitation: &Invitation) -> String {
    alex.go(&format!("{}/founding/{}", site.origin, invitation.link)).await;
    alex.enter("code", &invitation.code).await;
    alex.press("Continue").await;
    alex.until_it_shows("What you found").await;
    alex.press("Create passkey").await;
    alex.until_it_shows("Statement that you sign").await;
    let code = alex.script("return document.querySelector('[data-code]').textContent").await;
    // The file is offered for download; the test keeps what is in it.
    alex.script("URL.createObjectURL = (file) => { window.offered = file; return '#file'; }").await;
    alex.press("Sign and found").await;
    alex.until_it_shows("Keep the authority file").await;
    code.as_str().unwrap().to_owned()
}

async fn text(browser: &Browser, selector: &str) -> String {
    let found = browser.script(&format!("return document.querySelector('{selector}').textContent")).await;
    found.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invited_approver_founds_the_tenant_in_the_browser_and_keeps_the_fingerprint_and_the_file() {
    let mut lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    lockbox.settings.mail.portal_url.clone_from(&site.origin);
    lockbox.start(&ROLES).await;
    let browsers = Browsers::start("founding").await;
    let alex = browsers.open(1280, "light").await;
    alex.go(&format!("{}/sign-in?next=/authority", site.origin)).await;
    alex.press("Alex Novak").await;
    alex.until_it_shows("Consent not verified: this tenant has no authority of its own").await;
    let invitation = invite(&lockbox).await;
    alex.go(&format!("{}/founding/{}", site.origin, invitation.link)).await;
    alex.enter("code", "ABCD-EFGH-JKLM").await;
    alex.press("Continue").await;
    alex.until_it_shows("You have 4 more attempts").await;
    alex.add_authenticator().await;
    let code = found(&alex, &site, &invitation).await;
    assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [5; 6], "{code}");

    let authority = lockbox.store.authority("contoso").await.unwrap().unwrap();
    let founding = authority.chain.founding();
    assert_eq!(text(&alex, "[data-fingerprint]").await, fingerprint(founding), "computed in the browser");
    assert!(founding.recovery_key.is_some());
    let file = "const done = arguments[0]; window.offered.text().then(done);";
    let file = alex.script_later(file).await;
    let Pin::File(file) = Pin::parse(file.as_str().unwrap()).unwrap() else { panic!("a file") };
    assert_eq!(file.statements[0].statement, *founding);
    assert_eq!(file.statements[0].recorded_at, consent::time_text(authority.statements[0].recorded_at));

    // The link is used up, and the page of the authority shows the same fingerprint.
    alex.go(&format!("{}/founding/{}", site.origin, invitation.link)).await;
    alex.enter("code", &invitation.code).await;
    alex.press("Continue").await;
    alex.until_it_shows("This link is not valid").await;
    alex.go(&format!("{}/authority", site.origin)).await;
    alex.until_it_shows(&fingerprint(founding)).await;
    let shown = text(&alex, "body").await;
    assert!(!shown.contains("Consent not verified"), "{shown}");
    alex.close().await;
    browsers.stop();
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_weakens_protection_is_signed_waits_and_is_withdrawn_and_a_stronger_rule_applies_at_once() {
    let mut lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    lockbox.settings.mail.portal_url.clone_from(&site.origin);
    lockbox.start(&ROLES).await;
    let browsers = Browsers::start("authority").await;
    let alex = browsers.open(1280, "light").await;
    alex.add_authenticator().await;
    found(&alex, &site, &invite(&lockbox).await).await;
    alex.go(&format!("{}/sign-in?next=/authority", site.origin)).await;
    alex.press("Alex Novak").await;

    alex.click("//summary[contains(., 'Add an approver')]").await;
    alex.enter_at("//details[@id='add']//input[@name='name']", "kim").await;
    alex.press("Propose approver").await;
    alex.until_it_shows("Kim becomes an approver. (weakens protection)").await;
    alex.until_it_shows("It takes effect 1 d after it is recorded").await;
    alex.until_it_shows("0 of 1 signature").await;
    alex.press("Sign change").await;
    alex.until_it_shows("Pending change").await;
    let in_force = || async { lockbox.store.statement_in_force("contoso").await.unwrap().unwrap() };
    assert_eq!(in_force().await.version, 1, "not before the delay");
    alex.press("Withdraw pending change").await;
    alex.until_it_shows("Nothing changes").await;
    alex.press("Sign change").await;
    alex.until_it_shows("Statement in force (version 3)").await;
    let authority = lockbox.store.authority("contoso").await.unwrap().unwrap();
    let now = lockbox.store.clock().await.unwrap();
    assert!(authority.chain.pending(now).is_none());
    assert_eq!(in_force().await.approvers.len(), 1, "Kim never became an approver");

    // A shorter deadline strengthens protection: the form of the settings proposes it, and the signature applies it.
    alex.go(&format!("{}/settings", site.origin)).await;
    let field = "document.querySelector('[name=decision_deadline]')";
    alex.script(&format!("{field}.value = '6h'")).await;
    alex.press("Save rules").await;
    alex.until_it_shows("strengthens protection").await;
    let differences = text(&alex, "[data-differences]").await;
    assert!(differences.contains("rules.decision_deadline_seconds4320021600"), "{differences}");
    alex.press("Sign change").await;
    alex.until_it_shows("Statement in force (version 4)").await;
    eventually("the rule is in force", async || {
        let seconds: i64 = sqlx::query_scalar("select decision_deadline_seconds from tenants where name = 'contoso'")
            .fetch_one(&lockbox.pool)
            .await
            .unwrap();
        (seconds == 6 * 3600).then_some(())
    })
    .await;
    alex.close().await;
    browsers.stop();
    site.close();
    lockbox.finish().await;
}

/// A stranger cannot see the authority, and a statement for another portal is not recorded.
#[tokio::test(flavor = "multi_thread")]
async fn a_founding_without_the_code_or_for_another_portal_is_refused() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    let invitation = invite(&lockbox).await;
    let stranger = site.stranger();
    let path = format!("/founding/{}/statement", invitation.link);
    let device = consent::testing::Device::new();
    let mut statement = consent::testing::founding(&[&device]);
    let found = async |statement: &consent::Statement, code: &str| {
        let assertion = serde_json::to_string(&device.sign_at(&statement.portal, &statement.challenge())).unwrap();
        let statement = statement.document().to_string();
        let page = stranger.post(&path, &[("code", code), ("statement", &statement), ("assertion", &assertion)]).await;
        (page.status.as_u16(), serde_json::from_str::<Value>(&page.text).unwrap()["code"].clone())
    };
    assert_eq!(found(&statement, &invitation.code).await, (409, "authority.portal".into()));
    statement.portal = consent::Portal { origin: site.origin.clone(), rp_id: "localhost".into() };
    assert_eq!(found(&statement, "WRONG").await, (409, "invitation".into()));
    assert_eq!(
        found(&statement, &invitation.code).await,
        (409, "authority.refused".into()),
        "another person's statement"
    );
    assert!(lockbox.store.authority("contoso").await.unwrap().is_none());
    site.close();
    lockbox.finish().await;
}
