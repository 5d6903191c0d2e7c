//! Ten thousand tampered logs: both verifiers detect each one and report the right exit code.
//!
//! An outsider has everything except the log key and computes new hashes, checksums and views. The log operator also has
//! the key: lifecycle rules, gaps and pinned checkpoints reveal such changes.
#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "a test should stop at the first error")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use evidence::bundle::{Trust, examine};
use evidence::fixtures::{SampleLog, pack, unpack};
use evidence::{Report, tar};
use serde_json::Value;
use tlog::{Hash, Note, bundle};

mod kinds;

use kinds::{Case, KINDS};

const TAMPERS: usize = 10_000;

fn verify(case: &Case) -> Report {
    let (_, damage) = tar::list(case.archive.as_slice());
    let files = unpack(&case.archive);
    let pinned = case.pinned.iter().map(|note| ("a mail".to_owned(), note.clone())).collect();
    let trust = Trust { keys: vec![case.key.clone()], pinned, ..Trust::default() };
    evidence::bundle::examine_damaged(&files, damage.as_ref(), &trust, &mut |_, _| {})
}

/// Exit codes of the Python verifier. `None` without Python.
fn python_codes(folder: &Path, cases: &[(usize, Case)]) -> Option<Vec<u8>> {
    let mut list = String::new();
    for (number, case) in cases {
        let path = folder.join(format!("{number}.tar"));
        std::fs::write(&path, &case.archive).unwrap();
        list += &format!("{}\t{}", path.display(), case.key);
        if let Some(note) = &case.pinned {
            let mail = folder.join(format!("{number}.txt"));
            std::fs::write(&mail, format!("Hello,\n\n{note}\nLockbox\n")).unwrap();
            list += &format!("\t{}", mail.display());
        }
        list += "\n";
    }
    let path = folder.join("list");
    std::fs::write(&path, list).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/verify");
    let done = match std::process::Command::new("python3").arg(program).arg("--batch").arg(path).output() {
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return None,
        done => done.unwrap(),
    };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    Some(text.lines().map(|line| line.rsplit_once('\t').unwrap().1.parse().unwrap()).collect())
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn grown(seed: u64) -> SampleLog {
    let mut log = SampleLog::new("contoso", seed);
    log.grow(24);
    log
}

/// A log with several leaf tiles, and a partial last tile on each level.
fn tiled(seed: u64) -> SampleLog {
    let mut log = SampleLog::new("contoso", seed);
    log.grow(600);
    log
}

#[test]
fn both_verifiers_detect_every_tampered_log_with_the_same_exit_code() {
    let folder = scratch("tampers");
    let mut logs: Vec<SampleLog> = (0..2000).map(grown).filter(kinds::has_everything).take(23).collect();
    logs.push(tiled(1));
    assert_eq!(logs.len(), 24);
    let other = {
        let mut other = SampleLog::new("adatum", 7_000_007);
        other.grow(24);
        other
    };
    let mut draw = SampleLog::new("numbers", 4711);
    let (mut found, mut by_kind, mut has_python) = (0, BTreeMap::new(), true);
    let mut clean = Vec::new();
    for log in &logs {
        let case = Case::new(log, log.bundle(Vec::new()).unwrap());
        assert_eq!(verify(&case).code(), 0, "{}", verify(&case));
        clean.push((clean.len(), case));
    }
    if let Some(codes) = python_codes(&folder, &clean) {
        assert!(codes.iter().all(|code| *code == 0), "{codes:?}");
    }
    for part in 0..TAMPERS / 500 {
        let mut cases = Vec::new();
        let mut codes = Vec::new();
        for number in part * 500..(part + 1) * 500 {
            let (name, expected, tamper) = KINDS[number % KINDS.len()];
            let log = &logs[(number / KINDS.len()) % logs.len()];
            let case = tamper(log, &other, &mut || draw.draw());
            let report = verify(&case);
            assert!(expected.contains(&report.code()), "{number} {name}: expected one of {expected:?}, got\n{report}");
            *by_kind.entry(name).or_insert(0) += 1;
            found += 1;
            codes.push(report.code());
            cases.push((number, case));
        }
        match python_codes(&folder, &cases) {
            Some(second) => {
                for ((number, _), (first, second)) in cases.iter().zip(codes.iter().zip(&second)) {
                    let name = KINDS[number % KINDS.len()].0;
                    assert_eq!(first, second, "{number} {name}: the two verifiers disagree");
                }
                assert_eq!(second.len(), codes.len());
            }
            None => has_python = false,
        }
    }
    let second =
        if has_python { "by both verifiers" } else { "by one verifier only, because python3 is not installed" };
    println!("{found} of {TAMPERS} tampered logs of {} kinds detected {second}: {by_kind:?}", KINDS.len());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn both_verifiers_agree_on_the_test_vectors_and_the_vectors_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let log = (0..).map(grown).find(kinds::has_everything).unwrap();
    let other = SampleLog::new("adatum", 7_000_007);
    let mut state = 0;
    let mut cases = vec![("clean".to_owned(), Case::new(&log, log.bundle(Vec::new()).unwrap()))];
    for (name, _, tamper) in KINDS.iter().filter(|(name, ..)| kinds::VECTORS.contains(name)) {
        let mut draw = || {
            state += 1;
            state
        };
        cases.push((name.replace(' ', "-"), tamper(&log, &other, &mut draw)));
    }
    let mut expected =
        String::from("# bundle, key, exit code; a .txt file beside a bundle is a mail with a pinned checkpoint\n");
    for (name, case) in &cases {
        expected += &format!("{name}.tar\t{}\t{}\n", case.key, verify(case).code());
    }
    #[allow(clippy::disallowed_methods, reason = "this variable makes the test write the vectors")]
    if std::env::var_os("LOCKBOX_BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("vectors.tsv"), &expected).unwrap();
        for (name, case) in &cases {
            std::fs::write(folder.join(format!("{name}.tar")), &case.archive).unwrap();
            if let Some(note) = &case.pinned {
                std::fs::write(folder.join(format!("{name}.txt")), format!("Hello,\n\n{note}\nLockbox\n")).unwrap();
            }
        }
    }
    assert_eq!(
        std::fs::read_to_string(folder.join("vectors.tsv")).unwrap_or_default(),
        expected,
        "run the test with LOCKBOX_BLESS=1 to write the vectors"
    );
    for (name, case) in &cases {
        assert!(
            std::fs::read(folder.join(format!("{name}.tar"))).unwrap() == case.archive,
            "{name} is out of date; run the test with LOCKBOX_BLESS=1"
        );
    }
    let numbered: Vec<(usize, Case)> = cases.into_iter().map(|(_, case)| case).enumerate().collect();
    let scratch = scratch("vectors");
    if let Some(second) = python_codes(&scratch, &numbered) {
        let first: Vec<u8> = numbered.iter().map(|(_, case)| verify(case).code()).collect();
        assert_eq!(first, second);
    }
}

#[test]
fn a_key_change_is_followed_from_the_trusted_key() {
    let mut log = grown(3);
    let new = tlog::Signer::from_seed(&log.origin, tlog::Kind::Log, &[9; 32]).unwrap();
    let data = serde_json::json!({
        "actor": {"kind": "lockbox"}, "key": new.verifier().to_string(), "previous": log.signer.verifier().to_string(),
    });
    log.event("log.key_changed", None, None, &data);
    let announced = log.checkpoint();
    let size = log.entries.len() as u64;
    log.grow(log.size() + 20);
    let text = log.checkpoint().text;
    let by_new = Note { signatures: vec![new.sign(&text, 0)], text };
    let verify_with = |earlier: &[(u64, Note)]| {
        let files = unpack(&log.bundle_signed(Vec::new(), by_new.clone(), earlier).unwrap());
        let trust = Trust { keys: vec![log.signer.verifier().clone()], ..Trust::default() };
        examine(&files, &trust, &mut |_, _| {}).code()
    };
    assert_eq!(verify_with(&[(size, announced)]), 0);
    // Without a checkpoint by the old key, the new key is not trusted.
    assert_eq!(verify_with(&[]), 10);
}

#[test]
fn a_report_names_the_entry_the_request_and_the_person() {
    let log = (0..).map(grown).find(kinds::has_everything).unwrap();
    let mut events = log.events();
    let place = events.iter().position(|event| event["type"] == "lockbox.request.vendor_approved.v1").unwrap();
    events[place]["data"]["actor"] = events[0..place]
        .iter()
        .rev()
        .find(|event| event["correlationid"] == events[place]["correlationid"])
        .map(|event| event["data"]["actor"].clone())
        .unwrap();
    let case = Case::new(&log, log.with_events(&events).unwrap().bundle(Vec::new()).unwrap());
    let text = verify(&case).to_string();
    let request = events[place]["correlationid"].as_str().unwrap();
    for part in ["the requester does not review their own request", &format!("entry {place}"), request, "by robin"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}
