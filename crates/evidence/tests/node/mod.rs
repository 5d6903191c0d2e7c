//! Runs the scripts of `verify.html` on many bundles: in Node, and in a real browser.
#![allow(clippy::unwrap_used, dead_code, reason = "a test should stop at the first error, and each test uses a part")]

use std::path::Path;
use std::process::{Command, Output};

use super::python::Verification;

/// Exit code of `browser.mjs` when there is no browser.
const NO_BROWSER: i32 = 3;

/// Exit codes of the third verifier in Node. `None` without Node 20 or later.
pub fn codes(name: &str, list: &[Verification]) -> Option<Vec<u8>> {
    run("batch.mjs", name, list).map(|done| codes_in(&done))
}

/// Exit codes of the third verifier in a browser. `None` without Node 20 or later, or without a browser.
pub fn browser_codes(name: &str, list: &[Verification]) -> Option<Vec<u8>> {
    run("browser.mjs", name, list).filter(|done| done.status.code() != Some(NO_BROWSER)).map(|done| codes_in(&done))
}

fn has_node() -> bool {
    let Ok(version) = Command::new("node").arg("--version").output() else { return false };
    let version = String::from_utf8(version.stdout).unwrap();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= 20)
}

fn run(program: &str, name: &str, list: &[Verification]) -> Option<Output> {
    if !has_node() {
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{program}"));
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    let lines: Vec<String> =
        list.iter().enumerate().map(|(number, one)| one.write(&folder, &number.to_string(), false)).collect();
    std::fs::write(folder.join("list"), lines.join("\n")).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/verify-page").join(program);
    let done = Command::new("node").arg(program).arg(folder.join("list")).output().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    Some(done)
}

fn codes_in(done: &Output) -> Vec<u8> {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout.clone()).unwrap();
    text.lines().map(|line| line.rsplit_once('\t').unwrap().1.parse().unwrap()).collect()
}
