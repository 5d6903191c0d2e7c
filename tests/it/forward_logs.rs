//! A log that cannot be forwarded delays no other log, and unreadable entries are reported as a gap.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use workers::RoleName;

use crate::forward::{Collector, Receiver, certificate, forward, parameter, placed, serve};
use crate::harness::{Lockbox, eventually};
use crate::log::record;

async fn recorded(contoso: usize, adatum: usize) -> Lockbox {
    let lockbox = Lockbox::with_roles(&[RoleName::Sequencer]).await;
    record(&lockbox, "contoso", contoso).await;
    record(&lockbox, "adatum", adatum).await;
    placed(&lockbox).await;
    lockbox
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_entries_are_reported_as_a_gap_and_all_other_entries_are_forwarded() {
    let lockbox = recorded(30, 10).await;
    let log = lockbox.store.log_head(Some("contoso")).await.unwrap().unwrap();
    let mut tx = lockbox.pool.begin().await.unwrap();
    sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    for statement in [
        "update audit_events set body = 'x' where id in (select event from audit_entries where log = $1 and index = 3)",
        "delete from audit_events where id in (select event from audit_entries where log = $1 and index = 4)",
        "delete from audit_entries where log = $1 and index = 9",
    ] {
        let done = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(log.id).execute(&mut *tx).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{statement}");
    }
    tx.commit().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (config, ca) = certificate(folder.path());
    let (receiver, to) = Receiver::open(config).await;
    let arguments = ["--to", &to, "--ca-file", ca.to_str().unwrap()];
    let (code, text) = forward(&lockbox, &arguments).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("3 of lockbox.fabrikam.example/t/contoso") && text.contains("audit verify"), "{text}");
    let messages = receiver.messages.lock().unwrap().clone();
    let gaps: Vec<(&str, &str)> = messages
        .iter()
        .filter(|message| message.contains(" lockbox - log.gap ["))
        .map(|message| (parameter(message, "index"), parameter(message, "end")))
        .collect();
    assert_eq!(gaps, [("3", "5"), ("9", "10")]);
    let entries = |tenant: &str| {
        let of = messages.iter().filter(|message| message.contains(&format!(" tenant=\"{tenant}\"")));
        let of = of.filter(|message| !message.contains("log.gap"));
        of.map(|message| parameter(message, "index").parse().unwrap()).collect::<Vec<i64>>()
    };
    let expected: Vec<i64> = (0..log.size).filter(|index| ![3, 4, 9].contains(index)).collect();
    assert_eq!(entries("contoso"), expected);
    let other = lockbox.store.log_head(Some("adatum")).await.unwrap().unwrap();
    assert_eq!(entries("adatum"), (0..other.size).collect::<Vec<_>>());
    // The gap is reported once, and the entries after it are forwarded.
    record(&lockbox, "contoso", 2).await;
    placed(&lockbox).await;
    let size = lockbox.store.log_head(Some("contoso")).await.unwrap().unwrap().size;
    let (code, text) = forward(&lockbox, &arguments).await;
    assert_eq!(code, 0, "{text}");
    let last = (size - 1).to_string();
    let messages = receiver.messages.lock().unwrap().clone();
    let gaps = messages.iter().filter(|message| message.contains("log.gap")).count();
    let has_last =
        messages.iter().any(|message| message.contains(" tenant=\"contoso\"") && parameter(message, "index") == last);
    assert!(gaps == 2 && has_last, "{gaps} gaps");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_the_receiver_refuses_delays_no_other_log() {
    let lockbox = recorded(1700, 3).await;
    let folder = tempfile::tempdir().unwrap();
    let (config, ca) = certificate(folder.path());
    let collector = Collector::default();
    collector.refuses.lock().unwrap().insert("lockbox.fabrikam.example/t/adatum".to_owned(), StatusCode::BAD_REQUEST);
    let to = serve(&collector, config).await;
    let mut staying = tokio::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(["audit", "forward", "--to", &to, "--ca-file", ca.to_str().unwrap(), "--bearer", "let me in"])
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .env("LOCKBOX_ADMIN_LISTEN", "127.0.0.1:0")
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let started = Instant::now();
    let size = placed(&lockbox).await;
    let of = |log: &str| {
        let taken = collector.taken.lock().unwrap();
        taken.iter().filter(|document| document["metadata"]["log_name"] == log).count() as u64
    };
    eventually("Contoso's log is there", async || (of("lockbox.fabrikam.example/t/contoso") == size).then_some(()))
        .await;
    assert!(started.elapsed() < Duration::from_secs(25), "four batches took {:?}", started.elapsed());
    eventually("the operator's log is there", async || (of("lockbox.fabrikam.example/operator") > 0).then_some(()))
        .await;
    assert_eq!(of("lockbox.fabrikam.example/t/adatum"), 0);
    staying.kill().await.unwrap();
    // Once, it says which log was left behind and why.
    let arguments = ["--to", &to, "--ca-file", ca.to_str().unwrap(), "--bearer", "let me in"];
    let (code, text) = forward(&lockbox, &arguments).await;
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("lockbox.fabrikam.example/t/adatum") && text.contains("400"), "{text}");
    collector.refuses.lock().unwrap().clear();
    let (code, text) = forward(&lockbox, &arguments).await;
    assert_eq!(code, 0, "{text}");
    assert!(of("lockbox.fabrikam.example/t/adatum") > 2, "nothing was left out");
    lockbox.finish().await;
}
