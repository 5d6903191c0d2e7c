//! Ten thousand tampered logs: each is found, for the right reason, by both verifiers.
//!
//! Tampers by outsiders have all but the log's key: they make hashes, sums and views anew. Tampers by the owner have the
//! key as well, and are found by the rules, by gaps, or by a checkpoint that somebody kept.
#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "a test that finds something odd should stop there")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use evidence::bundle::{Trust, examine};
use evidence::invented::{Invented, pack, unpack};
use evidence::{Report, tar};
use serde_json::Value;
use tlog::{Hash, Note, bundle};

mod kinds;

use kinds::{Case, KINDS};

const TAMPERS: usize = 10_000;

fn verify(case: &Case) -> Report {
    let (_, torn) = tar::list(case.archive.as_slice());
    let files = unpack(&case.archive);
    let held = case.held.iter().map(|note| ("a mail".to_owned(), note.clone())).collect();
    let trust = Trust { keys: vec![case.key.clone()], held, ..Trust::default() };
    evidence::bundle::examine_torn(&files, torn.as_ref(), &trust, &mut |_, _| {})
}

/// What the second verifier says of each; `None` where there is no Python.
fn second_opinion(folder: &Path, cases: &[(usize, Case)]) -> Option<Vec<u8>> {
    let mut list = String::new();
    for (number, case) in cases {
        let path = folder.join(format!("{number}.tar"));
        std::fs::write(&path, &case.archive).unwrap();
        list += &format!("{}\t{}", path.display(), case.key);
        if let Some(note) = &case.held {
            let mail = folder.join(format!("{number}.txt"));
            std::fs::write(&mail, format!("Hello,\n\n{note}\nLockbox\n")).unwrap();
            list += &format!("\t{}", mail.display());
        }
        list += "\n";
    }
    let path = folder.join("list");
    std::fs::write(&path, list).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/verify.py");
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

fn grown(seed: u64) -> Invented {
    let mut log = Invented::new("contoso", seed);
    log.grow(24);
    log
}

/// A log of several tiles, none of which is full on either level.
fn tiled(seed: u64) -> Invented {
    let mut log = Invented::new("contoso", seed);
    log.grow(600);
    log
}

#[test]
fn every_tamper_is_found_for_the_right_reason_and_both_verifiers_agree() {
    let folder = scratch("tampers");
    let mut logs: Vec<Invented> = (0..2000).map(grown).filter(kinds::has_everything).take(23).collect();
    logs.push(tiled(1));
    assert_eq!(logs.len(), 24);
    let other = {
        let mut other = Invented::new("adatum", 7_000_007);
        other.grow(24);
        other
    };
    let mut draw = Invented::new("numbers", 4711);
    let (mut found, mut by_kind, mut has_python) = (0, BTreeMap::new(), true);
    let mut clean = Vec::new();
    for log in &logs {
        let case = Case::new(log, log.bundle(Vec::new()).unwrap());
        assert_eq!(verify(&case).code(), 0, "{}", verify(&case));
        clean.push((clean.len(), case));
    }
    if let Some(codes) = second_opinion(&folder, &clean) {
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
            assert!(expected.contains(&report.code()), "{number} {name}: {expected:?} expected, found\n{report}");
            *by_kind.entry(name).or_insert(0) += 1;
            found += 1;
            codes.push(report.code());
            cases.push((number, case));
        }
        match second_opinion(&folder, &cases) {
            Some(second) => {
                for ((number, _), (first, second)) in cases.iter().zip(codes.iter().zip(&second)) {
                    let name = KINDS[number % KINDS.len()].0;
                    assert_eq!(first, second, "{number} {name}: the two verifiers say different things");
                }
                assert_eq!(second.len(), codes.len());
            }
            None => has_python = false,
        }
    }
    let second =
        if has_python { "and by the second verifier" } else { "; there is no python3, so only by one verifier" };
    println!("{found} of {TAMPERS} tampers of {} kinds found, {second}: {by_kind:?}", KINDS.len());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_vectors_are_judged_alike_by_both_verifiers_and_are_those_that_the_code_makes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let log = (0..).map(grown).find(kinds::has_everything).unwrap();
    let other = Invented::new("adatum", 7_000_007);
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
        String::from("# bundle, key, exit code; a .txt beside a bundle is a mail with a checkpoint that was kept\n");
    for (name, case) in &cases {
        expected += &format!("{name}.tar\t{}\t{}\n", case.key, verify(case).code());
    }
    #[allow(clippy::disallowed_methods, reason = "the way to write the vectors again")]
    if std::env::var_os("LOCKBOX_BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("vectors.tsv"), &expected).unwrap();
        for (name, case) in &cases {
            std::fs::write(folder.join(format!("{name}.tar")), &case.archive).unwrap();
            if let Some(note) = &case.held {
                std::fs::write(folder.join(format!("{name}.txt")), format!("Hello,\n\n{note}\nLockbox\n")).unwrap();
            }
        }
    }
    assert_eq!(
        std::fs::read_to_string(folder.join("vectors.tsv")).unwrap_or_default(),
        expected,
        "LOCKBOX_BLESS=1 writes them again"
    );
    for (name, case) in &cases {
        assert!(std::fs::read(folder.join(format!("{name}.tar"))).unwrap() == case.archive, "{name} is old");
    }
    let numbered: Vec<(usize, Case)> = cases.into_iter().map(|(_, case)| case).enumerate().collect();
    let scratch = scratch("vectors");
    if let Some(second) = second_opinion(&scratch, &numbered) {
        let first: Vec<u8> = numbered.iter().map(|(_, case)| verify(case).code()).collect();
        assert_eq!(first, second);
    }
}

#[test]
fn a_change_of_the_key_is_followed_from_the_key_that_was_given() {
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
    let judge = |earlier: &[(u64, Note)]| {
        let files = unpack(&log.bundle_signed(Vec::new(), by_new.clone(), earlier).unwrap());
        let trust = Trust { keys: vec![log.signer.verifier().clone()], ..Trust::default() };
        examine(&files, &trust, &mut |_, _| {}).code()
    };
    assert_eq!(judge(&[(size, announced)]), 0);
    // Without what the old key signed, nothing says that the new one may.
    assert_eq!(judge(&[]), 10);
}

#[test]
fn a_report_says_which_entry_which_request_and_which_person() {
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
