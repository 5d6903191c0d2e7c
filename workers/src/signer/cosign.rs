//! Requests cosignatures for the latest checkpoint of each log from its witnesses, all at the same time. A witness that
//! fails is called again with growing pauses and delays no other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use store::log::seal::WitnessRow;
use tlog::{AddCheckpoint, Note, Verifier};

use crate::error_chain::error_chain;
use crate::shared::Shared;

/// How often checkpoints without a cosignature are read.
const PERIOD: Duration = Duration::from_millis(500);
/// Time limit of one call.
const CALL_LIMIT: Duration = Duration::from_secs(3);
/// Longest pause after failures, so that the recovery of a witness is noticed soon.
const PAUSE_LIMIT: Duration = Duration::from_secs(30);

type Pauses = HashMap<(i32, String), (u32, Instant)>;

/// Requests cosignatures until the stop.
pub(super) async fn run(shared: Shared) {
    let client =
        match reqwest::Client::builder().timeout(CALL_LIMIT).redirect(reqwest::redirect::Policy::none()).build() {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(error = error_chain(&error), "cannot call witnesses: no HTTP client");
                return;
            }
        };
    let mut pauses = Pauses::new();
    while !shared.stop.is_cancelled() {
        match shared.store.pending_witnesses().await {
            Ok(waiting) => request_all(&shared, &client, waiting, &mut pauses).await,
            Err(error) => tracing::debug!(
                error = error_chain(&error),
                "cannot read the checkpoints without a cosignature; trying again"
            ),
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

async fn request_all(shared: &Shared, client: &reqwest::Client, waiting: Vec<WitnessRow>, pauses: &mut Pauses) {
    let now = Instant::now();
    for row in &waiting {
        // From 0 on, so that the first failure is an increase.
        metrics::counter!("lockbox_witness_failed_total", "witness" => row.name.clone()).increment(0);
        metrics::counter!("lockbox_witness_signed_total", "witness" => row.name.clone()).increment(0);
    }
    let due =
        waiting.into_iter().filter(|row| pauses.get(&(row.log, row.name.clone())).is_none_or(|(_, at)| *at <= now));
    let calls = due.map(async |row| (request_cosignature(shared, client, &row).await, row));
    for (answer, row) in futures_util::future::join_all(calls).await {
        let key = (row.log, row.name.clone());
        match answer {
            Ok(()) => drop(pauses.remove(&key)),
            Err(why) => {
                metrics::counter!("lockbox_witness_failed_total", "witness" => row.name.clone()).increment(1);
                let failures = pauses.get(&key).map_or(0, |(failures, _)| *failures) + 1;
                if failures == 1 {
                    tracing::warn!(witness = row.name, "a witness did not cosign; calling it again: {why}");
                }
                let pause = PERIOD * 2_u32.pow(failures.min(6));
                pauses.insert(key, (failures, Instant::now() + pause.min(PAUSE_LIMIT)));
            }
        }
    }
}

/// Requests a cosignature. Calls once more when the witness reports another size of its last checkpoint.
async fn request_cosignature(shared: &Shared, client: &reqwest::Client, row: &WitnessRow) -> Result<(), String> {
    let reason = |fault: &dyn std::error::Error| error_chain(fault);
    let key: Verifier = row.key.parse().map_err(|fault: tlog::Error| reason(&fault))?;
    let note: Note = row.note.parse().map_err(|fault: tlog::Error| reason(&fault))?;
    let new = u64::try_from(row.size).unwrap_or_default();
    let mut old = u64::try_from(row.seen).unwrap_or_default();
    for _ in 0..2 {
        let wanted = tlog::tiles_for_consistency(old, new);
        let tiles = shared.store.log_tiles(row.log, &wanted).await.map_err(|fault| reason(&fault))?;
        let proof = tlog::prove_consistency(&tiles, old, new).map_err(|fault| reason(&fault))?;
        let body = AddCheckpoint { old, proof, note: note.clone() }.body();
        let answer = client.post(format!("{}/add-checkpoint", row.url)).body(body).send().await;
        let answer = answer.map_err(|fault| reason(&fault))?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|fault| reason(&fault))?;
        match status {
            200 => {
                let lines: String = text.chars().take(10_000).collect();
                let cosigned: Note =
                    format!("{}\n{lines}", note.text).parse().map_err(|fault: tlog::Error| reason(&fault))?;
                cosigned.verify(std::slice::from_ref(&key)).map_err(|fault| reason(&fault))?;
                let own = lines.lines().find(|line| line.contains(&format!(" {} ", key.name))).unwrap_or_default();
                let stored = shared.store.store_cosignature(row.log, row.size, &row.name, own).await;
                metrics::counter!("lockbox_witness_signed_total", "witness" => row.name.clone()).increment(1);
                return stored.map_err(|fault| reason(&fault));
            }
            409 => {
                let witnessed: u64 =
                    text.trim().parse().map_err(|_| "it responded with 409 without a size".to_owned())?;
                if witnessed > new || witnessed == old {
                    return Err(format!(
                        "the witness has seen {witnessed} entries, but the log has {new}: they are inconsistent"
                    ));
                }
                old = witnessed;
            }
            other => return Err(format!("it responded with {other}")),
        }
    }
    Err("it reported two different sizes of its last checkpoint".to_owned())
}
