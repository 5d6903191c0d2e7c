//! Evidence bundles: the audit log of a tenant for a period, in one verifiable archive (docs/audit-format.md, section 9).

use std::io::Read;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::Event;

mod proofs;
mod verify;
mod write;

pub use verify::{Trust, examine, examine_damaged, is_committed};
pub use write::{Bundler, Spool};

/// Name of the file that describes the bundle.
pub const MANIFEST: &str = "bundle.json";
/// The checkpoint that the bundle is verified against.
pub const CHECKPOINT: &str = "checkpoint";
/// Public keys, one per line.
pub const KEYS: &str = "keys.txt";
/// Free text with its salts.
pub const TEXTS: &str = "texts.jsonl";
/// Start of the names of the proofs of the authority's statements.
const AUTHORITY: &str = "authority/";
/// SHA-256 of every other file, in the format of `sha256sum`.
pub const SUMS: &str = "SHA256SUMS";
/// Views that are derived from the entries: JSON lines, CSV, OCSF.
pub const VIEWS: [&str; 3] = ["events.jsonl", "events.csv", "events.ocsf.jsonl"];
/// Instructions for readers.
pub const READMES: [(&str, &str); 2] =
    [("README.txt", include_str!("bundle/README.txt")), ("ENGINEER.txt", include_str!("bundle/ENGINEER.txt"))];

/// What README.txt says about consent, with and without an authority of the tenant.
const CONSENT: [&str; 2] = [
    "The approvers signed their decisions with their own keys. The audit log holds the authority of the customer: who may approve,
with which keys, and which rules protect the customer. The vendor cannot sign in their place.",
    "Consent not verified: this tenant has no authority of its own. The audit log shows the decisions, but not that the customer
made them.",
];
/// The verifier for people: one page that works without a network.
pub const PAGE: (&str, &str) = ("verify.html", crate::page::VERIFY_PAGE);

/// The contents of `bundle.json`: which log and which entries the bundle covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Origin of the log.
    pub origin: String,
    /// Number of entries that the checkpoint covers.
    pub size: u64,
    /// Index of the first entry in the bundle, a multiple of 256. Earlier entries are present only as leaf hashes.
    pub first: u64,
    /// Index after the last entry in the bundle: a multiple of 256, or `size`.
    pub end: u64,
    /// Start of the requested period.
    pub since: Option<DateTime<Utc>>,
    /// End of the requested period.
    pub until: Option<DateTime<Utc>>,
    /// Time of the export.
    pub made_at: DateTime<Utc>,
}

impl Manifest {
    fn to_bytes(&self) -> Vec<u8> {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let document = json!({
            "v": 1, "origin": self.origin, "size": self.size, "first": self.first, "end": self.end,
            "since": self.since.map(time), "until": self.until.map(time), "made_at": time(self.made_at),
        });
        (document.to_string() + "\n").into_bytes()
    }

    /// Parses `bundle.json`. Returns `None` when it is invalid.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(bytes).ok()?;
        let time = |name: &str| document[name].as_str().and_then(|at| at.parse().ok());
        let manifest = Self {
            origin: document["origin"].as_str()?.to_owned(),
            size: document["size"].as_u64()?,
            first: document["first"].as_u64()?,
            end: document["end"].as_u64()?,
            since: time("since"),
            until: time("until"),
            made_at: time("made_at")?,
        };
        let is_valid = document["v"] == 1
            && manifest.first.is_multiple_of(256)
            && manifest.first <= manifest.end
            && (manifest.end == manifest.size || (manifest.end < manifest.size && manifest.end.is_multiple_of(256)));
        is_valid.then_some(manifest)
    }
}

/// The version of the statement in an event, when it is a statement of an authority.
fn stated_version(event: &Event) -> Option<u64> {
    let is_statement = event.kind == "authority.changed";
    event.data()["statement"]["version"].as_u64().filter(|version| is_statement && *version > 0)
}

/// The files of a bundle by name, from an archive, a folder or memory.
pub trait Files {
    /// Names of all files.
    fn names(&self) -> Vec<String>;

    /// Opens a file at its start.
    fn open(&self, name: &str) -> Option<Box<dyn Read + '_>>;

    /// Reads a whole file.
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
