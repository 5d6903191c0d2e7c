//! The bundle: what a tenant's log was in a period, in one archive that proves itself (docs/audit-format.md, section 9).

use std::io::Read;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

mod read;
mod write;

pub use read::{Trust, examine, examine_torn, is_committed};
pub use write::{Bundler, Spool};

/// What the bundle is of.
pub const ABOUT: &str = "bundle.json";
/// The checkpoint everything is held against.
pub const CHECKPOINT: &str = "checkpoint";
/// Public keys, one a line.
pub const KEYS: &str = "keys.txt";
/// Texts that people wrote, with their salts.
pub const TEXTS: &str = "texts.jsonl";
/// SHA-256 of every other file, as `sha256sum` writes it.
pub const SUMS: &str = "SHA256SUMS";
/// Views, which follow from the entries: plain, CSV, OCSF.
pub const VIEWS: [&str; 3] = ["events.jsonl", "events.csv", "events.ocsf.jsonl"];
/// For people.
pub const READMES: [(&str, &str); 2] =
    [("README.txt", include_str!("bundle/README.txt")), ("ENGINEER.txt", include_str!("bundle/ENGINEER.txt"))];

/// What a bundle is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Name of the log.
    pub origin: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// The first entry in the bundle, a multiple of 256; of those before it there are only hashes.
    pub first: u64,
    /// One after the last entry in the bundle: a multiple of 256, or the size.
    pub end: u64,
    /// The period asked for.
    pub since: Option<DateTime<Utc>>,
    /// Its end.
    pub until: Option<DateTime<Utc>>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

impl About {
    fn to_bytes(&self) -> Vec<u8> {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let document = json!({
            "v": 1, "origin": self.origin, "size": self.size, "first": self.first, "end": self.end,
            "since": self.since.map(time), "until": self.until.map(time), "made_at": time(self.made_at),
        });
        (document.to_string() + "\n").into_bytes()
    }

    /// Reads `bundle.json`.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(bytes).ok()?;
        let time = |name: &str| document[name].as_str().and_then(|at| at.parse().ok());
        let about = Self {
            origin: document["origin"].as_str()?.to_owned(),
            size: document["size"].as_u64()?,
            first: document["first"].as_u64()?,
            end: document["end"].as_u64()?,
            since: time("since"),
            until: time("until"),
            made_at: time("made_at")?,
        };
        let is_sound = document["v"] == 1
            && about.first.is_multiple_of(256)
            && about.first <= about.end
            && (about.end == about.size || (about.end < about.size && about.end.is_multiple_of(256)));
        is_sound.then_some(about)
    }
}

/// Files by name, wherever they are: an archive, a folder, memory.
pub trait Files {
    /// Every name.
    fn names(&self) -> Vec<String>;

    /// A file to be read from its beginning.
    fn open(&self, name: &str) -> Option<Box<dyn Read + '_>>;

    /// A whole file.
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(name)?.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// Files in memory.
impl Files for std::collections::BTreeMap<String, Vec<u8>> {
    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }

    fn open(&self, name: &str) -> Option<Box<dyn Read + '_>> {
        Some(Box::new(self.get(name)?.as_slice()))
    }
}
