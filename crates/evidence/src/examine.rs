//! The examination of one log: leaf by leaf, then a report.
//!
//! The order of docs/audit-format.md, section 7: signatures, older checkpoints, root, entries, streams, rules, tables,
//! age. Memory grows by about a hundred bytes an entry, not by the entries themselves.

use tlog::{Checkpoint, Frontier, Hash, Note, leaf_hash};
use uuid::Uuid;

use crate::Event;
use crate::finding::{Fault, Finding, KEPT, Report};
use crate::rows::{self, RequestRow};

mod break_glass;
mod given;
mod leaves;
mod streams;
mod trust;

pub use given::Given;
use given::Tree;
use leaves::Leaves;
use streams::Streams;
use trust::Examined;

/// An examination under way.
pub struct Examination {
    given: Given,
    head: Option<Checkpoint>,
    /// Trees by the recorded leaf hashes and by the entries themselves; equal unless something was changed.
    recorded: Tree,
    actual: Tree,
    leaves: Leaves,
    streams: Streams,
    findings: Vec<Finding>,
    report: Report,
}

impl Examination {
    /// Begins.
    pub fn new(given: Given) -> Self {
        let head = given.head.parse::<Note>().ok().and_then(|note| note.text.parse::<Checkpoint>().ok());
        let sizes = trust::sizes(&given);
        let tree = || {
            let roots = sizes.iter().map(|size| (*size, (*size == 0).then(|| Frontier::default().root())));
            Tree { frontier: Frontier::default(), roots: roots.collect() }
        };
        Self {
            recorded: tree(),
            actual: tree(),
            leaves: Leaves::default(),
            streams: Streams::new(given.origin.clone(), given.covers.start),
            findings: Vec::new(),
            report: Report { origin: given.origin.clone(), ..Report::default() },
            head,
            given,
        }
    }

    /// Number of entries that the checkpoint speaks of.
    pub fn size(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.size)
    }

    /// The next leaf: its hash where one is recorded, its entry where it is there. Answers with the event of an entry
    /// that is in its format.
    pub fn leaf(&mut self, recorded: Option<Hash>, entry: Option<&[u8]>) -> Option<Event> {
        let index = self.leaves.count();
        let hash = entry.map(leaf_hash);
        self.leaves.push(recorded, hash);
        // After a leaf of which nothing is there, no root can be known.
        if let Some(leaf) = recorded.or(hash).filter(|_| self.actual.frontier.size() == index) {
            self.recorded.push(leaf);
            self.actual.push(hash.unwrap_or(leaf));
        }
        match (entry, hash) {
            (Some(bytes), Some(hash)) => {
                self.report.entries += 1;
                let (found, event) = self.streams.take(index, bytes, hash);
                self.note(found);
                event
            }
            _ => {
                if self.given.covers.contains(&index) {
                    self.leaves.miss(index);
                }
                None
            }
        }
    }

    /// Something that was found on the way.
    pub fn find(&mut self, finding: Finding) {
        self.note(vec![finding]);
    }

    /// Something a reader should know.
    pub fn remark(&mut self, words: impl Into<String>) {
        self.report.remarks.push(words.into());
    }

    /// A row to compare with its request's history.
    pub fn row(&mut self, row: &RequestRow) {
        self.report.rows += 1;
        let about = |words: String| Finding::new(Fault::State, format!("request {}: {words}", row.id));
        let Some(history) = self.streams.history(&row.id) else {
            if row.pending < row.version {
                self.find(about("it is in the table and not in the log".to_owned()));
            }
            return;
        };
        let differ = rows::differences(row, history).unwrap_or_default();
        self.note(differ.into_iter().map(about).collect());
    }

    /// Every request whose row was not given although its whole history is in the log.
    pub fn rows_end(&mut self, seen: &std::collections::HashSet<Uuid>) {
        let missing = self.streams.requests().filter(|request| !seen.contains(*request));
        let words = |request: &Uuid| format!("request {request}: it is in the log and not in the table");
        let found = missing.map(|request| Finding::new(Fault::State, words(request))).collect();
        self.note(found);
    }

    fn note(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            // A log that is wrong from one point on is wrong a million times; a few of each kind are enough to say it.
            let of_kind = self.findings.iter().filter(|one| one.fault == finding.fault).count();
            if of_kind < KEPT * 2 {
                self.findings.push(finding);
            } else {
                self.report.unlisted += 1;
            }
        }
    }

    /// Ends and reports.
    pub fn finish(mut self) -> Report {
        let opened = trust::check(&Examined { given: &self.given, recorded: &self.recorded, streams: &self.streams });
        self.report.signed_by = opened.signed_by;
        self.report.continued = opened.continued;
        self.report.remarks.extend(opened.remarks);
        let mut findings = opened.findings;
        let size = self.size();
        findings.extend(self.leaves.findings(&leaves::Held {
            size,
            is_live: self.given.is_live,
            signed: self.head.as_ref().map(|head| head.root),
            recorded: self.recorded.root(size),
            actual: self.actual.root(size),
            last_good: opened.last_good,
        }));
        self.report.size = size;
        self.report.unsigned = if self.given.is_live { self.leaves.count().saturating_sub(size) } else { 0 };
        self.report.requests = self.streams.whole_requests();
        self.report.newest = self.streams.newest();
        if let Some((limit, now)) = self.given.age {
            let is_fresh = self.report.newest.is_some_and(|newest| now - newest <= limit);
            if !is_fresh {
                let newest = self.report.newest.map_or_else(|| "none".to_owned(), |newest| newest.to_rfc3339());
                let words = format!(
                    "the newest entry is older than {} s: {newest}. Is the log still written, and is this the latest export?",
                    limit.num_seconds()
                );
                findings.push(Finding::new(Fault::Stale, words));
            }
        }
        self.note(findings);
        self.report.findings = self.findings;
        self.report.sort();
        self.report
    }
}
