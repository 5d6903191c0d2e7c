//! Kills processes and servers under load. Afterwards, no acknowledged message is missing, nothing happened twice, every
//! history is 1…n and in the audit log, and the queues drain.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use uuid::Uuid;
use workers::RoleName;

use crate::harness::{Lockbox, PATIENCE, eventually};
use crate::load::{Load, until_answered};

/// Checks that apply after every fault.
pub async fn nothing_lost_nothing_doubled(lockbox: &mut Lockbox, messages: &BTreeMap<String, Vec<u8>>) {
    until_answered(&lockbox.settings, &lockbox.pool, messages, PATIENCE).await;
    eventually("every request is over", async || {
        let open = "select count(*) from requests where finished_at is null";
        let open: i64 = sqlx::query_scalar(open).fetch_one(&lockbox.pool).await.ok()?;
        (open == 0).then_some(())
    })
    .await;
    eventually("every event is in the audit log and every message is consumed", async || {
        let (steps, recorded) = lockbox.store.steps().await.ok()?;
        let depth = lockbox.store.outbox_depth().await.ok()?;
        (steps == recorded && depth.waiting == 0).then_some(())
    })
    .await;
    let logs = lockbox.logs();
    let count = async |statement: &'static str| -> i64 {
        sqlx::query_scalar(statement).fetch_one(&lockbox.pool).await.unwrap()
    };
    let requests = count("select count(*) from requests").await;
    assert_eq!(requests, i64::try_from(messages.len()).unwrap(), "one request for each message{logs}");
    assert_eq!(lockbox.store.audit_gaps(5).await.unwrap(), Vec::<Uuid>::new(), "histories are 1…n{logs}");
    assert_eq!(count("select count(*) from timers").await, 0, "no timer is left");
    let endings = "select count(*) from (select request from audit_events where type in ('grant.ended', 'request.expired', 'request.vendor_denied', 'request.customer_denied', 'request.withdrawn') group by request having count(*) <> 1) x";
    assert_eq!(count(endings).await, 0, "one ending each");
    let late = "select count(*) from decisions d join requests r on r.id = d.request where d.stage = 'customer' and d.decided_at >= r.decision_deadline";
    assert_eq!(count(late).await, 0, "no late yes");
    let longer =
        "select count(*) from requests where access_until - access_from > make_interval(secs => duration_seconds)";
    assert_eq!(count(longer).await, 0, "no access longer than asked for");
    let repeated = "select count(*) from audit_events where type = 'decision.refused' and (convert_from(body, 'UTF8')::jsonb)->'data'->>'code' = 'repeated'";
    assert_eq!(count(repeated).await, 0, "no click was taken twice{logs}");
    crate::logs::are_whole(lockbox).await;
    eventually("the queues are empty", async || {
        let config = broker::Config { url: lockbox.settings.amqp_url.clone(), name: "test".into() };
        let link = broker::Link::open(&config).await.ok()?;
        let depths = broker::topology::depths(&link, &lockbox.settings.names).await.ok()?;
        link.close().await;
        let ready: u32 = depths.iter().filter(|depth| !depth.queue.contains(".delay.")).map(|depth| depth.ready).sum();
        (ready == 0).then_some(())
    })
    .await;
}

pub async fn pass(load: &Load, more: usize) {
    let goal = load.sent.load(Ordering::Relaxed) + more;
    eventually("more load has been sent", async || (load.sent.load(Ordering::Relaxed) >= goal).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_of_every_role_are_killed_at_random_moments() {
    let mut lockbox = Lockbox::start("kill", 2).await;
    let load = Load::start(&lockbox.settings, &lockbox.store, &lockbox.pool, 60);
    pass(&load, 60).await;
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..3 {
        let mut roles = RoleName::ALL;
        random.shuffle(&mut roles);
        for role in roles {
            lockbox.kill_one(role);
            pass(&load, random.usize(6..40)).await;
        }
    }
    let messages = load.finish().await;
    eprintln!("{} requests through {} kills", messages.len(), 3 * RoleName::ALL.len());
    nothing_lost_nothing_doubled(&mut lockbox, &messages).await;
    let drained = lockbox.stop_one(RoleName::Intake);
    assert!(drained < Duration::from_secs(30), "a worker drains on SIGTERM");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broker_and_database_stop_crash_and_lose_their_data_under_load() {
    let mut lockbox = Lockbox::start("servers", 1).await;
    let load = Load::start(&lockbox.settings, &lockbox.store, &lockbox.pool, 50);
    pass(&load, 50).await;
    eprintln!("broker: orderly stop and start");
    let broker = lockbox.servers.broker.as_mut().unwrap();
    broker.stop();
    broker.restart().unwrap();
    pass(&load, 80).await;
    eprintln!("broker: kill -9");
    let broker = lockbox.servers.broker.as_mut().unwrap();
    broker.kill();
    broker.restart().unwrap();
    pass(&load, 80).await;
    eprintln!("database: immediate shutdown");
    let database = lockbox.servers.database.as_mut().unwrap();
    database.stop_immediate();
    database.restart().unwrap();
    pass(&load, 80).await;
    eprintln!("both at once, kill -9");
    lockbox.servers.broker.as_mut().unwrap().kill();
    lockbox.servers.database.as_mut().unwrap().kill();
    lockbox.servers.database.as_mut().unwrap().restart().unwrap();
    lockbox.servers.broker.as_mut().unwrap().restart().unwrap();
    pass(&load, 80).await;
    eprintln!("broker: all data deleted");
    let broker = lockbox.servers.broker.as_mut().unwrap();
    broker.wipe().unwrap();
    broker.restart().unwrap();
    let applied = std::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(["topology", "apply"])
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .env("LOCKBOX_AMQP_URL", &lockbox.settings.amqp_url)
        .output()
        .unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    pass(&load, 80).await;
    let messages = load.finish().await;
    eprintln!("{} requests", messages.len());
    nothing_lost_nothing_doubled(&mut lockbox, &messages).await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_ends_on_time_without_any_process_and_is_recorded_after_the_restart() {
    let mut lockbox = Lockbox::start("dead", 1).await;
    let load = Load::start(&lockbox.settings, &lockbox.store, &lockbox.pool, 10);
    let granted = eventually("access is open", async || {
        let open = "select id, access_until from requests where state = 'active' limit 1";
        sqlx::query_as::<_, (Uuid, chrono::DateTime<chrono::Utc>)>(open).fetch_optional(&lockbox.pool).await.ok()?
    })
    .await;
    lockbox.kill_all();
    let messages = load.finish().await;
    eventually("the end has passed", async || {
        (lockbox.store.clock().await.ok()? > granted.1 + chrono::TimeDelta::seconds(3)).then_some(())
    })
    .await;
    lockbox.spawn_all();
    eventually("it is ended", async || {
        let view = lockbox.store.show_request(granted.0).await.ok()?;
        (view.state == "ended").then_some(())
    })
    .await;
    let view = lockbox.store.show_request(granted.0).await.unwrap();
    assert!(view.access_until.unwrap() <= granted.1, "the end never moves later");
    assert_eq!(view.cause.as_deref(), Some("expired"));
    nothing_lost_nothing_doubled(&mut lockbox, &messages).await;
    lockbox.finish().await;
}
