//! Unchanged logs and bundles are valid.
#![allow(clippy::unwrap_used, reason = "a test should stop at the first error")]

use std::path::Path;
use std::process::Command;

use evidence::bundle::{Trust, examine};
use evidence::fixtures::{SampleLog, unpack};
use evidence::{Examination, Inputs};

fn trust(log: &SampleLog) -> Trust {
    Trust { keys: vec![log.signer.verifier().clone()], ..Trust::default() }
}

/// Exit codes of the Python verifier for all bundles, in one process. `None` without Python.
fn python_codes(folder: &Path, logs: &[(SampleLog, Vec<u8>)]) -> Option<Vec<u8>> {
    let mut list = String::new();
    for (number, (log, archive)) in logs.iter().enumerate() {
        let path = folder.join(format!("{number}.tar"));
        std::fs::write(&path, archive).unwrap();
        list += &format!("{}\t{}\n", path.display(), log.signer.verifier());
    }
    std::fs::write(folder.join("list"), list).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/verify");
    let done = Command::new("python3").arg(program).arg("--batch").arg(folder.join("list")).output().ok()?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    Some(text.lines().map(|line| line.rsplit_once('\t').unwrap().1.parse().unwrap()).collect())
}

#[test]
fn a_thousand_unchanged_logs_are_valid_for_both_verifiers() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clean");
    std::fs::create_dir_all(&folder).unwrap();
    let mut second = 0;
    for part in 0..10 {
        let mut logs = Vec::new();
        for seed in part * 100..(part + 1) * 100 {
            let mut log = SampleLog::new("contoso", seed);
            // One in a hundred logs has several leaf tiles, and its last tile on each level is partial.
            log.grow(if seed % 100 == 99 { 1100 } else { [1, 20, 60, 300][usize::try_from(seed % 4).unwrap()] });
            let archive = log.bundle(Vec::new()).unwrap();
            let report = examine(&unpack(&archive), &trust(&log), &mut |_, _| {});
            assert_eq!(report.code(), 0, "log {seed}: {report}");
            assert_eq!(report.entries, log.size());
            assert_eq!(report.remarks, [""; 0]);
            logs.push((log, archive));
        }
        if let Some(codes) = python_codes(&folder, &logs) {
            assert!(codes.iter().all(|code| *code == 0), "from log {}: {codes:?}", part * 100);
            second += codes.len();
        }
    }
    println!("1000 logs verified, {second} of them by the Python verifier too");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_python_verifier_runs_as_a_zipapp() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("zipapp");
    std::fs::create_dir_all(&folder).unwrap();
    let (program, bundle) = (folder.join("verify.pyz"), project.join("tests/vectors/clean.tar"));
    let packing =
        Command::new("python3").args(["-m", "zipapp", "-o"]).arg(&program).arg(project.join("tools/verify")).status();
    match packing {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return println!("skipped: there is no python3"),
        status => assert!(status.unwrap().success()),
    }
    let done = Command::new("python3").arg(program).arg(bundle).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success() && text.contains("\nVALID: "), "{text}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_period_that_starts_at_any_entry_is_valid() {
    for seed in 0..40 {
        let mut log = SampleLog::new("contoso", seed);
        log.grow(60);
        for first in 1..log.size() {
            let inputs = Inputs {
                origin: log.origin.clone(),
                head: log.checkpoint().to_string(),
                keys: vec![log.signer.verifier().clone()],
                covers: first..log.size(),
                ..Inputs::default()
            };
            let mut examination = Examination::new(inputs);
            for (index, entry) in (0..).zip(&log.entries) {
                let present = (index >= first).then_some(entry.as_slice());
                examination.add_leaf(Some(tlog::leaf_hash(entry)), present);
            }
            let report = examination.finish();
            assert_eq!(report.code(), 0, "log {seed} from {first}: {report}");
        }
    }
}
