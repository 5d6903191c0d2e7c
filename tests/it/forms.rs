//! Forms of the portal that say when: a start that lies ahead, and a consent that stands until a day.

use chrono::{TimeDelta, Utc};
use reqwest::StatusCode;
use uuid::Uuid;

use crate::harness::{Lockbox, ROLES};
use crate::person::Site;

/// A moment as browsers send it, in UTC.
fn typed(at: chrono::DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_takes_a_start_that_lies_ahead_and_says_what_is_wrong_with_any_other() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let robin = site.sign_in("Robin Hale").await;
    let now = lockbox.store.clock().await.unwrap();
    let ask = async |start_time: &str| {
        let form = [
            ("tenant", "contoso"),
            ("service_request", "SR-2026-004711"),
            ("service", "exchange_online"),
            ("resource", "finance@contoso.example"),
            ("category", "customer_reported"),
            ("justification", "mail is stuck"),
            ("severity", "high"),
            ("duration", "45m"),
            ("start_time", start_time),
        ];
        robin.fill("/requests/new", "/requests", &form).await
    };
    for (wrong, why) in [
        ("tomorrow", "enter a date and a time (UTC)".to_owned()),
        ("2026-02-30T10:00", "enter a date and a time (UTC)".to_owned()),
        (&typed(now - TimeDelta::hours(2)), "is in the past".to_owned()),
    ] {
        let said = ask(wrong).await;
        assert!(said.status != StatusCode::SEE_OTHER && said.text.contains(&why), "{wrong}: {}", said.text);
        assert!(said.text.contains("mail is stuck"), "what was typed is kept");
    }
    let requests: i64 = sqlx::query_scalar("select count(*) from requests").fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(requests, 0);
    let start = typed(now + TimeDelta::hours(5));
    let sent = ask(&start).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
    let id: Uuid = sent.location.rsplit('/').next().unwrap().parse().unwrap();
    let content = lockbox.view(id).await.content().unwrap();
    assert_eq!(content.start_time.map(typed), Some(start));
    let shown = content.start_time.unwrap().format("%-d %b %Y %H:%M:%S UTC").to_string();
    assert!(robin.get(&sent.location).await.text.contains(&shown), "the page says from when");
    let empty = ask("").await;
    let id: Uuid = empty.location.rsplit('/').next().unwrap().parse().unwrap();
    assert_eq!(lockbox.view(id).await.content().unwrap().start_time, None, "empty is at once");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_sets_a_break_glass_policy_by_form_and_revokes_it() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let (alex, dana) = (site.sign_in("Alex Novak").await, site.sign_in("Dana Whitfield").await);
    let now = lockbox.store.clock().await.unwrap();
    let (ahead, past) = (typed(now + TimeDelta::days(20)), typed(now - TimeDelta::days(1)));
    let tenant: Uuid =
        sqlx::query_scalar("select id from tenants where name = 'contoso'").fetch_one(&lockbox.pool).await.unwrap();
    let good = [
        ("name", "night duty"),
        ("services", "exchange_online"),
        ("ceiling", "30m"),
        ("quota", "2"),
        ("until", ahead.as_str()),
    ];
    let give = async |field: &str, value: &str| {
        let form: Vec<_> = good.iter().map(|(name, held)| (*name, if *name == field { value } else { held })).collect();
        alex.fill("/settings", "/settings/break-glass", &form).await
    };
    for (field, value, why) in [
        ("name", "", "Policy name: must not be empty"),
        ("services", "", "name at least one"),
        ("services", "coffee", "no service coffee"),
        ("ceiling", "90d", "Maximum duration"),
        ("ceiling", "long", "Maximum duration"),
        ("quota", "0", "Maximum number of uses"),
        ("quota", "many", "Maximum number of uses"),
        ("until", past.as_str(), "within the next"),
        ("until", "soon", "within the next"),
    ] {
        let said = give(field, value).await;
        assert!(said.status != StatusCode::SEE_OTHER && said.text.contains(why), "{field} {value:?}: {}", said.text);
    }
    assert!(lockbox.store.policies(tenant).await.unwrap().is_empty(), "nothing wrong stands");
    assert_eq!(give("", "").await.status, StatusCode::SEE_OTHER);
    let policy_status = lockbox.store.policies(tenant).await.unwrap();
    let policy = &policy_status[0].policy;
    assert_eq!((policy.name.as_str(), policy.ceiling_seconds, policy.quota), ("night duty", 1800, 2));
    assert_eq!((policy.services.clone(), typed(policy.until)), (vec!["exchange_online".to_owned()], ahead.clone()));
    assert!(alex.get("/settings").await.text.contains("night duty"));
    assert!(give("", "").await.text.contains("exists already"), "one of a name");
    let id = policy.id.to_string();
    let foreign = dana.fill("/settings", "/settings/break-glass/revocation", &[("policy", &id)]).await;
    assert_eq!(lockbox.store.policies(tenant).await.unwrap().len(), 1, "another tenant's: {}", foreign.status);
    let back = alex.fill("/settings", "/settings/break-glass/revocation", &[("policy", &id)]).await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.text);
    assert!(lockbox.store.policies(tenant).await.unwrap().is_empty());
    assert!(!alex.get("/settings").await.text.contains("night duty"));
    site.close();
    lockbox.finish().await;
}
