//! The second verifier, in Python, passes its own tests: signatures against published vectors, and the rules of consent.
#![allow(clippy::unwrap_used, reason = "a test should stop at the first error")]

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

#[test]
fn the_python_verifier_passes_its_own_tests() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/verify/tests");
    let done = match Command::new("python3").args(["-B", "-m", "unittest", "discover", "-s"]).arg(tests).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return println!("skipped: there is no python3"),
        done => done.unwrap(),
    };
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && !text.contains("Ran 0 tests"), "{text}");
}
