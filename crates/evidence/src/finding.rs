//! What an examination found, in words for people and codes for programs.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::Event;

/// What kind of thing is wrong; its number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// 10: a signature does not hold, or none is there.
    Signature,
    /// 13: two signed states of the log exclude each other.
    Fork,
    /// 11: bytes are not those that were logged.
    Mismatch,
    /// 12: something is missing.
    Gap,
    /// 16: a recorded history that the rules do not allow.
    Rule,
    /// 15: the tables say something else than the log.
    State,
    /// 14: older than it may be.
    Stale,
}

impl Fault {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Signature => 10,
            Self::Mismatch => 11,
            Self::Gap => 12,
            Self::Fork => 13,
            Self::Stale => 14,
            Self::State => 15,
            Self::Rule => 16,
        }
    }

    /// A word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Mismatch => "changed",
            Self::Gap => "missing",
            Self::Fork => "two histories",
            Self::Stale => "stale",
            Self::State => "tables differ",
            Self::Rule => "rule broken",
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub fault: Fault,
    /// What, in a sentence.
    pub words: String,
    /// Which entry of the log.
    pub index: Option<u64>,
    /// Which event, request and person, and when, as the entry says it: for a changed entry that may be a lie.
    pub about: Option<About>,
}

/// Which event a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Id of the event.
    pub event: String,
    /// Its type.
    pub kind: String,
    /// Its time.
    pub time: String,
    /// The request.
    pub request: Option<String>,
    /// The person.
    pub person: Option<String>,
}

impl From<&Event> for About {
    fn from(event: &Event) -> Self {
        Self {
            event: event.id.to_string(),
            kind: event.kind.clone(),
            time: event.time.clone(),
            request: event.request.clone(),
            person: event.who().map(str::to_owned),
        }
    }
}

impl Finding {
    /// One that is about no entry in particular.
    pub fn new(fault: Fault, words: impl Into<String>) -> Self {
        Self { fault, words: words.into(), index: None, about: None }
    }

    /// The same, about this entry.
    pub fn at(self, index: u64, event: Option<&Event>) -> Self {
        Self { index: Some(index), about: event.map(About::from), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.fault.name(), self.words)?;
        if let Some(index) = self.index {
            write!(f, "\n    entry {index}")?;
        }
        if let Some(about) = &self.about {
            write!(f, ", {} at {}, event {}", about.kind, about.time, about.event)?;
            if let Some(request) = &about.request {
                write!(f, "\n    request {request}")?;
            }
            if let Some(person) = &about.person {
                write!(f, ", by {person}")?;
            }
        }
        Ok(())
    }
}

/// Findings kept of each kind; more are counted.
pub(crate) const KEPT: usize = 100;

/// What was examined and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Name of the log.
    pub origin: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// Entries that were looked at.
    pub entries: u64,
    /// Entries after the checkpoint, which nobody has signed yet.
    pub unsigned: u64,
    /// Requests whose whole history was replayed.
    pub requests: u64,
    /// Rows of tables that were compared.
    pub rows: u64,
    /// Keys that signed the checkpoint, witnesses with the time at which they did.
    pub signed_by: Vec<String>,
    /// Older checkpoints that the log was found to continue.
    pub continued: u64,
    /// Time of the newest entry that was looked at.
    pub newest: Option<DateTime<Utc>>,
    /// What a reader should know that is no fault.
    pub remarks: Vec<String>,
    /// What is wrong, the gravest first.
    pub findings: Vec<Finding>,
    /// How many findings are not listed.
    pub unlisted: u64,
}

impl Report {
    /// 0 when nothing is wrong, else the code of the gravest fault.
    pub fn code(&self) -> u8 {
        self.findings.first().map_or(0, |finding| finding.fault.code())
    }

    pub(crate) fn sort(&mut self) {
        self.findings.sort_by_key(|finding| (finding.fault, finding.index));
        let mut kept: Vec<Finding> = Vec::new();
        for finding in std::mem::take(&mut self.findings) {
            if kept.iter().rev().take_while(|one| one.fault == finding.fault).count() < KEPT {
                kept.push(finding);
            } else {
                self.unlisted += 1;
            }
        }
        self.findings = kept;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "log         {}", self.origin)?;
        writeln!(f, "checkpoint  {} entries, signed by {}", self.size, or_nobody(&self.signed_by))?;
        writeln!(f, "looked at   {} entries, {} whole requests, {} rows", self.entries, self.requests, self.rows)?;
        if let Some(newest) = self.newest {
            writeln!(f, "newest      {}", newest.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))?;
        }
        if self.continued > 0 {
            writeln!(f, "continues   {} older checkpoints", self.continued)?;
        }
        if self.unsigned > 0 {
            writeln!(f, "unsigned    {} entries after the checkpoint", self.unsigned)?;
        }
        for remark in &self.remarks {
            writeln!(f, "note        {remark}")?;
        }
        if self.findings.is_empty() {
            return write!(
                f,
                "\nGOOD: the log is what was signed, nothing is missing, and every step is by the rules."
            );
        }
        write!(f, "\nNOT GOOD: {} findings", self.findings.len() as u64 + self.unlisted)?;
        for finding in &self.findings {
            write!(f, "\n\n  {finding}")?;
        }
        if self.unlisted > 0 {
            write!(f, "\n\n  and {} more", self.unlisted)?;
        }
        Ok(())
    }
}

fn or_nobody(names: &[String]) -> String {
    if names.is_empty() { "nobody who is trusted".to_owned() } else { names.join(", ") }
}
