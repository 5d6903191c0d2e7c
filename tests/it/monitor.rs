//! The customer's monitor follows the log of a real portal over HTTP: it is silent about an honest log, and raises an alarm when
//! the operator, who has the database and the log key, shows another log or writes what nobody decided.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use contracts::Kind;
use domain::Verdict::Approve;
use monitor::{Delivery, MailOptions};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::tokens::NewToken;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::founded::found;
use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::monitor_harness::{Front, Hands, TOKEN, Watched, add_token, portal, second_log, signed, write_event};
use crate::person::Site;

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_log_raises_no_alarm_and_a_restart_continues() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    add_token(&lockbox).await;
    let (site, folder, hands) = (Site::open(&lockbox).await, tempfile::tempdir().unwrap(), Hands::default());
    signed(&lockbox).await;
    let watched = Watched::start(&site.origin, folder.path(), &hands, |_| {}).await;
    let request = lockbox.granted(&submission()).await;
    lockbox.until_provisioning(request, "active").await;
    let data = contracts::commands::RevokeAccess { request, by: "alex".into(), comment: None };
    lockbox.outcome(Kind::GrantRevoke, &data).await;
    lockbox.until_provisioning(request, "revoked").await;
    let size = signed(&lockbox).await;
    watched.verified(size).await;
    let root = watched.monitor.view().root;
    assert_eq!(watched.kinds(), [""; 0]);
    watched.finish().await;

    let watched = Watched::start(&site.origin, folder.path(), &hands, |_| {}).await;
    let view = watched.monitor.view();
    assert!(view.size >= size && (view.size > size || view.root == root), "{view:?}");
    lockbox.granted(&submission()).await;
    watched.verified(signed(&lockbox).await).await;
    assert_eq!(watched.kinds(), [""; 0]);
    let text = async |path: &str| {
        let answer = reqwest::get(format!("http://{}{path}", watched.monitor.address)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(text("/healthz").await.0, 200);
    assert!(text("/metrics").await.1.contains("lockbox_monitor_alarms_total{kind=\"fork\"} 0"));
    assert!(text("/").await.1.contains("lockbox.fabrikam.example/t/contoso"));
    let saved = std::fs::read_to_string(folder.path().join("checkpoints.txt")).unwrap();
    assert!(evidence::pinned::checkpoints(&saved).len() > 1, "{saved}");
    watched.finish().await;
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_are_served_to_a_token_of_the_log_and_to_everyone_when_the_log_is_public() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    add_token(&lockbox).await;
    let other = NewToken {
        hash: &Sha256::digest("lbx_dana"),
        person: Some("dana"),
        name: "monitor of adatum",
        scopes: &["log:read".to_owned()],
        days: 1,
    };
    lockbox.store.add_token(other, &contracts::events::Actor::lockbox(), "test").await.unwrap();
    let site = Site::open(&lockbox).await;
    lockbox.submit(&submission()).await;
    let size = signed(&lockbox).await;
    let get = async |path: &str, token: Option<&str>| {
        let mut request = reqwest::Client::new().get(format!("{}/.well-known/lockbox/contoso/{path}", site.origin));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    };
    for path in ["tile/0/000.p/1", "tile/entries/000.p/1"] {
        assert_eq!(get(path, None).await.0, 404, "{path}");
        assert_eq!(get(path, Some("lbx_none")).await.0, 404, "{path}");
        assert_eq!(get(path, Some("lbx_dana")).await.0, 404, "of another tenant: {path}");
        assert_eq!(get(path, Some(TOKEN)).await.0, 200, "{path}");
    }
    let (_, entries) = get("tile/entries/000.p/2", Some(TOKEN)).await;
    let (_, tile) = get("tile/0/000.p/2", Some(TOKEN)).await;
    let hashes: Vec<u8> =
        tlog::bundle::decode(&entries).unwrap().into_iter().flat_map(|entry| tlog::leaf_hash(entry).0).collect();
    assert_eq!(tile, hashes);
    let beyond = size + 200;
    for path in [&format!("tile/0/000.p/{beyond}"), "tile/0/000", "tile/1/000.p/1", "tile/0/0.p/1", "tile/9/000.p/1"] {
        assert_eq!(get(path, Some(TOKEN)).await.0, 404, "{path}");
    }
    sqlx::query("update tenants set public_log = true where name = 'contoso'").execute(&lockbox.pool).await.unwrap();
    assert_eq!(get("tile/entries/000.p/1", None).await.0, 200);
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_is_shown_to_the_monitor_alone_and_a_rollback_are_detected() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    add_token(&lockbox).await;
    let (site, stop, hands) = (Site::open(&lockbox).await, CancellationToken::new(), Hands::default());
    lockbox.submit(&submission()).await;
    signed(&lockbox).await;
    let second = tempfile::tempdir().unwrap();
    let (settings, pool) = second_log(&lockbox, second.path(), &stop).await;
    let copy = portal(&settings, &stop).await;
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let front = Front::open(&site.origin).await;
    lockbox.submit(&submission()).await;
    let size = signed(&lockbox).await;
    let rolled_back = Watched::start(&front.address, one.path(), &hands, |_| {}).await;
    rolled_back.verified(size).await;
    front.show(&copy);
    let alarm = rolled_back.alarm(monitor::Kind::Rollback).await;
    assert!(alarm.message.contains("no longer in it"), "{alarm}");
    rolled_back.finish().await;

    front.show(&site.origin);
    let forked = Watched::start(&front.address, two.path(), &hands, |_| {}).await;
    forked.verified(size).await;
    for _ in 0..=size {
        let note = json!({"actor": {"kind": "lockbox"}, "note": "another history"});
        write_event(&pool, "token.added", None, &note).await;
    }
    eventually("the other log is longer", async || {
        let query =
            "select max(c.size) from audit_checkpoints c join audit_logs l on l.id = c.log where l.tenant = 'contoso'";
        let latest: i64 = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
        (u64::try_from(latest).unwrap() > size).then_some(())
    })
    .await;
    front.show(&copy);
    forked.alarm(monitor::Kind::Fork).await;
    front.show(&site.origin);
    lockbox.submit(&submission()).await;
    forked.verified(signed(&lockbox).await).await;
    assert_eq!(forked.kinds(), ["fork"], "the honest log continues, and the alarm is raised once");
    let saved = std::fs::read_to_string(two.path().join("checkpoints.txt")).unwrap();
    let sizes: Vec<_> = evidence::pinned::checkpoints(&saved).iter().map(|note| note.text.clone()).collect();
    assert!(sizes.len() > 2, "both sides are kept as proof: {sizes:?}");
    forked.finish().await;
    stop.cancel();
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_approval_and_a_grant_by_sql_raise_alarms_with_their_entry() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    add_token(&lockbox).await;
    let (site, folder, hands) = (Site::open(&lockbox).await, tempfile::tempdir().unwrap(), Hands::default());
    found(&lockbox, "contoso", &["alex"], |_| {}).await;
    let authority = lockbox.store.authority("contoso").await.unwrap().unwrap();
    let statement = authority.chain.founding().clone();
    let pin = consent::Pin::parse(&consent::fingerprint(&statement)).unwrap();
    signed(&lockbox).await;
    let (calls, webhook) = receiver().await;
    let mail = MailOptions {
        server: lockbox.settings.mail.url.clone(),
        from: "monitor@contoso.example".to_owned(),
        to: vec!["security@contoso.example".to_owned()],
    };
    let delivery = Delivery { mail: Some(mail), webhook: Some(webhook.parse().unwrap()) };
    let change = |options: &mut monitor::Options| options.trust.authority = Some(pin);
    let watched = Watched::start_with(&site.origin, folder.path(), &hands, change, delivery).await;
    let information = watched.alarm(monitor::Kind::AuthorityChange).await;
    assert!(information.message.contains("statement 1"), "{information}");

    // The operator appends a decision to a request of the log, and a grant to one that nobody decided.
    let forged = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, forged, "morgan", Approve).await;
    lockbox.steps(forged).await;
    let view = lockbox.view(forged).await;
    let data = json!({
        "request": forged, "from": "pending_customer", "to": "pending_customer", "digest": view.digest().to_string(),
        "approvals": 1, "duration_seconds": 60,
        "actor": {"kind": "person", "id": statement.approvers[0].person, "name": "alex", "side": "customer",
            "auth": {"method": "portal", "passkey": true}},
    });
    write_event(&lockbox.pool, "request.customer_approved", Some((forged, 3)), &data).await;
    let alarm = watched.alarm(monitor::Kind::UnsignedDecision).await;
    assert_eq!(alarm.request, Some(forged.to_string()));
    assert!(alarm.message.contains("by alex") && alarm.leaf.as_ref().is_some_and(|leaf| leaf.len() == 64), "{alarm}");

    let granted = lockbox.submit(&submission()).await;
    lockbox.steps(granted).await;
    let digest = lockbox.view(granted).await.digest().to_string();
    let data = json!({
        "request": granted, "from": "pending_vendor", "to": "active", "digest": digest, "actor": {"kind": "lockbox"},
        "access_from": "2026-12-01T08:00:00.000000Z", "access_until": "2026-12-01T09:00:00.000000Z",
    });
    write_event(&lockbox.pool, "grant.activated", Some((granted, 2)), &data).await;
    let alarm = watched.alarm(monitor::Kind::GrantWithoutConsent).await;
    assert_eq!(alarm.request, Some(granted.to_string()));
    eventually("the alarms are mailed", async || {
        let mails = lockbox.mailbox.mails();
        let is_alarm = |mail: &portal::mailbox::Mail| mail.to.iter().any(|to| to.contains("security@contoso.example"));
        let texts: String = mails.iter().filter(|mail| is_alarm(mail)).map(|mail| mail.subject.clone()).collect();
        (texts.contains("A decision is not signed by an approver") && texts.contains("Access was granted"))
            .then_some(())
    })
    .await;
    eventually("the alarms are sent to the webhook", async || {
        let bodies = calls.lock().unwrap().concat();
        (bodies.contains("unsigned_decision") && bodies.contains("grant_without_consent")).then_some(())
    })
    .await;
    watched.finish().await;

    // After a restart, the same alarms are not raised again.
    let known = monitor::read_alarms(folder.path()).unwrap();
    let pin = consent::Pin::parse(&consent::fingerprint(&statement)).unwrap();
    let watched =
        Watched::start(&site.origin, folder.path(), &hands, |options| options.trust.authority = Some(pin)).await;
    assert_eq!(watched.monitor.alarms(), known);
    watched.finish().await;

    // A scheduled job ends with the code of the most severe alarm, once.
    let data = tempfile::tempdir().unwrap();
    let key = lockbox.store.log_keys(Some("contoso")).await.unwrap().remove(0);
    let fingerprint = consent::fingerprint(&statement);
    let once = |more: &[&str]| {
        let log = format!("{}/.well-known/lockbox/contoso", site.origin);
        let fixed = ["monitor", "--once", "--log-url", &log, "--token", TOKEN, "--data", data.path().to_str().unwrap()];
        site.command(&[&fixed, more].concat())
    };
    let (code, text, errors) = once(&["--key", &key, "--authority", &fingerprint]);
    assert_eq!(code, 17, "{text}{errors}");
    assert!(text.contains("A decision is not signed by an approver"), "{text}");
    let (code, text, errors) = once(&["--key", &key, "--authority", &fingerprint]);
    assert_eq!(code, 0, "{text}{errors}");
    let (code, _, errors) = once(&["--key", &key]);
    assert_eq!(code, 18, "{errors}");
    assert!(errors.contains("consent not verified"), "{errors}");
    let (code, text, _) = site.command(&["monitor", "status", "--data", data.path().to_str().unwrap()]);
    assert!(code == 0 && text.contains("Verified entries"), "{text}");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_decisions_of_a_founded_tenant_raise_no_alarm() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    add_token(&lockbox).await;
    let (site, folder, hands) = (Site::open(&lockbox).await, tempfile::tempdir().unwrap(), Hands::default());
    let founded = found(&lockbox, "contoso", &["alex"], |_| {}).await;
    let authority = lockbox.store.authority("contoso").await.unwrap().unwrap();
    let pin = consent::Pin::parse(&consent::fingerprint(authority.chain.founding())).unwrap();
    signed(&lockbox).await;
    let change = |options: &mut monitor::Options| options.trust.authority = Some(pin);
    let watched = Watched::start(&site.origin, folder.path(), &hands, change).await;
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    let decision = lockbox.decision(request, "alex", Approve).await;
    let decision = founded.signed_decision(&lockbox, decision).await;
    lockbox.outcome(Kind::CustomerDecide, &decision).await;
    lockbox.until(request, "active").await;
    lockbox.until_provisioning(request, "active").await;
    let data = contracts::commands::RevokeAccess { request, by: "alex".into(), comment: None };
    lockbox.outcome(Kind::GrantRevoke, &data).await;
    lockbox.until_provisioning(request, "revoked").await;
    watched.verified(signed(&lockbox).await).await;
    assert_eq!(watched.kinds(), ["authority_change"], "{:?}", watched.monitor.alarms());
    assert!(watched.monitor.view().authority.contains("statement 1"));
    watched.finish().await;
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_of_the_log_and_of_the_portal_raise_alarms() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    add_token(&lockbox).await;
    let (site, folder, hands) = (Site::open(&lockbox).await, tempfile::tempdir().unwrap(), Hands::default());
    let front = Front::open(&site.origin).await;
    let size = signed(&lockbox).await;
    let watched = Watched::start(&front.address, folder.path(), &hands, |_| {}).await;
    watched.verified(size).await;
    hands.0.store(16 * 60, Ordering::Relaxed);
    watched.alarm(monitor::Kind::HeartbeatMissing).await;
    front.show("http://127.0.0.1:1");
    hands.0.store(40 * 60, Ordering::Relaxed);
    let alarm = watched.alarm(monitor::Kind::Unreachable).await;
    assert!(alarm.message.contains("no checkpoint could be verified since"), "{alarm}");
    let health = reqwest::get(format!("http://{}/healthz", watched.monitor.address)).await.unwrap();
    assert_eq!(health.status(), 503);
    watched.finish().await;
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_opens_with_the_cosignature_of_the_monitor() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    add_token(&lockbox).await;
    let (site, folder, hands) = (Site::open(&lockbox).await, tempfile::tempdir().unwrap(), Hands::default());
    signed(&lockbox).await;
    let key = || tlog::Signer::from_seed("monitor.contoso.example", tlog::Kind::Witness, &[7; 32]).unwrap();
    let watched = Watched::start(&site.origin, folder.path(), &hands, |options| options.witness = Some(key())).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut directory: contracts::directory::Directory = serde_saphyr::from_str(&text).unwrap();
    let tenant = directory.tenants.iter_mut().find(|tenant| tenant.name == "contoso").unwrap();
    tenant.rules.witnesses_required = Some(1);
    let url = format!("http://{}", watched.monitor.address);
    tenant.witnesses = vec![contracts::directory::WitnessEntry { url, key: key().verifier().to_string() }];
    lockbox.store.apply(&directory, "test").await.unwrap();
    let request = lockbox.granted(&submission()).await;
    eventually("the monitor cosigned both approvals", async || {
        lockbox.store.access_is_proved(request).await.unwrap().then_some(())
    })
    .await;
    lockbox.until_provisioning(request, "active").await;
    let post = async |body: String| {
        let address = format!("http://{}/add-checkpoint", watched.monitor.address);
        reqwest::Client::new().post(address).body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(post("nonsense".to_owned()).await, 400);
    let latest = lockbox.store.latest_checkpoint(Some("contoso")).await.unwrap().unwrap();
    assert_eq!(post(format!("old 0\n\n{}", latest.note)).await, 409, "it has cosigned more than nothing");
    assert_eq!(post(format!("old 0\n\n{}", latest.note.replace("contoso", "adatum"))).await, 404);
    assert_eq!(watched.kinds(), [""; 0]);
    watched.finish().await;
    site.close();
    lockbox.finish().await;
}

/// A receiver of webhooks: what it was sent, and its address.
async fn receiver() -> (Arc<Mutex<Vec<String>>>, String) {
    let calls: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = calls.clone();
    let take = async move |body: String| seen.lock().unwrap().push(body);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/alarms", listener.local_addr().unwrap());
    let router = Router::new().route("/alarms", post(take));
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    (calls, address)
}
