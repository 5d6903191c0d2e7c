//! Every page × every kind of person: what each gets is written down, and a page without a line here fails.

use domain::Verdict;
use lockbox::portal::ROUTES;
use store::audit::AuditFilter;

use crate::harness::{Lockbox, ROLES, submission};
use crate::person::Site;

/// Who looks: nobody, the engineer who asked, another engineer, the manager, the vendor's auditor, the tenant's
/// approver, another tenant's approver.
const WHO: [&str; 7] = ["", "Robin Hale", "Sam Ortiz", "Morgan Reyes", "Lee Okafor", "Alex Novak", "Dana Whitfield"];

/// What each gets, in the order of [`WHO`]. 303 for nobody is the way to the sign-in page; 404 is both missing and
/// forbidden. Forms are sent without their token: 403 means that the person came as far as the token.
const EXPECTED: [(&str, &str, [u16; 7]); 19] = [
    ("GET", "/", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/sign-in", [200, 200, 200, 200, 200, 200, 200]),
    ("POST", "/sign-in", [404, 404, 404, 404, 404, 404, 404]),
    ("GET", "/sign-in/start", [404, 404, 404, 404, 404, 404, 404]),
    ("GET", "/sign-in/callback", [404, 404, 404, 404, 404, 404, 404]),
    ("POST", "/sign-out", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/requests", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/requests/new", [303, 200, 200, 404, 404, 404, 404]),
    ("POST", "/requests", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/requests/{id}", [303, 200, 404, 200, 200, 200, 404]),
    ("GET", "/requests/{id}/live", [303, 200, 404, 200, 200, 200, 404]),
    ("POST", "/requests/{id}/decision", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/requests/{id}/end", [303, 403, 403, 403, 403, 403, 403]),
    ("POST", "/requests/{id}/withdrawal", [303, 403, 403, 403, 403, 403, 403]),
    ("GET", "/audit", [303, 404, 404, 200, 200, 200, 200]),
    ("GET", "/audit/export", [303, 404, 404, 200, 200, 200, 200]),
    ("GET", "/audit/{id}", [303, 404, 404, 200, 200, 200, 404]),
    ("GET", "/mailbox", [200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/assets/{file}", [200, 200, 200, 200, 200, 200, 200]),
];

/// What the actions answer to each, with a good token: 303 is done (for nobody: sign in first), 409 a refusal by the
/// rules, 404 not theirs to see.
const ACTIONS: [(&str, [u16; 7]); 3] = [
    ("decision", [303, 409, 404, 409, 409, 303, 404]),
    ("end", [303, 303, 404, 303, 409, 303, 404]),
    ("withdrawal", [303, 303, 404, 409, 409, 409, 404]),
];

async fn approved(lockbox: &Lockbox) -> uuid::Uuid {
    let id = lockbox.submit(&submission()).await;
    let approved = lockbox.decide(contracts::Kind::ManagerDecide, id, "morgan", Verdict::Approve).await;
    assert_eq!(approved, "request.manager_approved");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_gives_each_person_what_is_written_down() {
    let written: Vec<_> = EXPECTED.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert_eq!(written, ROUTES, "a page has no expectations, or the order differs");
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let id = approved(&lockbox).await;
    lockbox.steps(id).await;
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
            let path = path.replace("{id}", &of.to_string()).replace("{file}", "style.css");
            let url = format!("{}{path}", site.origin);
            let nobody = uuid::Uuid::nil().to_string();
            let digest = "0".repeat(64);
            let form = [("form_token", "none"), ("person", &nobody), ("verdict", "approve"), ("digest", &digest)];
            let status = if path.ends_with("/live") {
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
    assert_eq!(lockbox.view(id).await.state, "awaiting_customer");
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
            if action == "end" {
                let granted = lockbox.decide(contracts::Kind::CustomerDecide, id, "kim", Verdict::Approve).await;
                assert!(granted.contains("granted") || granted.contains("approved"), "{granted}");
            }
            let person = if name.is_empty() { site.stranger() } else { site.sign_in(name).await };
            let digest = lockbox.view(id).await.digest().to_string();
            let form = [("verdict", "approve"), ("digest", digest.as_str())];
            let answered = person.fill("/", &format!("/requests/{id}/{action}"), &form).await;
            assert_eq!(answered.status.as_u16(), expected[column], "{action} by {name:?}: {}", answered.text);
        }
    }
    site.close();
    lockbox.finish().await;
}
