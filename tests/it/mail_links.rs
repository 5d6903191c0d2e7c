//! Somebody, or a mail filter with a browser, follows every link of every mail: nothing changes.

use std::collections::BTreeSet;

use contracts::Kind;
use contracts::commands::RevokeAccess;
use domain::Verdict::{Approve, Deny};
use serde_json::json;
use workers::RoleName;

use crate::break_glass::{break_glass, give};
use crate::browser::Browsers;
use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::person::Site;

/// Everything that a click could have changed, but for who is signed in: a hash of the rows of each table.
const STATE: &str = "select string_agg(name || ' ' || hash, E'\\n' order by name) from ( \
                     select 'requests' as name, md5(string_agg(r::text, '' order by id)) as hash from requests r \
                     union all select 'decisions', md5(string_agg(d::text, '' order by request, stage, person)) from decisions d \
                     union all select 'provisionings', md5(string_agg(d::text, '' order by request)) from provisionings d \
                     union all select 'timers', md5(string_agg(t::text, '' order by request, kind, due_at)) from timers t \
                     union all select 'events', md5(string_agg(e.id::text, '' order by id)) from audit_events e where type <> 'log.heartbeat' \
                     union all select 'texts', md5(string_agg(t::text, '' order by event, field)) from texts t \
                     union all select 'people', md5(string_agg(p::text, '' order by id)) from people p \
                     union all select 'tenants', md5(string_agg(t::text, '' order by id)) from tenants t \
                     union all select 'consents', md5(string_agg(c::text, '' order by id)) from break_glass_policies c \
                     union all select 'uses', md5(string_agg(u::text, '' order by request)) from break_glass_uses u \
                     union all select 'dead_lettered', count(*)::text from dead_letters \
                     union all select 'outbox', count(*)::text from outbox) state";

async fn state(lockbox: &Lockbox) -> String {
    sqlx::query_scalar(STATE).fetch_one(&lockbox.pool).await.unwrap()
}

/// A journey of every kind of mail that a request can cause.
async fn journeys(lockbox: &Lockbox) {
    sqlx::query(
        "update tenants set decision_deadline_seconds = 600, reminders_seconds = '{599}' where name = 'northwind'",
    )
    .execute(&lockbox.pool)
    .await
    .unwrap();
    // A comment, both approvals, an early revocation.
    let asked = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, asked, "morgan", Approve).await;
    let question = json!({"request": asked, "by": "alex", "comment": "why the whole mailbox?"});
    lockbox.publish(Kind::RequestComment, &question).await;
    lockbox.decide(Kind::CustomerDecide, asked, "alex", Approve).await;
    lockbox.until(asked, "active").await;
    let end = RevokeAccess { request: asked, by: "alex".into(), comment: None };
    lockbox.outcome(Kind::GrantRevoke, &end).await;
    // Denied by either side, and withdrawn.
    let no = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, no, "morgan", Deny).await;
    let no = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, no, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, no, "alex", Deny).await;
    let back = lockbox.submit(&submission()).await;
    lockbox.publish(Kind::RequestWithdraw, &json!({"request": back, "by": "robin"})).await;
    lockbox.until(back, "withdrawn").await;
    // Reminded, and left to wait.
    let mut data = submission();
    data["tenant"] = "northwind".into();
    let waits = lockbox.submit(&data).await;
    lockbox.decide(Kind::VendorDecide, waits, "morgan", Approve).await;
    // Expired.
    sqlx::query("update tenants set review_deadline_seconds = 1 where name = 'adatum'")
        .execute(&lockbox.pool)
        .await
        .unwrap();
    let mut data = submission();
    data["tenant"] = "adatum".into();
    let expires = lockbox.submit(&data).await;
    lockbox.until(expires, "expired").await;
    // Break-glass access, revoked.
    give(lockbox, 5).await;
    let urgent = lockbox.submit(&break_glass()).await;
    lockbox.decide(Kind::VendorDecide, urgent, "morgan", Approve).await;
    lockbox.decide(Kind::VendorDecide, urgent, "jo", Approve).await;
    lockbox.until(urgent, "active").await;
    lockbox.outcome(Kind::GrantRevoke, &RevokeAccess { request: urgent, by: "kim".into(), comment: None }).await;
}

/// Every address that stands in a mail, each with who got the mail.
fn links(lockbox: &Lockbox) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for mail in lockbox.mailbox.mails() {
        let parsed = mail_parser::MessageParser::default().parse(&mail.raw).unwrap();
        let bodies = [parsed.body_text(0).unwrap().into_owned(), parsed.body_html(0).unwrap().into_owned()];
        let own = bodies.iter().flat_map(|body| body.split(['"', '<', '>', ' ', '\n', '\r']));
        found.extend(own.filter(|word| word.contains("://")).map(|link| (mail.to.join(","), link.to_owned())));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_follows_every_link_of_every_mail_of_every_journey_changes_nothing() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.start(&[RoleName::Mail]).await;
    journeys(&lockbox).await;
    let wanted = [
        "review_needed",
        "decision_needed",
        "commented",
        "active",
        "ended",
        "vendor_denied",
        "customer_denied",
        "withdrawn",
        "reminder",
        "expired",
        "break_glass_activated",
        "break_glass_ended",
    ];
    let is_about =
        |raw: &[u8], template: &str| String::from_utf8_lossy(raw).contains(&format!("X-Lockbox-Event: {template}\r\n"));
    eventually("a mail of every kind has come and nothing moves any more", async || {
        let mails = lockbox.mailbox.mails();
        let all = wanted.iter().all(|template| mails.iter().any(|mail| is_about(&mail.raw, template)));
        let busy: i64 = sqlx::query_scalar(
            "select (select count(*) from outbox) + (select count(*) from provisionings where state in ('provisioning', 'revoking'))",
        )
        .fetch_one(&lockbox.pool)
        .await
        .unwrap();
        (all && busy == 0).then_some(())
    })
    .await;
    let site = Site::open(&lockbox).await;
    let links: Vec<(String, String)> = links(&lockbox)
        .into_iter()
        .map(|(to, link)| (to, link.replace(lockbox.settings.mail.portal_url.trim_end_matches('/'), &site.origin)))
        .collect();
    assert!(links.len() > 20 && links.iter().all(|(_, link)| link.starts_with(&site.origin)), "{links:?}");
    let people = lockbox.store.enabled_people().await.unwrap();
    let before = state(&lockbox).await;
    let browsers = Browsers::start("mail-links").await;
    let browser = browsers.open(1280, "light").await;
    let mut signed_in = String::new();
    for (to, link) in &links {
        // A notification recipient is an address without a person: its mail is read here by a person who is not signed in.
        let person = people.iter().find(|person| person.email == *to).map_or("", |person| person.display_name.as_str());
        if person != signed_in {
            browser.go(&format!("{}/", site.origin)).await;
            if !signed_in.is_empty() {
                browser.press("Sign out").await;
                browser.until_it_shows("Sign in as … (development)").await;
            }
            if !person.is_empty() {
                browser.press(person).await;
                browser.until_it_shows("Sign out").await;
            }
            person.clone_into(&mut signed_in);
        }
        browser.go(link).await;
        let shown = if link.contains("/requests/") { "SR-2026-004711" } else { "Settings" };
        browser.until_it_shows(if person.is_empty() { "Sign in as … (development)" } else { shown }).await;
        for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
            let stranger = site.stranger();
            let page = stranger.send(stranger.client.request(method, link)).await;
            assert!(page.location.starts_with("/sign-in"), "{link}: {}", page.status);
        }
    }
    assert_eq!(state(&lockbox).await, before, "reading decides nothing");
    browser.close().await;
    browsers.stop();
    site.close();
    lockbox.finish().await;
}
