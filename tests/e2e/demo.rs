//! The two commands of the README.

use std::process::Command;

#[test]
fn the_demo_runs_the_main_job_on_real_servers_and_ends_by_itself() {
    let data = concat!(env!("CARGO_TARGET_TMPDIR"), "/e2e-demo");
    drop(std::fs::remove_dir_all(data));
    let done = Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(["demo", "--data", data])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{err}");
    for words in [
        "SR-2026-004711 is ended (expired)",
        "SR-2026-004712 is vendor_denied",
        "SR-2026-004713 is customer_denied",
        "SR-2026-004714 is expired (customer)",
        "malformed.json               refused: data of lockbox.request.submit.v1",
        "to dana@adatum.example",
        "none is missing",
        "exit code 18",
        "consent not verified: this tenant has no authority of its own",
        "access until",
        "the copy does not verify: exit code 11",
        "tools/verify",
        "sign in as robin",
    ] {
        assert!(out.contains(words), "{words:?} is not in\n{out}");
    }
}
