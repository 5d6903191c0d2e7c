//! Recomputes every log from its bytes: it has no gap, its streams are chained, and every signed checkpoint is a prefix of it.

use std::collections::{HashMap, HashSet};

use store::log::EntryRow;
use tlog::{Checkpoint, Hash, Note, Verifier};

use crate::harness::{Lockbox, eventually};

/// Waits until all events are in the log and signed, then checks every log.
pub async fn are_whole(lockbox: &Lockbox) {
    eventually("every event has its place and every log is signed", async || {
        let waiting: i64 =
            sqlx::query_scalar("select count(*) from audit_staged").fetch_one(&lockbox.pool).await.ok()?;
        (waiting == 0 && lockbox.store.unsigned_heads().await.ok()?.is_empty()).then_some(())
    })
    .await;
    let mut events = HashSet::new();
    let mut placed = 0;
    for head in lockbox.store.log_heads().await.unwrap() {
        let entries = lockbox.store.log_entries(&head, 0, head.size).await.unwrap();
        assert_eq!(i64::try_from(entries.len()).unwrap(), head.size, "{} has gaps", head.origin);
        let mut tree = tlog::Frontier::default();
        let mut roots = vec![tree.root()];
        for (index, entry) in (0..).zip(&entries) {
            assert_eq!(entry.index, index);
            assert!(events.insert(entry.event), "{} is in a log twice", entry.event);
            tree.push(tlog::leaf_hash(entry.bytes.as_deref().unwrap()));
            roots.push(tree.root());
        }
        assert_eq!(tree.root().0.to_vec(), head.root);
        placed += head.size;
        streams(&entries);
        let keys = lockbox.store.log_keys(head.tenant.as_deref()).await.unwrap();
        let keys: Vec<Verifier> = keys.iter().map(|key| key.parse().unwrap()).collect();
        let notes: Vec<String> = sqlx::query_scalar("select note from audit_checkpoints where log = $1")
            .bind(head.id)
            .fetch_all(&lockbox.pool)
            .await
            .unwrap();
        assert!(!notes.is_empty());
        for note in notes {
            let (signed, _) = Checkpoint::open(&note.parse::<Note>().unwrap(), &keys).unwrap();
            assert_eq!(signed.root, roots[usize::try_from(signed.size).unwrap()], "a fork was signed");
        }
    }
    let recorded: i64 = sqlx::query_scalar("select count(*) from audit_events").fetch_one(&lockbox.pool).await.unwrap();
    assert!(placed > 0 && recorded >= placed, "{placed} placed of {recorded}");
}

fn streams(entries: &[EntryRow]) {
    let mut last: HashMap<Option<String>, (u64, Hash, u64)> = HashMap::new();
    for entry in entries {
        let bytes = entry.bytes.as_deref().unwrap();
        let wrapped: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let stream = wrapped["event"]["correlationid"].as_str().map(str::to_owned);
        let (seq, leaf, version) = last.entry(stream).or_insert((0, Hash([0; 32]), 0));
        assert_eq!(wrapped["seq"], *seq + 1);
        assert_eq!(wrapped["prev"].as_str().unwrap(), hex::encode(leaf.0));
        if let Some(step) = wrapped["event"]["subjectversion"].as_u64() {
            assert_eq!(step, *version + 1);
            *version = step;
        }
        (*seq, *leaf) = (*seq + 1, tlog::leaf_hash(bytes));
    }
}
