//! The audit log as people search it, and the command line as they call it.

use std::process::Command;

use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{Actor, NotificationResult};
use domain::Verdict::Approve;
use store::audit::AuditFilter;

use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::person::Site;

pub fn lockbox_command(lockbox: &Lockbox, arguments: &[&str]) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(arguments)
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .env("LOCKBOX_AMQP_URL", &lockbox.settings.amqp_url)
        .env("LOCKBOX_PREFIX", lockbox.settings.names.prefix())
        .env("LOCKBOX_SMTP_URL", &lockbox.settings.mail.url)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_found_by_request_person_tenant_type_words_and_time() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let mut data = submission();
    data["justification"]["text"] = "a flamingo stands in the outbox".into();
    let request = lockbox.submit(&data).await;
    lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.steps(request).await;
    let found = async |filter: AuditFilter| {
        let filter = AuditFilter { limit: 50, ..filter };
        lockbox.store.search_audit(&filter).await.unwrap().into_iter().map(|event| event.type_name).collect::<Vec<_>>()
    };
    let nothing = AuditFilter::default;
    assert_eq!(
        found(AuditFilter { person: Some("morgan".into()), ..nothing() }).await,
        ["request.vendor_approved"],
        "the named person, not a service account"
    );
    assert_eq!(found(AuditFilter { text: Some("flamingo".into()), ..nothing() }).await, ["request.submitted"]);
    assert_eq!(found(AuditFilter { type_name: Some("request.vendor".into()), ..nothing() }).await.len(), 1);
    assert_eq!(
        found(AuditFilter { tenant: Some("adatum".into()), type_name: Some("request.".into()), ..nothing() })
            .await
            .len(),
        0
    );
    assert_eq!(found(AuditFilter { request: Some(request), ..nothing() }).await.len(), 2);
    let future = lockbox.store.clock().await.unwrap();
    assert_eq!(found(AuditFilter { since: Some(future), ..nothing() }).await.len(), 0);
    lockbox.finish().await;
}

/// Sixty thousand events of two tenants and three people, some at the same moment, one type and one word among them rare.
const MANY: &str = "insert into audit_events (id, at, type, tenant, request, version, person, text, body) \
                    select gen_random_uuid(), clock_timestamp() - n / 3 * interval '1 second', \
                    case when n % 4000 = 7 then 'notification.failed' when n % 2 = 0 then 'grant.used' else 'grant.provisioned' end, \
                    case when n % 11 = 0 then 'adatum' else 'contoso' end, gen_random_uuid(), case when n % 5 = 0 then n end, \
                    'person' || n % 3, case when n % 3999 = 1 then 'an ocelot' when n % 2 = 0 then 'a heron' end, '{}' \
                    from generate_series(1, 60000) n";
const MANY_TEXTS: &str = "insert into texts (event, field, commitment, salt, text) \
                          select id, 'comment', sha256('s' || convert_to('one wren', 'UTF8')), 's', 'one wren' from audit_events \
                          where version % 100 = 0";

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_stops_on_its_way_goes_on_and_leaves_nothing_out() {
    let lockbox = Lockbox::without_roles().await;
    for statement in [MANY, MANY_TEXTS, "analyze"] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&lockbox.pool).await.unwrap();
    }
    let text = |text: &str| Some(text.to_owned());
    let nothing = AuditFilter::default;
    let searches = [
        ("type = 'notification.failed'", AuditFilter { type_name: text("notification.failed"), ..nothing() }),
        (
            "type like 'grant.%' and tenant = 'adatum'",
            AuditFilter { type_name: text("grant."), tenant: text("adatum"), ..nothing() },
        ),
        (
            "person = 'person2' and tenant = 'adatum'",
            AuditFilter { person: text("person2"), tenant: text("adatum"), ..nothing() },
        ),
        ("text = 'an ocelot'", AuditFilter { text: text("ocelot"), ..nothing() }),
        ("text = 'a heron'", AuditFilter { text: text("heron"), ..nothing() }),
        (
            "text = 'a heron' and person = 'person1'",
            AuditFilter { text: text("heron"), person: text("person1"), ..nothing() },
        ),
        ("version % 100 = 0", AuditFilter { text: text("wren"), ..nothing() }),
        (
            "type = 'grant.used' and version % 100 = 0",
            AuditFilter { text: text("wren"), type_name: text("grant.used"), ..nothing() },
        ),
    ];
    let mut stops = 0;
    for (condition, filter) in searches {
        let all =
            format!("select id from audit_events where {condition} order by at desc, version desc nulls last, id desc");
        let expected: Vec<uuid::Uuid> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(all)).fetch_all(&lockbox.pool).await.unwrap();
        assert!(!expected.is_empty(), "{condition}");
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = AuditFilter { limit: 2000, after, ..filter.clone() };
            let page = lockbox.store.search_audit_within(&page, std::time::Duration::ZERO).await.unwrap();
            let is_full = page.events.len() == 2000;
            stops += usize::from(page.stopped_at.is_some());
            after = page.stopped_at.or(page.events.last().filter(|_| is_full).map(store::audit::AuditRow::place));
            found.extend(page.events.into_iter().map(|event| event.id));
            if after.is_none() {
                break;
            }
            // As it travels in an address.
            after = after.map(|place| place.to_string().parse().unwrap());
        }
        assert!(found == expected, "{condition}: {} found, {} there", found.len(), expected.len());
        let whole = lockbox.store.search_audit(&AuditFilter { limit: 100_000, ..filter }).await.unwrap();
        assert!(whole.iter().map(|event| event.id).eq(expected), "{condition}: without patience");
    }
    assert!(stops > 3, "only {stops} searches were stopped on their way");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_does_the_whole_journey_with_exit_codes_that_scripts_can_use() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let submit = [
        "request",
        "submit",
        "--as",
        "robin",
        "--tenant",
        "contoso",
        "--service-request",
        "SR-2026-000123",
        "--service",
        "onedrive",
        "--resource",
        "https://contoso.example/personal/alex",
        "--justification",
        "sync fails",
        "--duration",
        "15m",
        "-o",
        "json",
    ];
    let site = Site::open(&lockbox).await;
    let (code, out, err) = site.command(&submit);
    assert_eq!(code, 0, "{err}");
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    let id = document["id"].as_str().unwrap();
    assert_eq!(document["duration_seconds"], 900);

    let run = |arguments: &[&str]| site.command(arguments);
    let (code, _, err) = run(&["request", "approve", id, "--as", "robin"]);
    assert_eq!(code, 4, "refused: {err}");
    assert!(err.contains("own request"), "{err}");
    assert_eq!(run(&["request", "approve", id, "--as", "morgan"]).0, 0);
    let (code, out, _) = run(&["request", "approve", id, "--as", "alex", "--comment", "go ahead", "-o", "json"]);
    assert_eq!(code, 0);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["decisions"][1]["person"], "alex");
    assert_eq!(run(&["request", "withdraw", id, "--as", "robin"]).0, 4, "too late to withdraw");
    let (code, out, _) = run(&["grant", "revoke", id, "--as", "alex"]);
    assert_eq!(code, 0);
    assert!(out.contains("ended (revoked_by_customer)"), "{out}");
    let (code, out, _) = run(&["request", "watch", id, "--as", "robin"]);
    assert_eq!(code, 0);
    assert!(out.contains("grant.ended"), "{out}");
    assert_eq!(run(&["request", "show", "00000000-0000-0000-0000-000000000000", "--as", "robin"]).0, 3);
    assert_eq!(run(&["request", "list", "--limit", "0", "--as", "robin"]).0, 2);
    let (_, out, _) = run(&["request", "list", "--state", "ended", "-o", "csv", "--as", "robin"]);
    assert!(out.starts_with("id,tenant,") && out.contains(id), "{out}");
    let chosen = ["request", "list", "--columns", "state,id", "-o", "csv", "--as", "robin"];
    assert_eq!(run(&chosen).1, format!("state,id\nended (revoked_by_customer),{id}\n"));
    lockbox.until_idle().await;
    let (code, out, _) = run(&["audit", "search", "--person", "alex", "-o", "csv", "--as", "alex"]);
    assert_eq!(code, 0);
    assert_eq!(out.lines().count(), 3, "{out}");
    // The provisioning may still be closing, and its last event be under way.
    eventually("nothing is missing", async || (lockbox_command(&lockbox, &["audit", "check"]).0 == 0).then_some(()))
        .await;
    assert_eq!(lockbox_command(&lockbox, &["topology", "verify"]).0, 0);
    let mut bad = submit;
    bad[13] = "";
    let (code, _, err) = run(&bad);
    assert_eq!(code, 4);
    assert!(err.contains("justification.text"), "{err}");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_mail_that_failed_names_the_address_and_the_reason() {
    let lockbox = Lockbox::without_roles().await;
    let data = NotificationResult {
        request: None,
        service_request: None,
        notification: uuid::Uuid::now_v7(),
        template: "ended".into(),
        recipient: "kim@contoso.example".into(),
        mail_message_id: "<1@fabrikam.example>".into(),
        attempts: 9,
        error: Some("550 5.1.1 user unknown".into()),
        actor: Actor::lockbox(),
    };
    let now = lockbox.store.clock().await.unwrap();
    let body = message(Kind::NotificationFailed, now, About::default(), &data).body;
    let events = [(contracts::events::index(&body).unwrap(), body.as_slice())];
    lockbox.store.append(&events, Vec::new(), store::WriteSet::default()).await.unwrap();
    let site = Site::open(&lockbox).await;
    let (code, out, err) = site.command(&["audit", "search", "--type", "notification.failed", "--as", "lee"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("kim@contoso.example") && out.contains("user unknown"), "{out}");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letter_messages_are_listed_shown_replayed_and_discarded() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let id = uuid::Uuid::now_v7().to_string();
    lockbox.publish_raw("request.submit.v1", &id, b"{".to_vec()).await;
    lockbox.answer(&id).await;
    let run = |arguments: &[&str]| lockbox_command(&lockbox, arguments);
    let (_, out, _) = run(&["dead-letter", "list", "-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    let dead_letter = list[0]["id"].as_str().unwrap();
    assert!(run(&["dead-letter", "show", dead_letter]).1.contains("schema.unparseable"));
    assert_eq!(run(&["dead-letter", "replay", dead_letter, "--operator", "lee"]).0, 0);
    assert_eq!(run(&["dead-letter", "replay", dead_letter, "--operator", "lee"]).0, 4, "only once");
    eventually("it is dead-lettered again", async || {
        (lockbox.store.dead_letter_count().await.unwrap() == 1).then_some(())
    })
    .await;
    let (_, out, _) = run(&["dead-letter", "list", "-o", "json"]);
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    let again = list[0]["id"].as_str().unwrap();
    assert_eq!(run(&["dead-letter", "discard", again, "--operator", "lee", "--note", "sender informed"]).0, 0);
    assert_eq!(lockbox.store.dead_letter_count().await.unwrap(), 0);
    lockbox.finish().await;
}
