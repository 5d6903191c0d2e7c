//! The rules of docs/audit-format.md, section 11, applied to the entries of a log as they arrive.
//!
//! A decision is judged by the statement that is in force at its time, whichever entry comes first in the log. Therefore
//! decisions wait until a heartbeat shows that no earlier statement can follow, or until [`ConsentRules::judge_waiting`].
//!
//! Deliberately absent: the form of entries and the lifecycle (`examine`).

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, Utc};
use consent::VENDOR;
use tlog::Note;

use crate::authority::{self, Stated, Timeline};
use crate::finding::{Fault, Finding};
use crate::grant_report::{DecisionReport, GrantReport, Proof};
use crate::{Entry, Event, decisions};

mod clock;
mod content;
mod grants;
mod protection;
mod trust;
mod witnesses;

use clock::{Clock, TOLERANCE};
use content::Content;
use grants::Grants;

pub(crate) use protection::policy_digest;
pub use trust::ConsentTrust;

/// Whether a checkpoint has the cosignatures that the statement in this entry requires.
pub fn has_cosignatures(note: &Note, statement: &[u8]) -> bool {
    let event = Entry::read(statement).and_then(|entry| serde_json::from_slice(entry.event).ok()).and_then(Event::read);
    let statement = event.and_then(|event| serde_json::from_value(event.data()["statement"].clone()).ok());
    let (witnesses, required) = witnesses::trusted(&ConsentTrust::default(), statement.as_ref());
    witnesses::missing(note, &witnesses, required).is_none()
}

/// An event that waits to be judged.
struct Waiting {
    index: u64,
    event: Event,
}

/// The rules of consent, with their state after the entries so far.
pub struct ConsentRules {
    /// The `tenant` of the statements of this log.
    tenant: String,
    trust: ConsentTrust,
    timeline: Timeline,
    vendor: Timeline,
    contents: HashMap<String, Content>,
    decisions: HashMap<String, Vec<DecisionReport>>,
    waiting: VecDeque<Waiting>,
    grants: Grants,
    clock: Clock,
    newest: Option<DateTime<Utc>>,
    last_at: Option<DateTime<Utc>>,
    /// Findings that do not follow from an entry.
    early: Vec<Finding>,
}

impl ConsentRules {
    /// Starts with the log of this origin. `sizes` are the sizes of the checkpoints that may be cosigned.
    pub fn new(origin: &str, trust: ConsentTrust, sizes: Vec<u64>) -> Self {
        let (mut early, mut vendor) = (Vec::new(), Timeline::default());
        if let Some(file) = &trust.vendor {
            match Timeline::of_file(file, VENDOR) {
                Ok(timeline) => vendor = timeline,
                Err(fault) => {
                    let words = format!("the authority file of the vendor is not valid: {fault}");
                    early.push(Finding::new(Fault::Consent, words).of_rule(7));
                }
            }
        }
        Self {
            tenant: authority::tenant(origin).to_owned(),
            trust,
            timeline: Timeline::default(),
            vendor,
            contents: HashMap::new(),
            decisions: HashMap::new(),
            waiting: VecDeque::new(),
            grants: Grants::default(),
            clock: Clock::new(sizes),
            newest: None,
            last_at: None,
            early,
        }
    }

    /// The authority so far.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Adds the next entry. `is_complete` says whether its stream is available from its first entry. Returns findings, also
    /// about earlier entries.
    pub fn add(&mut self, index: u64, event: &Event, is_complete: bool) -> Vec<Finding> {
        let mut found = std::mem::take(&mut self.early);
        let rule = |number: u8, index: u64, words: String, event: Option<&Event>| {
            Finding::new(Fault::Rule, words).of_rule(number).at(index, event)
        };
        let is_too_early = self.clock.add(index, event);
        if is_too_early {
            let words = "the event is more than an hour earlier than the last heartbeat before it in the log";
            found.push(rule(10, index, words.to_owned(), Some(event)));
        }
        self.newest = self.newest.max(Some(event.at));
        self.last_at = Some(event.at);
        match event.kind.as_str() {
            "authority.changed" => found.extend(self.record_statement(index, event, is_too_early)),
            "request.submitted" => {
                let differ = content::differences(event).into_iter();
                found.extend(differ.map(|words| rule(8, index, words, Some(event))));
                self.contents.extend(event.request.clone().zip(Content::read(event)));
            }
            "log.heartbeat" => found.extend(self.judge_before(event.at - TOLERANCE)),
            _ => {}
        }
        let content = event.request.as_ref().and_then(|request| self.contents.get(request));
        let resource = content.and_then(|content| content.resource.as_str());
        for (place, words) in self.grants.add(index, event, resource, is_complete) {
            found.push(rule(9, place, words, Some(event).filter(|_| place == index)));
        }
        if protection::is_judged(event) {
            self.waiting.push_back(Waiting { index, event: event.clone() });
        }
        found
    }

    /// Records the statement of an entry, which may be proved outside the entries of the bundle.
    pub fn record_statement(&mut self, index: u64, event: &Event, is_too_early: bool) -> Option<Finding> {
        let recorded = match is_too_early {
            true => Err("the statement is more than an hour earlier than the last heartbeat".to_owned()),
            false => self.timeline.record_event(event, &self.tenant).map(drop),
        };
        let words = format!("the statement of the authority does not count: {}", recorded.err()?);
        Some(Finding::new(Fault::Consent, words).of_rule(1).at(index, Some(event)))
    }

    /// The last statement that was accepted.
    pub fn latest(&self) -> Option<&Stated> {
        self.timeline.statements().last()
    }

    /// Judges everything that waits. A follower calls this when it has read all entries so far.
    pub fn judge_waiting(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.waiting).into_iter().flat_map(|one| self.judge(&one)).collect()
    }

    /// Judges what is earlier than a moment before which no statement can follow.
    fn judge_before(&mut self, moment: DateTime<Utc>) -> Vec<Finding> {
        let (ready, later) = std::mem::take(&mut self.waiting).into_iter().partition(|one| one.event.at < moment);
        self.waiting = later;
        let ready: VecDeque<Waiting> = ready;
        ready.into_iter().flat_map(|one| self.judge(&one)).collect()
    }

    fn judge(&mut self, one: &Waiting) -> Vec<Finding> {
        let Waiting { index, event } = one;
        let content = event.request.as_ref().and_then(|request| self.contents.get(request));
        let mut found: Vec<Finding> = protection::broken(event, content, self.timeline.in_force(event.at))
            .into_iter()
            .map(|(rule, words)| Finding::new(Fault::Consent, words).of_rule(rule).at(*index, Some(event)))
            .collect();
        let side = match event.kind.as_str() {
            "request.customer_approved" | "request.customer_denied" => "customer",
            kind if protection::is_vendor_decision(kind) => "vendor",
            _ => return found,
        };
        let timeline = if side == "customer" { &self.timeline } else { &self.vendor };
        let document = content.map(Content::document);
        let proof = match timeline.in_force(event.at) {
            None => Proof::NoAuthority,
            Some(statement) => match decisions::signer(statement, &event.document, document.as_ref()) {
                Ok(signer) => Proof::Signed(Box::new(signer)),
                Err(fault) => {
                    let words = format!(
                        "the decision is not proved to be that of {}: {fault}",
                        event.who().unwrap_or("a person")
                    );
                    let rule = if side == "customer" { 2 } else { 7 };
                    found.push(Finding::new(Fault::Consent, words.clone()).of_rule(rule).at(*index, Some(event)));
                    Proof::Refused(words)
                }
            },
        };
        if let Some(request) = &event.request {
            self.decisions.entry(request.clone()).or_default().push(DecisionReport::new(*index, event, side, proof));
        }
        found
    }

    /// Ends the examination. `checkpoint` is the note that the log is verified against, `valid` are all valid checkpoints that
    /// agree with the log. Witnesses may not have cosigned the newest checkpoint of a live log yet, so an earlier one is enough.
    pub fn finish(&mut self, checkpoint: &Note, valid: &[Note], is_live: bool) -> Vec<Finding> {
        let mut found = std::mem::take(&mut self.early);
        found.extend(self.judge_waiting());
        for (index, words) in self.grants.without_grant() {
            found.push(Finding::new(Fault::Rule, words).of_rule(9).at(index, None));
        }
        if let Some(pin) = &self.trust.authority {
            let differ = self.timeline.differences(pin, &self.tenant, self.newest);
            found.extend(differ.into_iter().map(|words| Finding::new(Fault::Consent, words).of_rule(1)));
        }
        let in_force = self.newest_statement();
        let (witnesses, required) = witnesses::trusted(&self.trust, in_force);
        let earlier =
            valid.iter().filter(|_| is_live).any(|note| witnesses::missing(note, &witnesses, required).is_none());
        found.extend(witnesses::missing(checkpoint, &witnesses, required).filter(|_| !earlier));
        for (size, at) in witnesses::cosignatures(valid, &witnesses) {
            if let Some(index) = self.clock.too_late(size, at) {
                let words =
                    "the event is more than an hour later than a witness's cosignature of a checkpoint that covers it";
                found.push(Finding::new(Fault::Rule, words).of_rule(10).at(index, None));
            }
        }
        found
    }

    /// The statement in force at the time of the last entry.
    fn newest_statement(&self) -> Option<&consent::Statement> {
        self.last_at.and_then(|at| self.timeline.in_force(at))
    }

    /// What was not verified, in sentences, when nothing else was found.
    pub fn unverified(&self, has_trusted_key: bool) -> Vec<String> {
        let mut sentences = Vec::new();
        if !has_trusted_key {
            sentences.push("consent not verified: no log key was given".to_owned());
        }
        if self.tenant == VENDOR {
            return sentences;
        }
        if self.timeline.statements().is_empty() {
            sentences.push("consent not verified: this tenant has no authority of its own".to_owned());
        } else if self.trust.authority.is_none() {
            sentences.push("consent not verified: no authority was given".to_owned());
        }
        sentences
    }

    /// The grants of the log, with who signed what. `limit` is the largest number of them.
    pub fn grants(&mut self, limit: usize) -> Vec<GrantReport> {
        let mut reports = Vec::new();
        for (request, grant) in self.grants.activated().into_iter().take(limit) {
            let content = self.contents.get(request);
            let text = |value: Option<&serde_json::Value>| value.and_then(|value| value.as_str()).map(str::to_owned);
            reports.push(GrantReport {
                request: request.clone(),
                index: grant.activated.map(|(index, _)| index).unwrap_or_default(),
                service: text(content.map(|content| &content.service)),
                resource: text(content.map(|content| &content.resource)),
                access_level: text(content.map(|content| &content.access_level)),
                access_from: grant.access_from,
                access_until: grant.access_until,
                ended_at: grant.ended_at,
                uses: grant.uses,
                decisions: self.decisions.get(request).cloned().unwrap_or_default(),
            });
        }
        reports
    }
}
