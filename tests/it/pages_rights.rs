//! Every page × every kind of person: what each gets is written down, and a page without a line here fails.

use domain::Verdict;
use portal::routes;
use store::audit::AuditFilter;

use crate::harness::{Lockbox, ROLES, submission};
use crate::person::Site;

/// Who looks: nobody, the engineer who asked, another engineer, the manager, the vendor's auditor, the tenant's
/// approver, another tenant's approver.
const WHO: [&str; 7] = ["", "Robin Hale", "Sam Ortiz", "Morgan Reyes", "Lee Okafor", "Alex Novak", "Dana Whitfield"];

/// What each gets, in the order of [`WHO`]. 303 for nobody is the way to the sign-in page; 404 is both missing and
/// forbidden. Forms are sent without their token: 403 means that the person came as far as the token.
const EXPECTED: [(&str, &str, [u16; 7]); 63] = [
    ("GET", "/", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/updates", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/sign-in", [200, 200, 200, 200, 200, 200, 200]),
    ("POST", "/sign-in", [404, 404, 404, 404, 404, 404, 404]),
    ("GET", "/sign-in/start", [404, 404, 404, 404, 404, 404, 404]),
    ("GET", "/sign-in/callback", [404, 404, 404, 404, 404, 404, 404]),
    ("POST", "/sign-out", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/requests", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/requests/new", [303, 200, 200, 404, 404, 404, 404]),
    ("POST", "/requests", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/requests/preview", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/requests/{id}", [303, 200, 404, 200, 200, 200, 404]),
    ("GET", "/requests/{id}/updates", [303, 200, 404, 200, 200, 200, 404]),
    ("POST", "/requests/{id}/decision", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/requests/{id}/signing", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/requests/{id}/revocation", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/requests/{id}/withdrawal", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/requests/{id}/comments", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/requests/{id}/report", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/requests/{id}/access-token", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/grants", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/grants/updates", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/audit", [303, 404, 404, 200, 200, 200, 200]),
    ("GET", "/audit/export", [303, 404, 404, 200, 200, 200, 200]),
    ("GET", "/audit/bundle", [303, 404, 404, 200, 200, 200, 200]),
    ("POST", "/audit/searches", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/audit/searches/removal", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/audit/{id}", [303, 404, 404, 200, 200, 200, 404]),
    ("GET", "/audit/{id}/proof", [303, 404, 404, 200, 200, 200, 404]),
    ("GET", "/passkeys", [303, 200, 200, 200, 200, 200, 200]),
    ("POST", "/passkeys", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/passkeys/options", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/passkeys/removal", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/tokens", [303, 200, 200, 200, 200, 200, 200]),
    ("POST", "/tokens", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/tokens/revocation", [303, 400, 400, 400, 400, 400, 400]),
    ("GET", "/founding/{token}", [200, 200, 200, 200, 200, 200, 200]),
    ("POST", "/founding/{token}", [400, 400, 400, 400, 400, 400, 400]),
    ("POST", "/founding/{token}/statement", [400, 400, 400, 400, 400, 400, 400]),
    ("GET", "/authority", [303, 404, 404, 200, 404, 200, 200]),
    ("GET", "/authority/file", [303, 404, 404, 404, 404, 404, 404]),
    ("POST", "/authority/changes", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/authority/changes/{id}", [303, 404, 404, 404, 404, 404, 404]),
    ("POST", "/authority/changes/{id}/signatures", [303, 400, 400, 400, 400, 400, 400]),
    ("POST", "/authority/changes/{id}/withdrawal", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/settings", [303, 404, 404, 404, 404, 200, 200]),
    ("POST", "/settings", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/settings/out-of-office", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/settings/approvers", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/settings/webhooks", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/settings/webhooks/removal", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/settings/webhooks/rotation", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/settings/webhooks/redelivery", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/settings/webhooks/{id}", [303, 404, 404, 404, 404, 404, 404]),
    ("POST", "/settings/break-glass", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/settings/break-glass/revocation", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/installation", [303, 404, 404, 200, 200, 404, 404]),
    ("GET", "/mailbox", [200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/assets/{file}", [200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/verify.html", [200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/.well-known/lockbox/{tenant}/checkpoint", [200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/.well-known/lockbox/{tenant}/keys", [200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/.well-known/lockbox/{tenant}/tile/{*path}", [404, 404, 404, 404, 404, 404, 404]),
];

/// What the actions answer to each, with a good token: 303 is done (for nobody: sign in first), 409 a refusal by the
/// rules, 404 not theirs to see.
const ACTIONS: [(&str, [u16; 7]); 6] = [
    ("decision", [303, 409, 404, 409, 409, 303, 404]),
    ("revocation", [303, 303, 404, 303, 409, 303, 404]),
    ("withdrawal", [303, 303, 404, 409, 409, 409, 404]),
    ("comments", [303, 303, 404, 303, 409, 303, 404]),
    ("access-token", [303, 200, 404, 404, 404, 404, 404]),
    ("report", [303, 409, 404, 409, 409, 303, 404]),
];

/// Path, fields, and what each gets.
type Form = (&'static str, &'static [(&'static str, &'static str)], [u16; 7]);

/// What the forms that are about no request answer to each, with a good token: 200 is the page again or a new one, 303
/// is done, 404 not theirs, 409 a refusal.
const FORMS: [Form; 8] = [
    ("/requests/preview", &[("tenant", "contoso")], [303, 200, 200, 404, 404, 404, 404]),
    ("/audit/searches", &[("name", "x"), ("query", "")], [303, 404, 404, 303, 303, 303, 303]),
    ("/audit/searches/removal", &[("name", "x")], [303, 404, 404, 303, 303, 303, 303]),
    ("/passkeys/removal", &[("credential", "x")], [303, 404, 404, 404, 404, 404, 404]),
    ("/settings/out-of-office", &[("delegate", "")], [303, 404, 404, 404, 404, 303, 303]),
    ("/settings", &[], [303, 404, 404, 404, 404, 200, 200]),
    ("/settings/approvers", &[], [303, 404, 404, 404, 404, 200, 200]),
    ("/settings/webhooks", &[("name", "x"), ("url", "https://10.0.0.1/")], [303, 404, 404, 404, 404, 200, 200]),
];

async fn approved(lockbox: &Lockbox) -> uuid::Uuid {
    let id = lockbox.submit(&submission()).await;
    let approved = lockbox.decide(contracts::Kind::VendorDecide, id, "morgan", Verdict::Approve).await;
    assert_eq!(approved, "request.vendor_approved");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_gives_each_person_what_is_written_down() {
    let written: Vec<_> = EXPECTED.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert_eq!(written, routes(), "a page has no expectations, or the order differs");
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let id = approved(&lockbox).await;
    lockbox.steps(id).await;
    for tenant in [None, Some("contoso"), Some("adatum")] {
        crate::harness::eventually("the log is signed", async || {
            let log = lockbox.store.completeness(tenant).await.unwrap();
            log.checkpoint.filter(|signed| log.waiting == 0 && signed.size == log.entries).map(drop)
        })
        .await;
    }
    let filter = AuditFilter {
        request: Some(id),
        type_name: Some("request.submitted".into()),
        limit: 1,
        ..AuditFilter::default()
    };
    let event = lockbox.store.search_audit(&filter).await.unwrap().pop().unwrap();
    for (column, name) in WHO.iter().enumerate() {
        let person = if name.is_empty() { site.stranger() } else { site.sign_in(name).await };
        for (method, path, expected) in EXPECTED {
            let of = if path.starts_with("/audit/{") { event.id } else { id };
            let path = path
                .replace("{id}", &of.to_string())
                .replace("{file}", "style.css")
                .replace("{tenant}", "contoso")
                .replace("{*path}", "0/000.p/1");
            let url = format!("{}{path}", site.origin);
            let nobody = uuid::Uuid::nil().to_string();
            let digest = "0".repeat(64);
            let form = [
                ("form_token", "none"),
                ("person", &nobody),
                ("verdict", "approve"),
                ("digest", &digest),
                ("name", "x"),
                ("answer", "x"),
                ("credential", "x"),
                ("delegate", ""),
                ("url", "x"),
                ("id", &nobody),
                ("event", &nobody),
            ];
            let status = if path.ends_with("/updates") {
                let asked = person.client.get(&url).header("cookie", &person.cookie).send().await.unwrap();
                asked.status()
            } else if method == "GET" {
                person.get(&path).await.status
            } else {
                person.post(&path, &form).await.status
            };
            assert_eq!(status.as_u16(), expected[column], "{method} {path} for {name:?}");
        }
    }
    assert_eq!(lockbox.view(id).await.state, "pending_customer");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_answers_each_person_as_written_down() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    for (action, expected) in ACTIONS {
        for (column, name) in WHO.iter().enumerate() {
            let id = approved(&lockbox).await;
            if matches!(action, "revocation" | "report" | "access-token") {
                let granted = lockbox.decide(contracts::Kind::CustomerDecide, id, "kim", Verdict::Approve).await;
                assert!(["grant.activated", "request.customer_approved"].contains(&&*granted), "{granted}");
            }
            if action == "report" {
                let data = contracts::commands::RevokeAccess { request: id, by: "robin".into(), comment: None };
                lockbox.outcome(contracts::Kind::GrantRevoke, &data).await;
                lockbox.until_provisioning(id, "revoked").await;
            }
            let person = if name.is_empty() { site.stranger() } else { site.sign_in(name).await };
            let digest = lockbox.view(id).await.digest().to_string();
            let form =
                [("verdict", "approve"), ("digest", digest.as_str()), ("comment", "why?"), ("response", "acknowledge")];
            let answered = person.fill("/", &format!("/requests/{id}/{action}"), &form).await;
            assert_eq!(answered.status.as_u16(), expected[column], "{action} by {name:?}: {}", answered.text);
        }
    }
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_form_answers_each_person_as_written_down() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    for (column, name) in WHO.iter().enumerate() {
        let person = if name.is_empty() { site.stranger() } else { site.sign_in(name).await };
        for (path, form, expected) in FORMS {
            let answered = person.fill("/", path, form).await;
            assert_eq!(answered.status.as_u16(), expected[column], "{path} by {name:?}: {}", answered.text);
        }
    }
    assert!(lockbox.store.webhooks(None).await.unwrap().is_empty());
    site.close();
    lockbox.finish().await;
}
