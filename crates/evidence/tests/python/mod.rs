//! Runs the Python verifier on many bundles in one process.
#![allow(clippy::unwrap_used, dead_code, reason = "a test should stop at the first error, and each test uses a part")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use consent::Pin;
use evidence::bundle::Trust;

/// One run of a verifier.
pub struct Verification {
    pub archive: Vec<u8>,
    pub trust: Trust,
}

impl Verification {
    pub fn new(archive: Vec<u8>, trust: Trust) -> Self {
        Self { archive, trust }
    }

    /// Writes the bundle and what is trusted beside it. Returns the arguments of the command line, separated by tabs.
    pub fn write(&self, folder: &Path, name: &str, is_relative: bool) -> String {
        let place = |file: &str| if is_relative { file.to_owned() } else { folder.join(file).display().to_string() };
        let put = |file: String, bytes: &[u8]| {
            std::fs::write(folder.join(&file), bytes).unwrap();
            place(&file)
        };
        let mut line = put(format!("{name}.tar"), &self.archive);
        for key in &self.trust.keys {
            write!(line, "\t--key\t{key}").unwrap();
        }
        for (_, note) in &self.trust.pinned {
            let mail = put(format!("{name}.txt"), format!("Hello,\n\n{note}\nLockbox\n").as_bytes());
            write!(line, "\t--checkpoint\t{mail}").unwrap();
        }
        let consent = &self.trust.consent;
        match &consent.authority {
            Some(Pin::File(file)) => {
                let bytes = serde_json::to_vec_pretty(file).unwrap();
                write!(line, "\t--authority\t{}", put(format!("{name}.authority.json"), &bytes)).unwrap();
            }
            Some(Pin::Fingerprint(hash)) => write!(line, "\t--authority\t{}", hex::encode(hash)).unwrap(),
            None => {}
        }
        if let Some(file) = &consent.vendor {
            let bytes = serde_json::to_vec_pretty(file).unwrap();
            write!(line, "\t--vendor-authority\t{}", put(format!("{name}.vendor.json"), &bytes)).unwrap();
        }
        for witness in &consent.witnesses {
            write!(line, "\t--witness\t{witness}").unwrap();
        }
        if let Some(required) = consent.witnesses_required {
            write!(line, "\t--witnesses\t{required}").unwrap();
        }
        line
    }
}

/// Exit codes of the Python verifier. `None` without Python.
pub fn codes(name: &str, list: &[Verification]) -> Option<Vec<u8>> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/verify");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    let mut lines = String::new();
    for (number, one) in list.iter().enumerate() {
        lines += &one.write(&folder, &number.to_string(), false);
        lines.push('\n');
    }
    std::fs::write(folder.join("list"), lines).unwrap();
    let done = match Command::new("python3").arg(program).arg("--batch").arg(folder.join("list")).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        done => done.unwrap(),
    };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    Some(text.lines().map(|line| line.rsplit_once('\t').unwrap().1.parse().unwrap()).collect())
}

/// What a line of `vectors.tsv` trusts. Names of files are relative to `folder`.
pub fn trust(folder: &Path, line: &str) -> Trust {
    let mut trust = Trust::default();
    let words: Vec<&str> = line.split('\t').collect();
    let authority = |text: &str| {
        let text = std::fs::read_to_string(folder.join(text)).unwrap_or_else(|_| text.to_owned());
        Pin::parse(&text).unwrap()
    };
    // The bundle is before the options, the code after them.
    for option in words[1..words.len() - 1].chunks(2) {
        match option[0] {
            "--key" => trust.keys.push(option[1].parse().unwrap()),
            "--authority" => trust.consent.authority = Some(authority(option[1])),
            "--vendor-authority" => {
                if let Pin::File(file) = authority(option[1]) {
                    trust.consent.vendor = Some(file);
                }
            }
            "--witness" => trust.consent.witnesses.push(option[1].parse().unwrap()),
            "--witnesses" => trust.consent.witnesses_required = Some(option[1].parse().unwrap()),
            "--checkpoint" => {
                let mail = std::fs::read_to_string(folder.join(option[1])).unwrap();
                trust
                    .pinned
                    .extend(evidence::pinned::checkpoints(&mail).into_iter().map(|note| ("a mail".into(), note)));
            }
            other => panic!("{other} is not an option"),
        }
    }
    trust
}
