//! Examines one log leaf by leaf and reports the findings.
//!
//! The checks follow docs/audit-format.md, section 7: signatures, earlier checkpoints, root, entries, streams, rules,
//! database, age. Memory use is about 100 bytes per entry, whatever the size of the entries.

use tlog::{Checkpoint, Frontier, Hash, Note, leaf_hash};
use uuid::Uuid;

use crate::Event;
use crate::consent_rules::ConsentRules;
use crate::finding::{Fault, Finding, KEPT, Report};
use crate::rows::{self, RequestRow};

mod break_glass;
mod follower;
mod inputs;
mod leaves;
mod streams;
mod trust;

use inputs::Tree;
use leaves::Leaves;
use streams::Streams;
use trust::Context;

pub use follower::Follower;
pub use inputs::Inputs;

/// Maximum number of grants in a report.
const GRANTS: usize = 1000;

/// An examination in progress.
pub struct Examination {
    inputs: Inputs,
    head: Option<Checkpoint>,
    /// Merkle trees over the recorded leaf hashes and over the entries. They are equal unless something was changed.
    recorded: Tree,
    actual: Tree,
    leaves: Leaves,
    streams: Streams,
    consent: ConsentRules,
    findings: Vec<Finding>,
    report: Report,
}

impl Examination {
    /// Starts an examination.
    pub fn new(inputs: Inputs) -> Self {
        let head = inputs.head.parse::<Note>().ok().and_then(|note| note.text.parse::<Checkpoint>().ok());
        let sizes = trust::sizes(&inputs);
        let tree = || {
            let roots = sizes.iter().map(|size| (*size, (*size == 0).then(|| Frontier::default().root())));
            Tree { frontier: Frontier::default(), roots: roots.collect() }
        };
        Self {
            recorded: tree(),
            actual: tree(),
            leaves: Leaves::default(),
            consent: ConsentRules::new(&inputs.origin, inputs.consent.clone(), sizes.clone()),
            streams: Streams::new(inputs.origin.clone(), inputs.covers.start),
            findings: Vec::new(),
            report: Report { origin: inputs.origin.clone(), ..Report::default() },
            head,
            inputs,
        }
    }

    /// Number of entries that the checkpoint covers.
    pub fn size(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.size)
    }

    /// Adds the next leaf: its recorded hash and its entry, where available. Returns the event when it is well-formed.
    pub fn add_leaf(&mut self, recorded: Option<Hash>, entry: Option<&[u8]>) -> Option<Event> {
        let index = self.leaves.count();
        let hash = entry.map(leaf_hash);
        self.leaves.push(recorded, hash);
        // After a leaf without a hash and without an entry, no root can be computed.
        if let Some(leaf) = recorded.or(hash).filter(|_| self.actual.frontier.size() == index) {
            self.recorded.push(leaf);
            self.actual.push(hash.unwrap_or(leaf));
        }
        match (entry, hash) {
            (Some(bytes), Some(hash)) => {
                self.report.entries += 1;
                let (found, event) = self.streams.add_entry(index, bytes, hash);
                self.record(found);
                if let Some(event) = &event {
                    self.apply_consent(index, event);
                }
                event
            }
            _ => {
                if self.inputs.covers.contains(&index) {
                    self.leaves.mark_missing(index);
                }
                None
            }
        }
    }

    fn apply_consent(&mut self, index: u64, event: &Event) {
        let found = self.consent.add(index, event, self.streams.is_complete(event));
        self.record(found);
        if event.kind == "authority.changed" {
            self.streams.record_policies(event, self.consent.timeline());
        }
    }

    /// Adds a statement of the authority that a proof shows, of an entry that is not available.
    pub fn add_proved_statement(&mut self, index: u64, event: &Event) {
        let found = self.consent.record_statement(index, event, false);
        self.record(found.into_iter().collect());
    }

    /// Adds a finding.
    pub fn add_finding(&mut self, finding: Finding) {
        self.record(vec![finding]);
    }

    /// Adds a remark for the reader of the report.
    pub fn add_remark(&mut self, words: impl Into<String>) {
        self.report.remarks.push(words.into());
    }

    /// Compares a row of the table of requests with the history of the request.
    pub fn compare_row(&mut self, row: &RequestRow) {
        self.report.rows += 1;
        let about = |words: String| Finding::new(Fault::DatabaseMismatch, format!("request {}: {words}", row.id));
        let Some(history) = self.streams.history(&row.id) else {
            if row.pending < row.version {
                self.add_finding(about("it is in the database but not in the log".to_owned()));
            }
            return;
        };
        let differ = rows::differences(row, history).unwrap_or_default();
        self.record(differ.into_iter().map(about).collect());
    }

    /// Reports requests whose complete history is in the log but whose row is not among `seen`.
    pub fn find_missing_rows(&mut self, seen: &std::collections::HashSet<Uuid>) {
        let missing = self.streams.requests().filter(|request| !seen.contains(*request));
        let words = |request: &Uuid| format!("request {request}: it is in the log but not in the database");
        let found = missing.map(|request| Finding::new(Fault::DatabaseMismatch, words(request))).collect();
        self.record(found);
    }

    fn record(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            // A log that is wrong from one entry on can have millions of findings. Only some of each kind are listed.
            let of_kind = self.findings.iter().filter(|one| one.fault == finding.fault).count();
            if of_kind < KEPT * 2 {
                self.findings.push(finding);
            } else {
                self.report.unlisted += 1;
            }
        }
    }

    /// Ends the examination and returns the report.
    pub fn finish(mut self) -> Report {
        let signatures =
            trust::check(&Context { inputs: &self.inputs, recorded: &self.recorded, streams: &self.streams });
        self.report.signed_by = signatures.signed_by;
        self.report.continued = signatures.continued;
        self.report.remarks.extend(signatures.remarks);
        let mut findings = signatures.findings;
        if let Ok(head) = self.inputs.head.parse::<Note>() {
            findings.extend(self.consent.finish(&head, &signatures.valid, self.inputs.is_live));
        }
        self.report.grants = self.consent.grants(GRANTS);
        let size = self.size();
        findings.extend(self.leaves.findings(&leaves::Roots {
            size,
            is_live: self.inputs.is_live,
            signed: self.head.as_ref().map(|head| head.root),
            recorded: self.recorded.root(size),
            actual: self.actual.root(size),
            last_good: signatures.last_good,
        }));
        self.report.size = size;
        self.report.unsigned = if self.inputs.is_live { self.leaves.count().saturating_sub(size) } else { 0 };
        self.report.requests = self.streams.complete_requests();
        self.report.newest = self.streams.newest();
        if let Some((limit, now)) = self.inputs.age {
            let is_fresh = self.report.newest.is_some_and(|newest| now - newest <= limit);
            if !is_fresh {
                let newest = self.report.newest.map_or_else(|| "none".to_owned(), |newest| newest.to_rfc3339());
                let words = format!(
                    "the newest entry ({newest}) is older than {} s. Check that the log is still being written and that \
                     this is the latest export",
                    limit.num_seconds()
                );
                findings.push(Finding::new(Fault::Stale, words));
            }
        }
        self.report.unverified = self.consent.unverified(self.inputs.are_keys_trusted);
        self.record(findings);
        self.report.findings = self.findings;
        self.report.sort();
        self.report
    }
}
