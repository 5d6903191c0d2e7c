//! Approvals, appointments and tokens in a person's name are always notified to that person and to the other approvers.

use std::process::Command;

use contracts::Kind;
use contracts::commands::RevokeAccess;
use contracts::directory::Directory;
use contracts::envelope::{About, message};
use domain::Verdict::Approve;
use portal::mailbox::Mail;
use store::audit::AuditFilter;
use workers::RoleName;

use crate::authenticator::Authenticator;
use crate::harness::{Lockbox, ROLES, body, eventually, submission};
use crate::passkeys::register;
use crate::person::Site;

const ALEX: &str = "alex@contoso.example";
const KIM: &str = "kim@contoso.example";
const DANA: &str = "dana@adatum.example";
const SECURITY: &str = "security@adatum.example";

/// Runs the command line with the database login.
fn operator(lockbox: &Lockbox, arguments: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(arguments)
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .env("LOCKBOX_AMQP_URL", &lockbox.settings.amqp_url)
        .env("LOCKBOX_PREFIX", lockbox.settings.names.prefix())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Stores a command in a person's name, as a user with the database's login can do without the portal.
async fn by_database(lockbox: &Lockbox, kind: Kind, request: uuid::Uuid, data: &impl serde::Serialize) {
    let about = About { request: Some(request), channel: Some("cli/database"), ..About::default() };
    let command = message(kind, lockbox.store.clock().await.unwrap(), about, data);
    lockbox.store.enqueue(&[command]).await.unwrap();
}

/// Waits until each of these addresses has a mail with all of these words; answers with the mails, one an address.
async fn mailed(lockbox: &Lockbox, addresses: &[&str], words: &[&str]) -> Vec<Mail> {
    let mut found = Vec::new();
    for address in addresses {
        let what = format!("{address} gets a mail with {words:?}");
        let mail = eventually(&what, async || {
            let mails = lockbox.mailbox.mails();
            let fits =
                |mail: &&Mail| mail.to.join(",") == *address && words.iter().all(|words| mail.text.contains(words));
            mails.iter().find(fits).cloned()
        });
        found.push(mail.await);
    }
    found
}

async fn with_mail() -> Lockbox {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    lockbox
}

#[tokio::test(flavor = "multi_thread")]
async fn the_named_approver_gets_the_receipt_and_the_mail_about_the_grant() {
    let lockbox = with_mail().await;
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    mailed(
        &lockbox,
        &["morgan@fabrikam.example"],
        &["you approved this request", "Morgan Reyes approved for the vendor"],
    )
    .await;
    let decision = lockbox.decision(request, "alex", Approve).await;
    by_database(&lockbox, Kind::CustomerDecide, request, &decision).await;
    let receipts = mailed(&lockbox, &[ALEX, KIM], &["Alex Novak approved for the customer"]).await;
    assert!(receipts[0].text.contains("you approved this request") && receipts[0].text.contains("If this was not you"));
    assert!(receipts[1].text.contains("Alex Novak approved this request"), "{}", receipts[1].text);
    for receipt in &receipts {
        assert!(receipt.text.contains("Channel: the vendor's command line"), "{}", receipt.text);
        assert!(receipt.text.contains("anyone with the database login can act as any person"), "{}", receipt.text);
        let event = lockbox.event(request, "request.customer_approved").await;
        assert_eq!(event["actor"]["auth"]["signed_in"], "database");
    }
    mailed(&lockbox, &[ALEX, KIM, "robin@fabrikam.example"], &["Access was granted"]).await;
    let end = RevokeAccess { request, by: "alex".into(), comment: None };
    by_database(&lockbox, Kind::GrantRevoke, request, &end).await;
    mailed(&lockbox, &[ALEX, KIM], &["Access has ended", "Alex Novak ended the access"]).await;
    lockbox.finish().await;
}

fn directory(adatum: &str) -> Directory {
    serde_saphyr::from_str(&format!(
        "tenants: [{{name: adatum, display_name: Adatum Corporation, notification_recipients: [{SECURITY}], \
         rules: {{review_deadline: 30s, decision_deadline: 6s, access_default: 5s, access_ceiling: 60s}}, {adatum}}}]"
    ))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_change_by_the_operator_is_mailed_to_old_and_new_approvers_and_recipients() {
    let lockbox = with_mail().await;
    let apply = async |adatum: &str| lockbox.store.apply(&directory(adatum), "lee").await.unwrap();
    let dana = "{name: dana, display_name: Dana Whitfield, email: dana@adatum.example}";
    let mallory = "{name: mallory, display_name: Mallory Vance, email: mallory@adatum.example}";
    apply(&format!("people: [{dana}, {mallory}], approvers: [{{person: dana}}, {{person: mallory}}]")).await;
    let mails = mailed(&lockbox, &[DANA, SECURITY, "mallory@adatum.example"], &["mallory", "added"]).await;
    assert!(
        mails[0].text.contains("The operator changed the directory")
            && mails[0].text.contains("If you did not expect this")
    );
    assert!(mails[0].text.contains("Changed by: lee"), "{}", mails[0].text);

    // Another address for an approver: both get it.
    let moved = dana.replace(DANA, "dana@elsewhere.example");
    apply(&format!("people: [{moved}, {mallory}], approvers: [{{person: dana}}, {{person: mallory}}]")).await;
    mailed(
        &lockbox,
        &[DANA, "dana@elsewhere.example", SECURITY, "mallory@adatum.example"],
        &["dana@elsewhere.example"],
    )
    .await;

    // Disabled, and no approver any more: the row no longer finds them, the mail does.
    let before = lockbox.mailbox.mails().len();
    let disabled = moved.replace("email", "enabled: false, email");
    apply(&format!("people: [{disabled}, {mallory}], approvers: [{{person: mallory}}]")).await;
    eventually("the disabled person is notified", async || {
        let mails = lockbox.mailbox.mails();
        mails[before..].iter().any(|mail| mail.to.join(",") == "dana@elsewhere.example").then_some(())
    })
    .await;

    // Notification recipients before the change hear of it.
    let mut quiet = directory(&format!("people: [{disabled}, {mallory}], approvers: [{{person: mallory}}]"));
    quiet.tenants[0].notification_recipients.clear();
    let before = lockbox.mailbox.mails().len();
    lockbox.store.apply(&quiet, "lee").await.unwrap();
    eventually("the removed address is notified", async || {
        let mails = lockbox.mailbox.mails();
        mails[before..].iter().any(|mail| mail.to.join(",") == SECURITY).then_some(())
    })
    .await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_managers_are_notified_of_a_new_manager() {
    let lockbox = with_mail().await;
    let text = "vendor: {people: [{name: mallory, display_name: Mallory Vance, email: mallory@fabrikam.example, roles: [manager]}]}";
    lockbox.store.apply(&serde_saphyr::from_str(text).unwrap(), "lee").await.unwrap();
    let addresses = ["morgan@fabrikam.example", "jo@fabrikam.example", "mallory@fabrikam.example"];
    mailed(&lockbox, &addresses, &["The operator changed the directory", "mallory"]).await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_api_token_is_in_the_tenants_log_and_mailed_to_the_person_and_the_approvers() {
    let lockbox = with_mail().await;
    operator(&lockbox, &["token", "add", "robot", "--person", "alex", "--scope", "decisions:write"]);
    let mails =
        mailed(&lockbox, &[ALEX, KIM], &["An API token was created", "\u{201c}robot\u{201d} for decisions:write"])
            .await;
    assert!(mails[0].text.contains("If this was not you") && mails[1].text.contains("ask Alex Novak and operator"));
    let filter = AuditFilter {
        type_name: Some("token.added".into()),
        tenant: Some("contoso".into()),
        limit: 1,
        ..AuditFilter::default()
    };
    let event =
        eventually("the tenant's log has it", async || lockbox.store.search_audit(&filter).await.unwrap().pop());
    assert!(body(&event.await)["note"].as_str().unwrap().contains("of alex"));
    let id = lockbox.store.tokens().await.unwrap().pop().unwrap().id.to_string();
    operator(&lockbox, &["token", "revoke", &id]);
    mailed(&lockbox, &[ALEX, KIM], &["An API token was revoked", "\u{201c}robot\u{201d}"]).await;
    // A program's token acts as nobody.
    let before = lockbox.mailbox.mails().len();
    operator(&lockbox, &["token", "add", "ticketing", "--scope", "requests:write"]);
    lockbox.until_idle().await;
    assert_eq!(lockbox.mailbox.mails().len(), before);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_passkey_a_delegate_and_changed_recipients_are_mailed_to_everyone_affected() {
    let lockbox = with_mail().await;
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    assert_eq!(register(&alex, &Authenticator::new()).await.as_u16(), 303);
    let mails = mailed(&lockbox, &[ALEX, KIM], &["A passkey was added", "\u{201c}Laptop\u{201d}"]).await;
    assert!(mails[0].text.contains("Channel: the portal") && mails[0].text.contains("If this was not you"));
    assert!(mails[0].text.contains("the development sign-in"), "{}", mails[0].text);
    let credential = &lockbox.store.passkeys(lockbox_person(&lockbox, "alex").await).await.unwrap()[0].credential;
    let removed = alex.fill("/passkeys", "/passkeys/removal", &[("credential", credential)]).await;
    assert_eq!(removed.status.as_u16(), 303, "{}", removed.text);
    mailed(&lockbox, &[ALEX, KIM], &["A passkey was removed", "\u{201c}Laptop\u{201d}"]).await;

    let until =
        (lockbox.store.clock().await.unwrap() + chrono::TimeDelta::days(2)).format("%Y-%m-%dT%H:%M").to_string();
    let away = alex.fill("/settings", "/settings/out-of-office", &[("delegate", "noor"), ("until", &until)]).await;
    assert_eq!(away.status.as_u16(), 303, "{}", away.text);
    mailed(&lockbox, &[ALEX, KIM, "noor@contoso.example"], &["oor is the delegate of alex until"]).await;
    alex.fill("/settings", "/settings/out-of-office", &[("delegate", "")]).await;
    mailed(&lockbox, &[ALEX, KIM, "noor@contoso.example"], &["he delegation of alex ended"]).await;

    let dana = site.sign_in("Dana Whitfield").await;
    let form = [
        ("decision_deadline", "2h"),
        ("access_default", "30m"),
        ("access_ceiling", "1h"),
        ("required_approvals", "1"),
        ("notification_recipients", "elsewhere@adatum.example"),
    ];
    assert_eq!(dana.fill("/settings", "/settings", &form).await.status.as_u16(), 303);
    let addresses = [DANA, SECURITY, "elsewhere@adatum.example"];
    mailed(&lockbox, &addresses, &["Settings changed", "elsewhere@adatum.example"]).await;
    site.close();
    lockbox.finish().await;
}

async fn lockbox_person(lockbox: &Lockbox, name: &str) -> uuid::Uuid {
    let people = lockbox.store.enabled_people().await.unwrap();
    people.iter().find(|person| person.name == name).unwrap().id.0
}
