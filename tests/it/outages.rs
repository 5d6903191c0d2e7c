//! A read-only database, a pooler in transaction mode, and a broker login with reserved characters.

use std::time::Duration;

use contracts::Kind;
use runtime::configuration::Settings;
use servers::pgbouncer::PgBouncer;
use servers::rabbitmq;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{Store, StoreOptions};
use uuid::Uuid;

use crate::harness::{Lockbox, ROLES, envelope, eventually, packages, progress, submission};
use crate::target_servers::folder;

/// Makes a database read-only or not, for every session from now on, and says its name.
async fn set_read_only(lockbox: &Lockbox, admin: &mut PgConnection, is_read_only: bool) -> String {
    let name = lockbox.settings.database_url.rsplit('/').next().unwrap().to_owned();
    let value = if is_read_only { "on" } else { "off" };
    let statement = format!("alter database {name} set default_transaction_read_only = {value}");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(admin).await.unwrap();
    name
}

/// A connection beside the Lockbox' database.
async fn admin(lockbox: &Lockbox) -> PgConnection {
    let mut url = url::Url::parse(&lockbox.settings.database_url).unwrap();
    url.set_path("postgres");
    PgConnection::connect(url.as_str()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_wait_for_a_read_only_database_and_use_no_delivery_attempt() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let mut admin = admin(&lockbox).await;
    let name = set_read_only(&lockbox, &mut admin, true).await;
    // As at a failover: connections break, and new ones lead to a server that takes no writes.
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1";
    sqlx::query(cut).bind(&name).execute(&mut admin).await.unwrap();
    let id = Uuid::now_v7().to_string();
    lockbox.publish_raw(Kind::RequestSubmit.key(), &id, envelope(Kind::RequestSubmit, &id, &submission())).await;
    let intake = lockbox.settings.names.queue("intake");
    let depth = async || {
        let depths = broker::topology::depths(&lockbox.link, &lockbox.settings.names).await.unwrap();
        depths.into_iter().find(|depth| depth.queue == intake).unwrap()
    };
    eventually("the role intake says that the database is read-only", async || {
        lockbox.unready().into_iter().find(|(part, why)| *part == "intake" && why.contains("read-only"))
    })
    .await;
    // Giving the message back would count as an attempt: it stays in hand with the consumer, or, where the role had to
    // connect to the broker anew, in a queue that nobody consumes until the database takes writes.
    for _ in 0..40 {
        let depth = depth().await;
        let state = (depth.ready, depth.consumers);
        assert!(state == (0, 1) || state == (1, 0), "the delivery is neither in hand nor in its queue: {state:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    set_read_only(&lockbox, &mut admin, false).await;
    // Connections that were made meanwhile stay read-only; they are replaced.
    assert_eq!(lockbox.answer(&id).await.type_name, "request.submitted");
    eventually("every role is ready again", async || lockbox.unready().is_empty().then_some(())).await;
    assert_eq!(lockbox.store.dead_letter_count().await.unwrap(), 0, "nothing became a dead-letter message");
    lockbox.finish().await;
}

/// What `lockbox doctor` prints about these settings.
fn doctor(settings: &Settings) -> String {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(["doctor", "--database-url", &settings.database_url, "--amqp-url", &settings.amqp_url])
        .args(["--prefix", settings.names.prefix()])
        .output()
        .unwrap();
    String::from_utf8([done.stdout, done.stderr].concat()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_session_mode_works_and_one_in_transaction_mode_is_refused() {
    let mut lockbox = Lockbox::without_roles().await;
    let direct = lockbox.settings.database_url.clone();
    let mut servers = Vec::new();
    for mode in ["transaction", "session"] {
        let folder = folder(&format!("pgbouncer-{mode}"));
        match tokio::task::block_in_place(|| PgBouncer::start(&folder, &packages(), &direct, mode, &progress())) {
            Err(fault @ servers::Error::Offline { .. }) => return eprintln!("skipped: {fault}"),
            started => servers.push(started.unwrap()),
        }
    }
    lockbox.settings.database_url = servers[0].url().to_owned();
    let said = doctor(&lockbox.settings);
    assert!(said.contains("FAIL  sessions") && said.contains("pooler in transaction mode"), "{said}");
    let options = |url: &str| StoreOptions { url: url.into(), connections: 4, name: "test".into() };
    let pooled = Store::connect_worker(&options(servers[0].url())).unwrap();
    for refused in
        [pooled.check_sessions().await.err(), pooled.signer_lock().await.err(), pooled.forward_to("x").await.err()]
    {
        assert!(matches!(refused, Some(store::Error::Pooled)), "{refused:?}");
    }
    lockbox.settings.database_url = servers[1].url().to_owned();
    let said = doctor(&lockbox.settings);
    assert!(said.contains("ok    database") && !said.contains("sessions"), "{said}");
    let worker = Store::connect_worker(&options(servers[1].url())).unwrap();
    assert_eq!(worker.setting("enable_seqscan").await.unwrap(), "off", "settings hold without start-up parameters");
    assert_eq!(worker.setting("lock_timeout").await.unwrap(), "10s");
    lockbox.start(&ROLES).await;
    lockbox.granted(&submission()).await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_login_with_reserved_characters_can_send_events() {
    let mut lockbox = Lockbox::without_roles().await;
    let users = "default_user = svc@lockbox\ndefault_pass = p@ss:word/1\n";
    let start = || rabbitmq::Private::with_users(&folder("reserved-login"), &packages(), users, &progress());
    let mut server = tokio::task::block_in_place(start).unwrap();
    let url = format!("amqp://svc%40lockbox:p%40ss%3Aword%2F1@127.0.0.1:{}/%2f", server.port());
    lockbox.delete_topology().await;
    lockbox.settings.amqp_url = url.clone();
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
    // Lists the login as one that may send, under the name by which the broker knows it.
    devkit::dev::prepare(&lockbox.settings, Some(&directory)).await.unwrap();
    let config = broker::Config { url, name: "test".into() };
    lockbox.link = broker::Link::open(&config).await.unwrap();
    assert_eq!(lockbox.link.login(), "svc@lockbox");
    lockbox.publisher = broker::Publisher::open(&lockbox.link, &lockbox.settings.names).await.unwrap().into();
    lockbox.start(&ROLES).await;
    let request = lockbox.granted(&submission()).await;
    lockbox.event(request, "grant.activated").await;
    assert_eq!(lockbox.store.dead_letter_count().await.unwrap(), 0, "no event counts as forged");
    assert!(!doctor(&lockbox.settings).contains("may not send"));
    lockbox.finish().await;
    tokio::task::block_in_place(|| server.stop());
}
