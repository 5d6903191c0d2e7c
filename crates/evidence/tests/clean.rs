//! Unchanged logs and bundles are valid.
#![allow(clippy::unwrap_used, reason = "a test should stop at the first error")]

use std::path::Path;
use std::process::Command;

use evidence::bundle::{Trust, examine};
use evidence::fixtures::{SampleLog, unpack};
use evidence::{ConsentTrust, Examination, Inputs, Report};

mod node;
mod python;

use python::Verification;

fn verify(log: &SampleLog, archive: &[u8], trust: &Trust) -> Report {
    let report = examine(&unpack(archive), trust, &mut |_, _| {});
    assert_eq!(report.entries, log.size());
    assert_eq!(report.findings, [], "{report}");
    report
}

#[test]
fn a_thousand_unchanged_logs_are_valid_for_all_verifiers() {
    let (mut others, mut changes, mut decisions) = (0, 0, 0);
    for part in 0..10 {
        let mut list = Vec::new();
        for seed in part * 100..(part + 1) * 100 {
            let mut log = SampleLog::new("contoso", seed);
            // One in a hundred logs has several leaf tiles, and its last tile on each level is partial.
            log.grow(if seed % 100 == 99 { 1100 } else { [1, 20, 60, 300][usize::try_from(seed / 3 % 4).unwrap()] });
            let archive = log.bundle(Vec::new()).unwrap();
            let report = verify(&log, &archive, &log.trust());
            assert_eq!((report.code(), report.remarks.len()), (0, 0), "log {seed}: {report}");
            changes += log.authority.as_ref().unwrap().file.statements.len() - 1;
            decisions += report.grants.iter().map(|grant| grant.decisions.len()).sum::<usize>();
            list.push(Verification::new(archive, log.trust()));
        }
        let name = format!("clean{part}");
        for codes in [python::codes(&name, &list), node::codes(&name, &list)].into_iter().flatten() {
            assert!(codes.iter().all(|code| *code == 0), "from log {}: {codes:?}", part * 100);
            others += codes.len();
        }
    }
    println!(
        "1000 logs verified, {others} times by the two other verifiers too, with {changes} changes of authorities and \
         {decisions} decisions that led to grants"
    );
    assert!(changes > 1000 && decisions > 1000);
}

#[test]
fn the_same_log_is_not_verified_completely_without_the_authority_or_the_key_or_when_the_tenant_has_none() {
    let mut list = Vec::new();
    for seed in 0..20 {
        let mut log = SampleLog::new("contoso", seed);
        log.grow(60);
        let archive = log.bundle(Vec::new()).unwrap();
        let no_authority = Trust { consent: ConsentTrust::default(), ..log.trust() };
        let no_key = Trust { keys: Vec::new(), ..log.trust() };
        for (trust, sentence) in [(no_authority, "no authority was given"), (no_key, "no log key was given")] {
            let report = verify(&log, &archive, &trust);
            assert_eq!(report.code(), 18, "log {seed}: {report}");
            assert!(report.to_string().contains(sentence), "{report}");
            list.push(Verification::new(archive.clone(), trust));
        }
        let mut log = SampleLog::unfounded("contoso", seed);
        log.grow(60);
        let archive = log.bundle(Vec::new()).unwrap();
        let report = verify(&log, &archive, &log.trust());
        assert_eq!(report.code(), 18, "log {seed}: {report}");
        assert!(
            report.to_string().contains("Consent not verified: this tenant has no authority of its own."),
            "{report}"
        );
        list.push(Verification::new(archive, log.trust()));
    }
    for codes in [python::codes("partial", &list), node::codes("partial", &list)].into_iter().flatten() {
        assert!(codes.iter().all(|code| *code == 18), "{codes:?}");
    }
}

#[test]
fn a_report_lists_for_each_grant_who_signed_with_which_key() {
    let mut log = SampleLog::new("contoso", 2);
    log.grow(60);
    let report = verify(&log, &log.bundle(Vec::new()).unwrap(), &log.trust());
    let grant = report.grants.iter().find(|grant| grant.decisions.iter().any(|one| one.side == "customer")).unwrap();
    let text = report.to_string();
    let signed = grant.document()["decisions"].as_array().unwrap().clone();
    assert!(signed.iter().all(|decision| decision["signed_by"]["key"].is_string()), "{signed:?}");
    for decision in signed {
        let by = &decision["signed_by"];
        for part in [&by["key"], &by["name"], &decision["verdict"], &decision["resource"]] {
            assert!(text.contains(part.as_str().unwrap()), "{part} is not in\n{text}");
        }
    }
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
    assert!(matches!(done.status.code(), Some(0 | 18)) && text.contains("verified"), "{text}");
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
                keys: log.trust().keys,
                are_keys_trusted: true,
                consent: log.trust().consent,
                covers: first..log.size(),
                ..Inputs::default()
            };
            let mut examination = Examination::new(inputs);
            for (index, entry) in (0..first).zip(&log.entries) {
                let (_, event) = evidence::admission::read(entry).unwrap();
                if event.kind == "authority.changed" {
                    examination.add_proved_statement(index, &event);
                }
            }
            for (index, entry) in (0..).zip(&log.entries) {
                let present = (index >= first).then_some(entry.as_slice());
                examination.add_leaf(Some(tlog::leaf_hash(entry)), present);
            }
            let report = examination.finish();
            assert_eq!(report.code(), 0, "log {seed} from {first}: {report}");
        }
    }
}
