//! Clean logs are found to be clean.
#![allow(clippy::unwrap_used, reason = "a test that finds something odd should stop there")]

use evidence::bundle::{Trust, examine};
use evidence::invented::Invented;

fn trust(log: &Invented) -> Trust {
    Trust { keys: vec![log.signer.verifier().clone()], ..Trust::default() }
}

#[test]
fn a_thousand_clean_logs_raise_no_alarm() {
    for seed in 0..1000 {
        let mut log = Invented::new("contoso", seed);
        let entries = [1, 20, 60, 300][usize::try_from(seed % 4).unwrap()];
        log.grow(entries);
        let files = log.files().unwrap();
        let report = examine(&files, &trust(&log), &mut |_, _| {});
        assert_eq!(report.code(), 0, "log {seed}: {report}");
        assert_eq!(report.entries, log.entries.len() as u64);
        assert_eq!(report.remarks, [""; 0]);
    }
}
