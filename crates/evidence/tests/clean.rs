//! Clean logs are found to be clean.
#![allow(clippy::unwrap_used, reason = "a test that finds something odd should stop there")]

use std::path::Path;
use std::process::Command;

use evidence::bundle::{Trust, examine};
use evidence::invented::{Invented, unpack};
use evidence::{Examination, Given};

fn trust(log: &Invented) -> Trust {
    Trust { keys: vec![log.signer.verifier().clone()], ..Trust::default() }
}

/// What the second verifier says of each, all in one process; `None` where there is no Python.
fn second_opinion(folder: &Path, logs: &[(Invented, Vec<u8>)]) -> Option<Vec<u8>> {
    let mut list = String::new();
    for (number, (log, archive)) in logs.iter().enumerate() {
        let path = folder.join(format!("{number}.tar"));
        std::fs::write(&path, archive).unwrap();
        list += &format!("{}\t{}\n", path.display(), log.signer.verifier());
    }
    std::fs::write(folder.join("list"), list).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/verify.py");
    let done = Command::new("python3").arg(program).arg("--batch").arg(folder.join("list")).output().ok()?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    Some(text.lines().map(|line| line.rsplit_once('\t').unwrap().1.parse().unwrap()).collect())
}

#[test]
fn a_thousand_clean_logs_raise_no_alarm_with_either_verifier() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clean");
    std::fs::create_dir_all(&folder).unwrap();
    let mut second = 0;
    for part in 0..10 {
        let mut logs = Vec::new();
        for seed in part * 100..(part + 1) * 100 {
            let mut log = Invented::new("contoso", seed);
            // One in a hundred has several tiles of leaves, and neither level ends with a full one.
            log.grow(if seed % 100 == 99 { 1100 } else { [1, 20, 60, 300][usize::try_from(seed % 4).unwrap()] });
            let archive = log.bundle(Vec::new()).unwrap();
            let report = examine(&unpack(&archive), &trust(&log), &mut |_, _| {});
            assert_eq!(report.code(), 0, "log {seed}: {report}");
            assert_eq!(report.entries, log.size());
            assert_eq!(report.remarks, [""; 0]);
            logs.push((log, archive));
        }
        if let Some(codes) = second_opinion(&folder, &logs) {
            assert!(codes.iter().all(|code| *code == 0), "from log {}: {codes:?}", part * 100);
            second += codes.len();
        }
    }
    println!("1000 clean logs, {second} of them by the second verifier too");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_period_that_begins_anywhere_raises_no_alarm() {
    for seed in 0..40 {
        let mut log = Invented::new("contoso", seed);
        log.grow(60);
        for first in 1..log.size() {
            let given = Given {
                origin: log.origin.clone(),
                head: log.checkpoint().to_string(),
                keys: vec![log.signer.verifier().clone()],
                covers: first..log.size(),
                ..Given::default()
            };
            let mut examination = Examination::new(given);
            for (index, entry) in (0..).zip(&log.entries) {
                let there = (index >= first).then_some(entry.as_slice());
                examination.leaf(Some(tlog::leaf_hash(entry)), there);
            }
            let report = examination.finish();
            assert_eq!(report.code(), 0, "log {seed} from {first}: {report}");
        }
    }
}
