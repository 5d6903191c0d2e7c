//! Two grants for one resource: a person who revokes one is informed about the other, and can revoke both.

use reqwest::StatusCode;
use uuid::Uuid;
use workers::RoleName;

use crate::api::{ALL, caller};
use crate::gate::granted;
use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::person::Site;

async fn two(lockbox: &Lockbox) -> (Uuid, Uuid) {
    let mut other = submission();
    other["service_request"] = "SR-2026-004712".into();
    other["resource"] = "Finance@contoso.example".into();
    other["duration_seconds"] = 600.into();
    let mut first = submission();
    first["duration_seconds"] = 600.into();
    (granted(lockbox, &first).await, granted(lockbox, &other).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_access_shows_other_active_access_to_the_same_resource_and_can_revoke_all() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    let site = Site::open(&lockbox).await;
    let alex = site.sign_in("Alex Novak").await;
    let (first, second) = two(&lockbox).await;
    let hr = {
        let mut data = submission();
        data["resource"] = "hr@contoso.example".into();
        granted(&lockbox, &data).await
    };
    let page = |id: Uuid| format!("/requests/{id}");
    let open = alex.get(&page(first)).await.text;
    assert!(open.contains("Other access to this content") && open.contains(&page(second)), "{open}");
    assert!(open.contains("Revoke all access to this content") && !open.contains(&page(hr)));
    assert!(!alex.get(&page(hr)).await.text.contains("Other access to this content"));
    let ended = alex.fill(&page(first), &format!("{}/revocation", page(first)), &[]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    assert_eq!(lockbox.view(second).await.state, "active", "the other one stays");
    let after = alex.get(&page(first)).await.text;
    assert!(after.contains("This access has ended. Other access to the same content is still active"), "{after}");
    let mail = eventually("a mail about the other access", async || {
        let mails = lockbox.mailbox.mails();
        mails.into_iter().find(|mail| mail.text.contains("Access to the same content is still active"))
    })
    .await;
    assert!(mail.text.contains("still active under 1 other request"), "{}", mail.text);
    // From the page of the one that has ended.
    let all = alex.fill(&page(first), &format!("{}/revocation", page(first)), &[("all", "yes")]).await;
    assert_eq!(all.status, StatusCode::SEE_OTHER, "{}", all.text);
    assert_eq!(lockbox.view(second).await.state, "ended");
    assert_eq!(lockbox.view(hr).await.state, "active", "other content is left alone");
    assert!(!alex.get(&page(first)).await.text.contains("Other access to this content"));
    let mails = async |request: Uuid| {
        let link = page(request);
        lockbox
            .mailbox
            .mails()
            .into_iter()
            .filter(|mail| mail.text.contains(&link) && mail.text.contains("ccess has ended"))
            .collect::<Vec<_>>()
    };
    eventually("the end of the last one is mailed", async || (!mails(second).await.is_empty()).then_some(())).await;
    assert!(mails(second).await.iter().all(|mail| !mail.text.contains("still active")), "no access is left active");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_names_other_active_access_and_revokes_all_with_an_option() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let token = caller(&lockbox, &site, Some("alex"), &ALL).await.token;
    let run = async |line: &[&str]| {
        let done = tokio::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
            .args(line)
            .env("LOCKBOX_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
            .env("LOCKBOX_AMQP_URL", "amqp://nobody@127.0.0.1:1")
            .env("LOCKBOX_PORTAL_URL", &site.origin)
            .env("LOCKBOX_TOKEN", &token)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{line:?}: {said}");
        said
    };
    let (first, second) = two(&lockbox).await;
    let said = run(&["grant", "revoke", &first.to_string()]).await;
    assert!(said.contains(&second.to_string()) && said.contains("SR-2026-004712") && said.contains("--all"), "{said}");
    assert_eq!(lockbox.view(second).await.state, "active");
    let said = run(&["grant", "revoke", &first.to_string(), "--all"]).await;
    assert!(!said.contains("still active"), "{said}");
    assert_eq!(lockbox.view(second).await.state, "ended");
    let (first, second) = two(&lockbox).await;
    run(&["grant", "revoke", &second.to_string(), "--all"]).await;
    assert_eq!([lockbox.view(first).await.state, lockbox.view(second).await.state], ["ended", "ended"]);
    site.close();
    lockbox.finish().await;
}
