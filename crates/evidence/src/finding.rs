//! Findings of an examination: messages for people and codes for programs.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::Event;
use crate::grant_report::GrantReport;

/// Kinds of findings, most severe first. Each has an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// 10: a signature is invalid or missing.
    Signature,
    /// 13: two signed checkpoints of the log are inconsistent.
    SplitView,
    /// 11: bytes differ from those that were logged.
    Changed,
    /// 12: something is missing.
    Missing,
    /// 17: a decision is not proved to be the customer's, or the authority is not followed.
    Consent,
    /// 16: an entry or a lifecycle breaks the rules.
    Rule,
    /// 15: the database differs from the log.
    DatabaseMismatch,
    /// 14: the log or the checkpoint is older than allowed.
    Stale,
    /// 18: nothing was found, but consent was not verified.
    NotVerified,
}

impl Fault {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Signature => 10,
            Self::Changed => 11,
            Self::Missing => 12,
            Self::SplitView => 13,
            Self::Stale => 14,
            Self::DatabaseMismatch => 15,
            Self::Rule => 16,
            Self::Consent => 17,
            Self::NotVerified => 18,
        }
    }

    /// The name of the kind in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::SplitView => "split view",
            Self::Stale => "stale",
            Self::DatabaseMismatch => "database mismatch",
            Self::Rule => "rule broken",
            Self::Consent => "consent",
            Self::NotVerified => "consent not verified",
        }
    }
}

/// One finding and its position in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Kind of finding.
    pub fault: Fault,
    /// What is wrong, in a sentence.
    pub message: String,
    /// Number of the rule of section 11 of the audit format, when one is broken.
    pub rule: Option<u8>,
    /// Index of the entry.
    pub index: Option<u64>,
    /// The event, as its entry describes it. A changed entry can contain false values.
    pub event: Option<EventReference>,
}

/// The event that a finding refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventReference {
    /// Id of the event.
    pub id: String,
    /// Type of the event.
    pub kind: String,
    /// Time of the event.
    pub time: String,
    /// Id of the request.
    pub request: Option<String>,
    /// Name of the actor.
    pub person: Option<String>,
}

impl From<&Event> for EventReference {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id.to_string(),
            kind: event.kind.clone(),
            time: event.time.clone(),
            request: event.request.clone(),
            person: event.who().map(str::to_owned),
        }
    }
}

impl Finding {
    /// A finding that does not refer to an entry.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into(), rule: None, index: None, event: None }
    }

    /// The same finding, with the number of the rule of section 11 that is broken.
    pub fn of_rule(self, rule: u8) -> Self {
        Self { rule: Some(rule), ..self }
    }

    /// The same finding, for this entry.
    pub fn at(self, index: u64, event: Option<&Event>) -> Self {
        Self { index: Some(index), event: event.map(EventReference::from), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.fault.name(), self.message)?;
        if let Some(index) = self.index {
            write!(f, "\n    entry {index}")?;
        }
        if let Some(event) = &self.event {
            write!(f, ", {} at {}, event {}", event.kind, event.time, event.id)?;
            if let Some(request) = &event.request {
                write!(f, "\n    request {request}")?;
            }
            if let Some(person) = &event.person {
                write!(f, ", by {person}")?;
            }
        }
        Ok(())
    }
}

/// Maximum number of listed findings of each kind. Further findings are only counted.
pub(crate) const KEPT: usize = 100;

/// The result of an examination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Origin of the log.
    pub origin: String,
    /// Number of entries that the checkpoint covers.
    pub size: u64,
    /// Number of verified entries.
    pub entries: u64,
    /// Number of entries after the checkpoint, which are not signed yet.
    pub unsigned: u64,
    /// Number of requests whose complete history was replayed.
    pub requests: u64,
    /// Number of compared database rows.
    pub rows: u64,
    /// Keys that signed the checkpoint; for witnesses, with the time of the cosignature.
    pub signed_by: Vec<String>,
    /// Number of earlier checkpoints that are consistent with the log.
    pub continued: u64,
    /// Time of the newest verified entry.
    pub newest: Option<DateTime<Utc>>,
    /// Remarks that are not findings.
    pub remarks: Vec<String>,
    /// Findings, most severe first.
    pub findings: Vec<Finding>,
    /// Number of findings that are not listed.
    pub unlisted: u64,
    /// What was not verified, in sentences.
    pub unverified: Vec<String>,
    /// Grants with who consented to them, up to a limit.
    pub grants: Vec<GrantReport>,
}

impl Report {
    /// The most severe result: that of a finding, or that consent was not verified. None when everything was verified.
    pub fn worst(&self) -> Option<Fault> {
        let unverified = (!self.unverified.is_empty()).then_some(Fault::NotVerified);
        self.findings.first().map(|finding| finding.fault).or(unverified)
    }

    /// The exit code: 0 when everything was verified, else that of the most severe result.
    pub fn code(&self) -> u8 {
        self.worst().map_or(0, Fault::code)
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
        writeln!(f, "checkpoint  {} entries, signed by {}", self.size, names_or_none(&self.signed_by))?;
        writeln!(
            f,
            "verified    {} entries, {} complete requests, {} database rows",
            self.entries, self.requests, self.rows
        )?;
        if let Some(newest) = self.newest {
            writeln!(f, "newest      {}", newest.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))?;
        }
        if self.continued > 0 {
            writeln!(f, "consistent  with {} earlier checkpoints", self.continued)?;
        }
        if self.unsigned > 0 {
            writeln!(f, "unsigned    {} entries after the checkpoint", self.unsigned)?;
        }
        for remark in &self.remarks {
            writeln!(f, "note        {remark}")?;
        }
        for grant in &self.grants {
            writeln!(f, "grant       {grant}")?;
        }
        if self.findings.is_empty() && self.unverified.is_empty() {
            return write!(
                f,
                "\nVALID: the log matches its signatures, nothing is missing, every step follows the rules, and the customer \
                 made every decision."
            );
        }
        if self.findings.is_empty() {
            write!(f, "\nThe log matches its signatures, nothing is missing, and every step follows the rules.")?;
            return self.unverified.iter().try_for_each(|sentence| write!(f, "\n{}", capital(sentence)));
        }
        write!(f, "\nNOT VALID: {} findings", self.findings.len() as u64 + self.unlisted)?;
        for finding in &self.findings {
            write!(f, "\n\n  {finding}")?;
        }
        if self.unlisted > 0 {
            write!(f, "\n\n  and {} more", self.unlisted)?;
        }
        Ok(())
    }
}

/// A sentence with a capital letter at its start and a full stop.
fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn names_or_none(names: &[String]) -> String {
    if names.is_empty() { "no trusted key".to_owned() } else { names.join(", ") }
}
