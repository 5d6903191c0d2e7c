//! Audit, sequencer and signer in separate processes, which are killed at random under load.

use workers::RoleName;

use crate::faults::{nothing_lost_nothing_doubled, pass};
use crate::harness::{Lockbox, eventually};
use crate::load::Load;

#[tokio::test(flavor = "multi_thread")]
async fn audit_sequencer_and_signer_are_killed_at_random_without_a_split_view_a_gap_or_a_duplicate() {
    let mut lockbox = Lockbox::start_separate("audit-parts", 2).await;
    let load = Load::start(&lockbox.settings, &lockbox.store, &lockbox.pool, 60);
    let pool = lockbox.pool.clone();
    let count =
        async |statement: &'static str| -> i64 { sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap() };
    let (staged, entries, notes) = (
        "select count(*) from audit_staged",
        "select count(*) from audit_entries",
        "select count(*) from audit_checkpoints",
    );
    // Each part does its own work and no other's.
    eventually("events are recorded", async || (count(staged).await > 200).then_some(())).await;
    assert_eq!(count(entries).await, 0, "the audit process adds no entries");
    for number in 0..2 {
        lockbox.spawn(RoleName::Sequencer, number);
    }
    eventually("events have their places", async || (count(entries).await > 200).then_some(())).await;
    assert_eq!(count(notes).await, 0, "the sequencer does not sign");
    for number in 0..2 {
        lockbox.spawn(RoleName::Signer, number);
    }
    eventually("the logs are signed", async || (count(notes).await > 0).then_some(())).await;
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    for round in 0..8 {
        let mut parts = [RoleName::Audit, RoleName::Sequencer, RoleName::Signer];
        random.shuffle(&mut parts);
        for part in parts {
            lockbox.kill_one(part);
            kills += 1;
            pass(&load, random.usize(1..30)).await;
        }
        if round % 4 == 2 {
            let database = lockbox.servers.database.as_mut().unwrap();
            if round == 2 {
                database.stop_immediate()
            } else {
                database.kill()
            }
            database.restart().unwrap();
            pass(&load, 60).await;
        }
    }
    let messages = load.finish().await;
    nothing_lost_nothing_doubled(&mut lockbox, &messages).await;
    eprintln!(
        "{} requests through {kills} kills and 2 restarts of the database: {} entries",
        messages.len(),
        count(entries).await
    );
    let report = lockbox.run_for(&["audit", "verify"], 18);
    assert!(report.contains("every step follows the rules."), "{report}");
    lockbox.finish().await;
}
