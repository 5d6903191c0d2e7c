//! The Merkle logs: one place for every event, without a gap or a split view, even after crashes; and signatures only for
//! consistent growth.

use std::time::Duration;

use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{self, Actor, NotificationResult};
use domain::Verdict::Approve;
use store::WriteSet;
use store::audit::AuditFilter;
use store::log::sequence::{Sequencer, Turn};
use tlog::{Checkpoint, Hash, Note, Verifier};
use uuid::Uuid;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, body, eventually, submission};

const AUTHORITY: &str = "lockbox.fabrikam.example";

/// Events about requests that do not exist, written directly to the table.
pub async fn record(lockbox: &Lockbox, tenant: &str, count: usize) {
    record_at(lockbox, tenant, count, lockbox.store.clock().await.unwrap()).await;
}

/// The same, with a time.
pub async fn record_at(lockbox: &Lockbox, tenant: &str, count: usize, now: chrono::DateTime<chrono::Utc>) {
    let event = |_| {
        let request = Uuid::now_v7();
        let data = NotificationResult {
            request: Some(request),
            service_request: None,
            notification: Uuid::now_v7(),
            template: "ended".into(),
            recipient: "alex@contoso.example".into(),
            mail_message_id: "<1@fabrikam.example>".into(),
            attempts: 1,
            error: None,
            actor: Actor::lockbox(),
        };
        let about = About { tenant: Some(tenant.into()), request: Some(request), ..About::default() };
        message(Kind::NotificationSent, now, about, &data).body
    };
    let bodies: Vec<Vec<u8>> = (0..count).map(event).collect();
    let indexed: Vec<_> = bodies.iter().map(|body| (events::index(body).unwrap(), body.as_slice())).collect();
    lockbox.store.append(&indexed, Vec::new(), WriteSet::default()).await.unwrap();
}

/// Computes a whole log from its bytes and compares it with the tables.
pub async fn check(lockbox: &Lockbox, tenant: Option<&str>) -> u64 {
    let head = lockbox.store.log_head(tenant).await.unwrap().unwrap();
    let entries = lockbox.store.log_entries(&head, 0, head.size).await.unwrap();
    let indices: Vec<i64> = entries.iter().map(|entry| entry.index).collect();
    assert_eq!(indices, (0..head.size).collect::<Vec<_>>(), "no gap and no double");
    let leaves: Vec<Hash> = entries.iter().map(|entry| tlog::leaf_hash(entry.bytes.as_deref().unwrap())).collect();
    for (entry, leaf) in entries.iter().zip(&leaves) {
        assert_eq!(entry.leaf, leaf.0.to_vec());
    }
    assert_eq!(head.root, tlog::root(&leaves).0.to_vec());
    let size = u64::try_from(head.size).unwrap();
    if let Some(latest) = lockbox.store.latest_checkpoint(tenant).await.unwrap() {
        let keys = lockbox.store.log_keys(tenant).await.unwrap();
        let keys: Vec<Verifier> = keys.iter().map(|key| key.parse().unwrap()).collect();
        let note: Note = latest.note.parse().unwrap();
        let (tree, _) = Checkpoint::open(&note, &keys).unwrap();
        let covered = usize::try_from(tree.size).unwrap();
        assert_eq!(tree.root, tlog::root(&leaves[..covered]));
    }
    streams(&entries);
    size
}

fn streams(entries: &[store::log::EntryRow]) {
    let mut last: std::collections::HashMap<Option<String>, (i64, String, i64)> = Default::default();
    for entry in entries {
        let wrapped: serde_json::Value = serde_json::from_slice(entry.bytes.as_deref().unwrap()).unwrap();
        let stream = wrapped["event"]["correlationid"].as_str().map(str::to_owned);
        let before = last.entry(stream).or_insert((0, "0".repeat(64), 0));
        assert_eq!(wrapped["seq"], before.0 + 1);
        assert_eq!(wrapped["prev"], before.1);
        if let Some(version) = wrapped["event"]["subjectversion"].as_i64() {
            assert_eq!(version, before.2 + 1, "steps are in the log in their order");
            before.2 = version;
        }
        (before.0, before.1) = (before.0 + 1, hex::encode(&entry.leaf));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_and_refusal_of_a_request_is_chained_indexed_and_signed_within_seconds() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "robin", Approve).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, request, "alex", Approve).await;
    lockbox.steps(request).await;
    eventually("all is in the log and signed", async || {
        let state = lockbox.store.completeness(Some("contoso")).await.unwrap();
        let incomplete = lockbox.store.incomplete_requests("contoso").await.unwrap();
        let signed = state.checkpoint.map_or(0, |latest| latest.size);
        (state.waiting == 0 && incomplete == 0 && signed == state.entries && signed > 4).then_some(())
    })
    .await;
    check(&lockbox, Some("contoso")).await;
    check(&lockbox, None).await;
    let filter = AuditFilter { request: Some(request), limit: 50, ..AuditFilter::default() };
    let found = lockbox.store.search_audit(&filter).await.unwrap();
    let said: Vec<_> = found.iter().filter_map(|event| body(event)["comment"].as_str().map(str::to_owned)).collect();
    assert_eq!(said, ["a considered answer", "a considered answer"], "readers see what was written");
    let refused = found.iter().find(|event| event.type_name == "decision.refused").unwrap();
    assert_eq!(body(refused)["actor"]["name"], "robin", "who tried is named");
    assert_eq!(body(refused)["actor"]["auth"]["method"], "lockbox");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_and_crashing_sequencers_neither_fork_nor_skip() {
    let lockbox = Lockbox::without_roles().await;
    record(&lockbox, "contoso", 700).await;
    record(&lockbox, "adatum", 300).await;
    let left = async || -> i64 {
        sqlx::query_scalar("select count(*) from audit_staged").fetch_one(&lockbox.pool).await.unwrap()
    };
    let work = |number: u64| {
        let store = lockbox.store.clone();
        #[allow(clippy::disallowed_methods, reason = "these are killed, not drained")]
        tokio::spawn(async move {
            let mut sequencer = Sequencer::new(store, AUTHORITY).without_lock();
            for turn in 0_u64.. {
                // Cut off at any await, as a killed process is, again and again.
                let cut = Duration::from_micros((number * 7919 + turn * 15_431) % 150_000);
                // A turn without work is no end: a turn that was cut off may still hold its rows.
                drop(tokio::time::timeout(cut, sequencer.turn(40)).await);
            }
        })
    };
    let workers: Vec<_> = (0..3).map(work).collect();
    eventually("every event has its place", async || (left().await == 0).then_some(())).await;
    workers.iter().for_each(tokio::task::JoinHandle::abort);
    // The directory's own events are in there too.
    assert_eq!(check(&lockbox, Some("contoso")).await, 700 + own_events(&lockbox, "contoso").await);
    assert_eq!(check(&lockbox, Some("adatum")).await, 300 + own_events(&lockbox, "adatum").await);
    lockbox.finish().await;
}

async fn own_events(lockbox: &Lockbox, tenant: &str) -> u64 {
    let count: i64 =
        sqlx::query_scalar("select count(*) from audit_events where tenant = $1 and type <> 'notification.sent'")
            .bind(tenant)
            .fetch_one(&lockbox.pool)
            .await
            .unwrap();
    u64::try_from(count).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_waits_for_the_one_before_it_and_two_events_never_get_the_same_place() {
    let lockbox = Lockbox::without_roles().await;
    let request = Uuid::now_v7();
    let now = lockbox.store.clock().await.unwrap();
    let step = |version| {
        let about = About {
            tenant: Some("contoso".into()),
            request: Some(request),
            version: Some(version),
            ..About::default()
        };
        message(Kind::RequestCommented, now, about, &serde_json::json!({"request": request})).body
    };
    let append = async |body: &[u8]| {
        lockbox.store.append(&[(events::index(body).unwrap(), body)], Vec::new(), WriteSet::default()).await
    };
    let mut sequencer = Sequencer::new(lockbox.store.clone(), AUTHORITY);
    append(&step(2)).await.unwrap();
    assert_eq!(sequencer.turn(100).await.unwrap(), Turn::Done { placed: 0, held: 1, quarantined: 0 });
    append(&step(1)).await.unwrap();
    eventually("both are placed", async || {
        sequencer.turn(100).await.unwrap();
        let head = lockbox.store.log_head(Some("contoso")).await.unwrap().unwrap();
        (head.size == 2).then_some(())
    })
    .await;
    check(&lockbox, Some("contoso")).await;
    let twice = append(&step(2)).await.unwrap_err();
    assert!(matches!(twice, store::Error::StepRecorded { .. }), "{twice}");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signer_refuses_an_old_copy_and_a_split_view() {
    let lockbox = Lockbox::without_roles().await;
    record(&lockbox, "contoso", 300).await;
    lockbox.start(&[RoleName::Sequencer, RoleName::Signer]).await;
    let signed =
        async || lockbox.store.latest_checkpoint(Some("contoso")).await.unwrap().map_or(0, |latest| latest.size);
    eventually("it is signed", async || (signed().await >= 300).then_some(())).await;
    check(&lockbox, Some("contoso")).await;
    // A superuser rewrites an entry and all hashes above it, as if it had always been so.
    let log = lockbox.store.log_head(Some("contoso")).await.unwrap().unwrap();
    let mut tx = lockbox.pool.begin().await.unwrap();
    for statement in [
        "set local session_replication_role = replica",
        "update audit_entries set leaf = sha256('other') where log = $1 and index = 299",
        "update audit_logs set size = 0, root = sha256('') where id = $1",
        "delete from audit_checkpoints where log = $1 and size > 250",
    ] {
        let query = sqlx::query(sqlx::AssertSqlSafe(statement));
        let query = if statement.contains("$1") { query.bind(log.id) } else { query };
        query.execute(&mut *tx).await.unwrap();
    }
    let leaves: Vec<Vec<u8>> = sqlx::query_scalar("select leaf from audit_entries where log = $1 order by index")
        .bind(log.id)
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    let leaves: Vec<Hash> = leaves.iter().filter_map(|leaf| Hash::from_slice(leaf)).collect();
    sqlx::query("update audit_logs set size = $2, root = $3 where id = $1")
        .bind(log.id)
        .bind(i64::try_from(leaves.len()).unwrap())
        .bind(tlog::root(&leaves).0.to_vec())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    record(&lockbox, "contoso", 5).await;
    eventually("the signer alarms", async || {
        let why = lockbox.unready().into_iter().find(|(part, _)| *part == "signer")?.1;
        why.contains("does not extend").then_some(())
    })
    .await;
    assert!(signed().await < 300, "nothing was signed on that history");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_superuser_who_disables_the_guards_can_change_the_log() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    lockbox.submit(&submission()).await;
    eventually("something is signed", async || {
        lockbox.store.latest_checkpoint(Some("contoso")).await.unwrap().map(drop)
    })
    .await;
    for statement in [
        "update audit_events set body = ''",
        "delete from audit_events",
        "truncate audit_events",
        "truncate audit_events_other",
        "update audit_entries set index = index + 1",
        "delete from audit_entries",
        "truncate audit_entries cascade",
        "delete from audit_nodes where level = 1 or true",
        "update audit_checkpoints set note = ''",
        "delete from audit_checkpoints",
        "update audit_logs set size = size - 1",
        "delete from audit_logs",
        "update texts set text = 'other', salt = salt",
        "delete from texts",
    ] {
        let done = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&lockbox.pool).await;
        match done {
            Ok(done) => assert!(done.rows_affected() == 0 && statement.contains("audit_nodes"), "{statement}"),
            Err(sqlx::Error::Database(fault)) => assert_eq!(fault.code().as_deref(), Some("LB001"), "{statement}"),
            Err(other) => panic!("{other}"),
        }
    }
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_gets_no_heartbeat_while_older_events_still_wait_for_their_place() {
    let lockbox = Lockbox::without_roles().await;
    let an_hour_ago = lockbox.store.clock().await.unwrap() - chrono::TimeDelta::hours(1);
    record_at(&lockbox, "contoso", 3, an_hour_ago).await;
    let mut placing = Sequencer::new(lockbox.store.clone(), AUTHORITY);
    assert_eq!(placing.beat(0.0).await.unwrap(), 0, "a verifier would take the events after it for backdated");
    eventually("all is placed", async || {
        (placing.turn(100).await.unwrap() == Turn::Done { placed: 0, held: 0, quarantined: 0 }).then_some(())
    })
    .await;
    assert!(placing.beat(0.0).await.unwrap() > 0);
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_group_of_rights_allows_its_own_work_and_no_other() {
    let lockbox = Lockbox::without_roles().await;
    lockbox.store.grant_rights().await.unwrap();
    lockbox.store.grant_rights().await.unwrap();
    record(&lockbox, "contoso", 3).await;
    // A store whose every connection acts as one group.
    let store = async |group: &str| {
        let mut url = url::Url::parse(&lockbox.settings.database_url).unwrap();
        url.query_pairs_mut().append_pair("options", &format!("-c role={group}"));
        let options = store::StoreOptions { url: url.into(), connections: 2, name: "rights".into() };
        store::Store::connect(&options, Duration::from_secs(5)).await.unwrap()
    };
    let sequencer = store("lockbox_sequencer").await;
    let mut placing = Sequencer::new(sequencer.clone(), AUTHORITY);
    placing.beat(0.0).await.unwrap();
    eventually("all is placed", async || {
        (placing.turn(100).await.unwrap() == Turn::Done { placed: 0, held: 0, quarantined: 0 }).then_some(())
    })
    .await;
    check(&lockbox, Some("contoso")).await;
    assert!(Sequencer::new(store("lockbox_worker").await, AUTHORITY).beat(0.0).await.is_err());
    let signer = store("lockbox_signer").await;
    let head = signer.log_head(None).await.unwrap().unwrap();
    signer.store_checkpoints(&[(head.clone(), "note".into())]).await.unwrap();
    assert!(sequencer.store_checkpoints(&[(head, "note".into())]).await.is_err());
    let groups = ["lockbox_reader", "lockbox_worker", "lockbox_sequencer", "lockbox_signer", "lockbox_operator"];
    let tables =
        ["audit_events", "audit_entries", "audit_nodes", "audit_checkpoints", "audit_keys", "audit_cosignatures"];
    for group in groups {
        for table in tables {
            for right in ["update", "delete", "truncate"] {
                let has: bool = sqlx::query_scalar("select has_table_privilege($1, $2, $3)")
                    .bind(group)
                    .bind(table)
                    .bind(right)
                    .fetch_one(&lockbox.pool)
                    .await
                    .unwrap();
                assert!(!has, "{group} may {right} {table}");
            }
        }
    }
    lockbox.finish().await;
}
