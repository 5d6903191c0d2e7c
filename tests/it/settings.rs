//! A tenant's own settings, and who decides for somebody who is away.

use std::path::Path;

use contracts::Kind;
use domain::Verdict::Approve;
use reqwest::StatusCode;
use store::audit::AuditFilter;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, body, eventually, submission};
use crate::person::{Person, Site};

const RULES: [(&str, &str); 6] = [
    ("decision_deadline", "2h"),
    ("access_default", "30m"),
    ("access_ceiling", "1h"),
    ("required_approvals", "2"),
    ("reminders", "1h"),
    ("notification_recipients", "audit@contoso.example"),
];

async fn save(person: &Person, changed: &[(&str, &str)]) -> crate::person::Page {
    let mut form = RULES.to_vec();
    for (name, value) in changed {
        form.retain(|(held, _)| held != name);
        form.push((name, value));
    }
    person.fill("/settings", "/settings", &form).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_changes_the_rules_for_requests_from_now_on_and_every_approver_is_notified() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    let before = lockbox.submit(&submission()).await;
    assert_eq!(save(&alex, &[]).await.status, StatusCode::SEE_OTHER);
    let after = lockbox.submit(&submission()).await;
    let rules = async |request| lockbox.view(request).await.content().unwrap().rules;
    assert_eq!((rules(before).await.required_approvals, rules(after).await.required_approvals), (1, 2));
    assert_eq!(rules(after).await.decision_deadline_seconds, 7200);
    let filter = AuditFilter {
        type_name: Some("directory.changed".into()),
        person: Some("alex".into()),
        limit: 1,
        ..AuditFilter::default()
    };
    let event =
        eventually("the change is in the audit log", async || lockbox.store.search_audit(&filter).await.unwrap().pop());
    let changes = body(&event.await)["changes"].to_string();
    assert!(changes.contains("required approvals from 1 to 2"), "{changes}");
    for address in ["alex@contoso.example", "kim@contoso.example"] {
        eventually(&format!("{address} is notified"), async || {
            let mails = lockbox.mailbox.mails();
            let notified = mails
                .iter()
                .any(|mail| mail.to.join(",") == address && mail.subject == "[Lockbox] Contoso Ltd: settings");
            notified.then_some(())
        })
        .await;
    }
    // What the customer set stays when the vendor applies its file again.
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
    devkit::dev::prepare(&lockbox.settings, Some(&directory)).await.unwrap();
    assert_eq!(rules(lockbox.submit(&submission()).await).await.required_approvals, 2);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_stand_are_said_and_nothing_changes() {
    let lockbox = Lockbox::with_roles(&[RoleName::Audit]).await;
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    for (field, value, said) in [
        ("required_approvals", "3", "you have 2 approvers"),
        ("required_approvals", "0", "Required approvals: must be between 1 and 10"),
        ("decision_deadline", "soon", "Decision deadline: "),
        ("access_default", "9h", "Default duration: must be between 1 and 3600"),
        ("reminders", "3h", "Reminders: must be between 1 and 7200"),
        ("notification_recipients", "a@b@c", "is not an email address"),
    ] {
        let page = save(&alex, &[(field, value)]).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("Nothing was changed") && page.text.contains(said), "{field}: {}", page.text);
    }
    let changed: bool = sqlx::query_scalar("select settings_owner = 'customer' from tenants where name = 'contoso'")
        .fetch_one(&lockbox.pool)
        .await
        .unwrap();
    assert!(!changed);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_decides_while_the_approver_is_away_and_no_longer() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    let reviewed = async || {
        let request = lockbox.submit(&submission()).await;
        lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
        request
    };
    assert_eq!(lockbox.decide(Kind::CustomerDecide, reviewed().await, "noor", Approve).await, "not_approver");
    let until =
        (lockbox.store.clock().await.unwrap() + chrono::TimeDelta::days(3)).format("%Y-%m-%dT%H:%M").to_string();
    let name = async |delegate: &str, until: &str| {
        alex.fill("/settings", "/settings/out-of-office", &[("delegate", delegate), ("until", until)]).await
    };
    assert_eq!(name("dana", &until).await.status, StatusCode::NOT_FOUND, "of another tenant");
    assert!(name("noor", "2020-01-01T00:00").await.text.contains("Until: enter a time (UTC)"), "in the past");
    assert_eq!(name("noor", &until).await.status, StatusCode::SEE_OTHER);
    assert!(alex.get("/settings").await.text.contains("Noor Haddad decides for Alex Novak"));
    let request = reviewed().await;
    lockbox.decide(Kind::CustomerDecide, request, "noor", Approve).await;
    assert_eq!(lockbox.until(request, "active").await.state, "active");
    // The moment it is over, it is over.
    sqlx::query("update delegations set until_at = clock_timestamp()").execute(&lockbox.pool).await.unwrap();
    assert_eq!(lockbox.decide(Kind::CustomerDecide, reviewed().await, "noor", Approve).await, "not_approver");
    assert_eq!(name("noor", &until).await.status, StatusCode::SEE_OTHER);
    assert_eq!(name("", "").await.status, StatusCode::SEE_OTHER, "back again");
    assert_eq!(lockbox.decide(Kind::CustomerDecide, reviewed().await, "noor", Approve).await, "not_approver");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approvers_set_who_decides_about_which_service_and_everybody_concerned_is_notified() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    let waiting = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, waiting, "morgan", Approve).await;
    let save = async |form: &[(&str, &str)]| alex.fill("/settings", "/settings/approvers", form).await;
    let nobody = save(&[("group", "empty"), ("grant", "group/empty/*")]).await;
    assert!(nobody.text.contains("approvals are required"), "{}", nobody.text);
    let form = [
        ("new_group", "night-shift"),
        ("new_member", "noor"),
        ("new_member", "dana"),
        ("grant", "person/alex/onedrive"),
        ("grant", "group/night-shift/exchange_online"),
    ];
    assert_eq!(save(&form).await.status, StatusCode::SEE_OTHER);
    let page = alex.get("/settings").await.text;
    assert!(page.contains("Members of the group night-shift"), "{page}");
    assert!(page.contains("value=\"group/night-shift/exchange_online\" checked"), "{page}");
    // The group decides about mail now, also about what waited; Alex and Kim no longer, and no stranger ever.
    for name in ["alex", "kim", "dana"] {
        let refused = lockbox.decide(Kind::CustomerDecide, waiting, name, Approve).await;
        assert!(["not_approver", "wrong_tenant"].contains(&&*refused), "{name}: {refused}");
    }
    lockbox.decide(Kind::CustomerDecide, waiting, "noor", Approve).await;
    lockbox.until(waiting, "active").await;
    for address in ["alex@contoso.example", "kim@contoso.example", "noor@contoso.example"] {
        eventually(&format!("{address} is notified"), async || {
            let mails = lockbox.mailbox.mails();
            let notified =
                |mail: &portal::mailbox::Mail| mail.to.join(",") == address && mail.text.contains("approves for");
            mails.iter().any(notified).then_some(())
        })
        .await;
    }
    // The vendor's file does not undo it.
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
    devkit::dev::prepare(&lockbox.settings, Some(&directory)).await.unwrap();
    let again = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, again, "morgan", Approve).await;
    assert_eq!(lockbox.decide(Kind::CustomerDecide, again, "kim", Approve).await, "not_approver");
    site.close();
    lockbox.finish().await;
}
