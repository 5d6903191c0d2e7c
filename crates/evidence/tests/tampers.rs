//! Twelve thousand tampered logs: the verifiers in Rust, Python and JavaScript detect each one
//! and report the right exit code.
//!
//! An outsider has everything except the log key and computes new hashes, checksums and views. The log operator also has
//! the key: lifecycle rules, gaps and pinned checkpoints reveal such changes.
#![allow(clippy::unwrap_used, clippy::too_many_lines, reason = "a test should stop at the first error")]

use std::collections::BTreeMap;
use std::path::Path;

use evidence::bundle::{Trust, examine};
use evidence::fixtures::{SampleLog, pack, unpack};
use evidence::{ConsentTrust, Report, tar};
use serde_json::Value;
use tlog::{Hash, Note, bundle};

mod kinds;
mod node;
mod python;

use kinds::{Case, case};

const TAMPERS: usize = 12_000;
/// Tampered logs that are verified together.
const PART: usize = 500;
/// Tampered logs of each part that a real browser verifies with `verify.html`, as a person does.
const IN_THE_BROWSER: usize = 13;

fn verify(case: &Case) -> Report {
    let (_, damage) = tar::list(case.archive.as_slice());
    let files = unpack(&case.archive);
    evidence::bundle::examine_damaged(&files, damage.as_ref(), &case.trust, &mut |_, _| {})
}

fn grown(seed: u64) -> SampleLog {
    let mut log = SampleLog::new("contoso", seed);
    log.grow(40);
    log
}

/// A log with several leaf tiles, and a partial last tile on each level.
fn tiled(seed: u64) -> SampleLog {
    let mut log = SampleLog::new("contoso", seed);
    log.grow(600);
    log
}

#[test]
fn every_verifier_detects_every_tampered_log_with_the_same_exit_code() {
    let kinds = kinds::all();
    let mut logs: Vec<SampleLog> = (0..).step_by(2).map(grown).filter(kinds::has_everything).take(23).collect();
    logs.push(tiled(2));
    let other = {
        let mut other = SampleLog::new("adatum", 7_000_007);
        other.grow(24);
        other
    };
    let mut draw = SampleLog::unfounded("numbers", 4711);
    let (mut found, mut by_kind, mut by_code) = (0, BTreeMap::new(), BTreeMap::new());
    let mut by_verifier = BTreeMap::new();
    let clean: Vec<Case> = logs.iter().map(|log| case(log, log.bundle(Vec::new()).unwrap())).collect();
    for clean in &clean {
        assert_eq!(verify(clean).code(), 0, "{}", verify(clean));
    }
    for codes in [python::codes("untampered", &clean), node::codes("untampered", &clean)].into_iter().flatten() {
        assert!(codes.iter().all(|code| *code == 0), "{codes:?}");
    }
    for part in 0..TAMPERS / PART {
        let (mut cases, mut codes, mut names, mut wrong) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for number in part * PART..(part + 1) * PART {
            let (name, expected, tamper) = kinds[number % kinds.len()];
            let log = &logs[(number / kinds.len()) % logs.len()];
            let case = tamper(log, &other, &mut || draw.draw());
            let report = verify(&case);
            if !expected.contains(&report.code()) {
                wrong.push(format!(
                    "{number} {name}: expected one of {expected:?}, got {}: {:?}",
                    report.code(),
                    report.findings
                ));
            }
            *by_kind.entry(name).or_insert(0) += 1;
            *by_code.entry(report.code()).or_insert(0) += 1;
            found += 1;
            codes.push(report.code());
            names.push(format!("{number} {name}"));
            cases.push(case);
        }
        assert!(wrong.is_empty(), "{} of {PART}: {wrong:#?}", wrong.len());
        let sample = &cases[..IN_THE_BROWSER];
        let [second, third, browser] = std::thread::scope(|scope| {
            let second = scope.spawn(|| python::codes("tampers", &cases));
            let third = scope.spawn(|| (node::codes("tampers", &cases), node::browser_codes("tampers", sample)));
            let (third, browser) = third.join().unwrap();
            [second.join().unwrap(), third, browser]
        });
        for (verifier, others) in [("Python", second), ("Node", third), ("browser", browser)] {
            let Some(others) = others else { continue };
            let both = names.iter().zip(codes.iter().zip(&others));
            let differ: Vec<_> = both.filter(|(_, (first, other))| first != other).collect();
            assert!(differ.is_empty(), "the verifiers in Rust and {verifier} disagree: {differ:?}");
            assert!(others.len() == codes.len() || others.len() == sample.len());
            *by_verifier.entry(verifier).or_insert(0) += others.len();
        }
    }
    println!(
        "{found} of {TAMPERS} tampered logs of {} kinds detected, by other verifiers too {by_verifier:?}: {by_code:?} {by_kind:?}",
        kinds.len()
    );
    assert!(by_kind.len() >= 45);
}

/// The test vectors: a valid bundle and one of each kind.
fn vectors() -> Vec<(String, Case)> {
    let log = (0..).step_by(2).map(grown).find(kinds::has_everything).unwrap();
    let other = {
        let mut other = SampleLog::new("adatum", 7_000_007);
        other.grow(24);
        other
    };
    let clean = case(&log, log.bundle(Vec::new()).unwrap());
    let unknown = Trust { consent: ConsentTrust::default(), ..log.trust() };
    let mut cases = vec![
        ("clean".to_owned(), Case::new(clean.archive.clone(), clean.trust.clone())),
        ("no-authority".to_owned(), Case::new(clean.archive.clone(), unknown)),
    ];
    let mut unfounded = SampleLog::unfounded("contoso", 1);
    unfounded.grow(24);
    cases.push(("unfounded".to_owned(), case(&unfounded, unfounded.bundle(Vec::new()).unwrap())));
    let mut state = 0;
    for (name, _, tamper) in kinds::vectors() {
        let mut draw = || {
            state += 1;
            state
        };
        cases.push((name.replace(", ", "-").replace(' ', "-"), tamper(&log, &other, &mut draw)));
    }
    cases
}

/// The steps of a bundle: type and time of each event. Signatures of `ES256` are random, so the bytes differ each time.
fn steps(archive: &[u8]) -> Vec<String> {
    let events = unpack(archive).remove("events.csv").unwrap_or_default();
    let text = String::from_utf8_lossy(&events).into_owned();
    text.lines().map(|line| line.split(',').skip(1).take(6).collect::<Vec<_>>().join(",")).collect()
}

#[test]
fn every_verifier_agrees_on_the_test_vectors_and_the_vectors_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let made = vectors();
    #[allow(clippy::disallowed_methods, reason = "this variable makes the test write the vectors")]
    if std::env::var_os("LOCKBOX_BLESS").is_some() {
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).unwrap();
        let mut list = String::from(
            "# arguments of a verifier, separated by tabs, and the exit code; README.md explains the files\n",
        );
        for (name, case) in &made {
            list += &format!("{}\t{}\n", case.write(&folder, name, true), verify(case).code());
        }
        std::fs::write(folder.join("vectors.tsv"), list).unwrap();
        std::fs::write(folder.join("README.md"), include_str!("kinds/vectors.md")).unwrap();
    }
    let list = std::fs::read_to_string(folder.join("vectors.tsv")).unwrap_or_default();
    let listed: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(listed.len(), made.len(), "run the test with LOCKBOX_BLESS=1 to write the vectors");
    let mut codes = Vec::new();
    let mut stored = Vec::new();
    for (line, (name, case)) in listed.iter().zip(made) {
        let archive = std::fs::read(folder.join(format!("{name}.tar"))).unwrap_or_default();
        assert_eq!(steps(&archive), steps(&case.archive), "{name} is out of date; run the test with LOCKBOX_BLESS=1");
        let case = Case::new(archive, python::trust(&folder, line));
        let report = verify(&case);
        assert_eq!(line.rsplit('\t').next(), Some(report.code().to_string().as_str()), "{name}: {report}");
        codes.push(report.code());
        stored.push(case);
    }
    let others =
        [python::codes("vectors", &stored), node::codes("vectors", &stored), node::browser_codes("vectors", &stored)];
    for others in others.into_iter().flatten() {
        assert_eq!(codes, others);
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
    let by_new = Note {
        signatures: [new.sign(&text, 0)].into_iter().chain(log.checkpoint().signatures.split_off(1)).collect(),
        text,
    };
    let verify_with = |earlier: &[(u64, Note)]| {
        let files = unpack(&log.bundle_signed(Vec::new(), by_new.clone(), earlier).unwrap());
        examine(&files, &log.trust(), &mut |_, _| {}).code()
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
    let case = case(&log, log.with_events(&events).unwrap().bundle(Vec::new()).unwrap());
    let text = verify(&case).to_string();
    let request = events[place]["correlationid"].as_str().unwrap();
    for part in ["the requester does not review their own request", &format!("entry {place}"), request, "by robin"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}
