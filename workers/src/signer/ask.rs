//! Asks each tenant's witnesses to sign for the latest checkpoint of its log, all at once; who does not answer is asked
//! again with growing pauses, and holds up nobody else.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use store::log::seal::WitnessRow;
use tlog::{Note, Verifier};

use crate::engine::chain;
use crate::supervisor::Surroundings;
use crate::witness::AddCheckpoint;

/// How often unsigned checkpoints are looked for.
const PERIOD: Duration = Duration::from_millis(500);
/// Time limit of one question.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longest pause after failures: a witness that is back should be noticed.
const PAUSE_LIMIT: Duration = Duration::from_secs(30);

type Pauses = HashMap<(i32, String), (u32, Instant)>;

/// Asks until the stop.
pub(super) async fn run(around: Surroundings) {
    let client = match reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()
    {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(error = chain(&error), "witnesses cannot be asked");
            return;
        }
    };
    let mut pauses = Pauses::new();
    while !around.stop.is_cancelled() {
        match around.store.waiting_witnesses().await {
            Ok(waiting) => ask_all(&around, &client, waiting, &mut pauses).await,
            Err(error) => tracing::debug!(error = chain(&error), "witnesses could not be looked up"),
        }
        tokio::select! {
            () = around.stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

async fn ask_all(around: &Surroundings, client: &reqwest::Client, waiting: Vec<WitnessRow>, pauses: &mut Pauses) {
    let now = Instant::now();
    for row in &waiting {
        // From 0 on, so that the first failure is an increase.
        metrics::counter!("lockbox_witness_failed_total", "witness" => row.name.clone()).increment(0);
        metrics::counter!("lockbox_witness_signed_total", "witness" => row.name.clone()).increment(0);
    }
    let due =
        waiting.into_iter().filter(|row| pauses.get(&(row.log, row.name.clone())).is_none_or(|(_, at)| *at <= now));
    let asked = due.map(async |row| (ask(around, client, &row).await, row));
    for (answer, row) in futures_util::future::join_all(asked).await {
        let key = (row.log, row.name.clone());
        match answer {
            Ok(()) => drop(pauses.remove(&key)),
            Err(why) => {
                metrics::counter!("lockbox_witness_failed_total", "witness" => row.name.clone()).increment(1);
                let failures = pauses.get(&key).map_or(0, |(failures, _)| *failures) + 1;
                if failures == 1 {
                    tracing::warn!(witness = row.name, "no signature from a witness: {why}");
                }
                let pause = PERIOD * 2_u32.pow(failures.min(6));
                pauses.insert(key, (failures, Instant::now() + pause.min(PAUSE_LIMIT)));
            }
        }
    }
}

/// One question, and a second one when the witness says that it stands elsewhere.
async fn ask(around: &Surroundings, client: &reqwest::Client, row: &WitnessRow) -> Result<(), String> {
    let told = |fault: &dyn std::error::Error| chain(fault);
    let key: Verifier = row.key.parse().map_err(|fault: tlog::Error| told(&fault))?;
    let note: Note = row.note.parse().map_err(|fault: tlog::Error| told(&fault))?;
    let new = u64::try_from(row.size).unwrap_or_default();
    let mut old = u64::try_from(row.seen).unwrap_or_default();
    for _ in 0..2 {
        let wanted = tlog::tiles_for_consistency(old, new);
        let tiles = around.store.log_tiles(row.log, &wanted).await.map_err(|fault| told(&fault))?;
        let proof = tlog::prove_consistency(&tiles, old, new).map_err(|fault| told(&fault))?;
        let body = AddCheckpoint { old, proof, note: note.clone() }.body();
        let answer = client.post(format!("{}/add-checkpoint", row.url)).body(body).send().await;
        let answer = answer.map_err(|fault| told(&fault))?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|fault| told(&fault))?;
        match status {
            200 => {
                let lines: String = text.chars().take(10_000).collect();
                let cosigned: Note =
                    format!("{}\n{lines}", note.text).parse().map_err(|fault: tlog::Error| told(&fault))?;
                cosigned.verify(std::slice::from_ref(&key)).map_err(|fault| told(&fault))?;
                let own = lines.lines().find(|line| line.contains(&format!(" {} ", key.name))).unwrap_or_default();
                let keeping = around.store.keep_cosignature(row.log, row.size, &row.name, own).await;
                metrics::counter!("lockbox_witness_signed_total", "witness" => row.name.clone()).increment(1);
                return keeping.map_err(|fault| told(&fault));
            }
            409 => {
                let stands: u64 = text.trim().parse().map_err(|_| "it answered 409 without its size".to_owned())?;
                if stands > new || stands == old {
                    return Err(format!(
                        "it stands at {stands} entries and the log has {new}: they do not go together"
                    ));
                }
                old = stands;
            }
            other => return Err(format!("it answered {other}")),
        }
    }
    Err("it changes its mind about where it stands".to_owned())
}
