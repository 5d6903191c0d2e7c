//! Applies the rules of docs/audit-format.md to the entries as they arrive, and watches what no rule of a single moment
//! covers: heartbeats, the confirmation of ended access, changes that people want to know about.
//!
//! Pure: the entries and the times come from the caller, so that a monitor that starts again comes to the same state.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use evidence::{ConsentTrust, Event, Finding, Follower};
use tlog::{Hash, Verifier};

use crate::alarm::{Kind, Raised};

/// Largest difference between the time of an entry and the time at which the monitor received it, as in rule 10.
const TOLERANCE: TimeDelta = TimeDelta::seconds(3600);
/// Time in which the end of access is confirmed.
const CONFIRMATION: TimeDelta = TimeDelta::seconds(60);

/// When an entry arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// When the monitor last saw the log without the entry.
    pub before: DateTime<Utc>,
    /// When it saw the entry.
    pub now: DateTime<Utc>,
}

/// Access that ended, until the target system confirms it.
#[derive(Debug)]
struct Ended {
    index: u64,
    at: DateTime<Utc>,
    event: Event,
}

/// The last heartbeat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeat {
    /// Index of its entry.
    pub index: u64,
    /// Its time.
    pub at: DateTime<Utc>,
}

/// The state of all rules after the last entry.
pub(crate) struct Judge {
    origin: String,
    entries: Follower,
    trust: ConsentTrust,
    newest: Option<DateTime<Utc>>,
    keys: Vec<Verifier>,
    heartbeat: Option<Heartbeat>,
    provisioned: BTreeSet<String>,
    ended: BTreeMap<String, Ended>,
    activated: BTreeSet<String>,
    /// First allowed uses of grants that the log does not contain so far.
    uses: BTreeMap<String, (u64, Event)>,
}

impl Judge {
    /// Begins before the first entry. `keys` are the trusted log keys, `trust` has the trusted authority.
    pub fn new(origin: &str, keys: Vec<Verifier>, trust: ConsentTrust) -> Self {
        Self {
            origin: origin.to_owned(),
            entries: Follower::new(origin, trust.clone()),
            trust,
            newest: None,
            keys,
            heartbeat: None,
            provisioned: BTreeSet::new(),
            ended: BTreeMap::new(),
            activated: BTreeSet::new(),
            uses: BTreeMap::new(),
        }
    }

    /// Trusted log keys, with those that trusted keys announced.
    pub fn keys(&self) -> &[Verifier] {
        &self.keys
    }

    /// The last heartbeat.
    pub fn heartbeat(&self) -> Option<Heartbeat> {
        self.heartbeat
    }

    /// Whether consent is verified.
    ///
    /// # Errors
    /// Why not.
    pub fn consent(&self) -> Result<(), String> {
        let unverified = self.entries.consent().unverified(!self.keys.is_empty());
        if unverified.is_empty() { Ok(()) } else { Err(unverified.join("; ")) }
    }

    /// What is known of the authority.
    pub fn authority(&self) -> String {
        let Some(last) = self.entries.consent().latest() else {
            return "this tenant has no authority of its own".to_owned();
        };
        let statements = self.entries.consent().timeline().statements();
        let fingerprint = statements.first().map(|first| consent::fingerprint(&first.statement)).unwrap_or_default();
        let from = last.in_force_from.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        format!("statement {}, in force from {from}; fingerprint {fingerprint}", last.statement.version)
    }

    /// Judges the next entry. `arrival` is absent for entries that were stored before a restart.
    pub fn add(&mut self, index: u64, bytes: &[u8], leaf: Hash, arrival: Option<Arrival>) -> Vec<Raised> {
        let (found, event) = self.entries.add_entry(index, bytes, leaf);
        let Some(event) = event else { return group(&found, index, None) };
        self.newest = self.newest.max(Some(event.at));
        // The findings of each kind about this entry are one alarm; others are about entries before it.
        let (own, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|finding| finding.index == Some(index));
        let mut raised = group(&own, index, Some(&event));
        raised.extend(other.iter().map(of_earlier));
        raised.extend(arrival.and_then(|arrival| check_time(index, &event, arrival)));
        // A statement that does not count changes nothing.
        if !raised.iter().any(|one| one.kind == Kind::AuthorityInvalid) {
            raised.extend(self.watch(index, event));
        }
        raised
    }

    /// Judges the decisions that wait, when all entries so far were added, and compares the authority with the trusted one.
    pub fn settle(&mut self) -> Vec<Raised> {
        let mut raised: Vec<Raised> = self.entries.judge_waiting().iter().map(of_earlier).collect();
        // A log whose first statement has not arrived yet is reported when it stays without one.
        let pin = self.trust.authority.as_ref().filter(|_| self.entries.consent().latest().is_some());
        if let Some(pin) = pin {
            let tenant = evidence::authority::tenant(&self.origin);
            for message in self.entries.consent().timeline().differences(pin, tenant, self.newest) {
                let about = hex::encode(&Hash::of(message.as_bytes()).0[..8]);
                raised.push(Raised::new(Kind::AuthorityInvalid, about, message));
            }
        }
        raised
    }

    /// Notes what later entries must match. Returns what people want to know about.
    fn watch(&mut self, index: u64, event: Event) -> Option<Raised> {
        let data = event.data();
        let about = |kind, message: String| Raised::new(kind, index.to_string(), message).at(index, Some(&event));
        let request = event.request.clone().unwrap_or_default();
        match event.kind.as_str() {
            "log.heartbeat" => self.heartbeat = Some(Heartbeat { index, at: event.at }),
            "log.key_changed" => {
                let key = |name: &str| data[name].as_str().and_then(|key| key.parse::<Verifier>().ok());
                let (key, previous) = (key("key")?, key("previous"));
                let follows = previous.as_ref().is_some_and(|previous| self.keys.contains(previous));
                let is_new = !self.keys.contains(&key);
                if follows && is_new {
                    self.keys.push(key.clone());
                }
                let announced = if follows { "a trusted key announced it" } else { "no trusted key announced it" };
                // The first key of a log has no predecessor, and is the one that the monitor was given.
                return is_new.then(|| about(Kind::KeyChange, format!("the new key is {key}; {announced}")));
            }
            "authority.proposed" => {
                let message = format!("{} proposed a change of the authority", event.who().unwrap_or("the vendor"));
                return Some(about(Kind::DirectoryProposal, message));
            }
            "authority.changed" => {
                let version = data["statement"]["version"].to_string();
                let from = data["in_force_from"].as_str().unwrap_or("an unknown time");
                let changes: Vec<&str> =
                    data["changes"].as_array().into_iter().flatten().filter_map(|one| one.as_str()).collect();
                let changes = if changes.is_empty() { String::new() } else { format!(": {}", changes.join("; ")) };
                let message = format!("statement {version} is in force from {from}{changes}");
                return Some(about(Kind::AuthorityChange, message));
            }
            "grant.activated" => {
                self.uses.remove(&request);
                self.activated.insert(request);
            }
            "grant.used" if data["allowed"] == true && !self.activated.contains(&request) => {
                self.uses.entry(request).or_insert_with(|| (index, event.clone()));
            }
            "grant.provisioned" => drop(self.provisioned.insert(request)),
            "grant.ended" if self.provisioned.contains(&request) => {
                drop(self.ended.insert(request, Ended { index, at: event.at, event }));
            }
            "grant.revoked" => {
                self.provisioned.remove(&request);
                self.ended.remove(&request);
            }
            _ => {}
        }
        None
    }

    /// Reports what has not happened by now: the confirmation of ended access, a heartbeat within `silence`, and the trusted
    /// authority within `silence` after the start of the monitor.
    pub fn check_absences(&self, now: DateTime<Utc>, silence: TimeDelta, started_at: DateTime<Utc>) -> Vec<Raised> {
        let late = self.ended.values().filter(|ended| now - ended.at > CONFIRMATION);
        let mut raised: Vec<Raised> = late
            .map(|ended| {
                let message = format!(
                    "access ended at {}, and the target system did not confirm it within {} s",
                    ended.event.time,
                    CONFIRMATION.num_seconds()
                );
                let raised = Raised::new(Kind::RevocationUnconfirmed, ended.index.to_string(), message);
                raised.at(ended.index, Some(&ended.event))
            })
            .collect();
        for (index, event) in self.uses.values().filter(|(_, event)| now - event.at > CONFIRMATION) {
            let message = format!("access was used at {}, and the log contains no grant of it", event.time);
            raised.push(Raised::new(Kind::UseOutsideGrant, index.to_string(), message).at(*index, Some(event)));
        }
        let has_authority = self.trust.authority.is_none() || self.entries.consent().latest().is_some();
        if !has_authority && now - started_at > silence {
            let message = "the log does not contain the authority that you trust";
            raised.push(Raised::new(Kind::AuthorityInvalid, "absent", message));
        }
        if let Some(last) = self.heartbeat.filter(|last| now - last.at > silence) {
            let message =
                format!("the last heartbeat is of {}; one is expected every five minutes", last.at.to_rfc3339());
            let missing = Raised::new(Kind::HeartbeatMissing, last.index.to_string(), message);
            raised.push(Raised { index: Some(last.index), ..missing });
        }
        raised
    }
}

/// One alarm for each kind of finding about an entry.
fn group(findings: &[Finding], index: u64, event: Option<&Event>) -> Vec<Raised> {
    let mut kinds: BTreeMap<Kind, Vec<&str>> = BTreeMap::new();
    for finding in findings {
        let kind = kind_of(finding, event.map(|event| event.kind.as_str()));
        kinds.entry(kind).or_default().push(&finding.message);
    }
    let raise = |(kind, messages): (Kind, Vec<&str>)| {
        let who = event.and_then(Event::who).map(|who| format!(" by {who}")).unwrap_or_default();
        let what = event.map(|event| format!("{}{who} at {}: ", event.kind, event.time)).unwrap_or_default();
        Raised::new(kind, index.to_string(), format!("{what}{}", messages.join("; "))).at(index, event)
    };
    kinds.into_iter().map(raise).collect()
}

/// The alarm of a finding about an entry that was added before.
fn of_earlier(finding: &Finding) -> Raised {
    let event = finding.event.as_ref();
    let who = event.and_then(|event| event.person.as_ref()).map(|who| format!(" by {who}")).unwrap_or_default();
    let what = event.map(|event| format!("{}{who} at {}: ", event.kind, event.time)).unwrap_or_default();
    let about = finding.index.map_or_else(|| finding.message.clone(), |index| index.to_string());
    let kind = kind_of(finding, event.map(|event| event.kind.as_str()));
    Raised {
        index: finding.index,
        event: event.map(|event| event.id.clone()),
        request: event.and_then(|event| event.request.clone()),
        ..Raised::new(kind, about, format!("{what}{}", finding.message))
    }
}

/// The kind of a finding, by the rule of section 11 that is broken, or by the type of the event.
fn kind_of(finding: &Finding, event: Option<&str>) -> Kind {
    match (finding.rule, event) {
        (Some(1), _) => Kind::AuthorityInvalid,
        (Some(2 | 7), _) => Kind::UnsignedDecision,
        (Some(5), _) | (None, Some("grant.activated")) => Kind::GrantWithoutConsent,
        (Some(9), _) | (None, Some("grant.used" | "grant.provisioned")) => Kind::UseOutsideGrant,
        (Some(10), _) => Kind::BackdatedEntry,
        _ => Kind::RuleBroken,
    }
}

/// Compares the time of an entry with the times at which the log did not contain it and contained it.
fn check_time(index: u64, event: &Event, arrival: Arrival) -> Option<Raised> {
    let message = if event.at < arrival.before - TOLERANCE {
        let seen = arrival.before.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        format!("{} has the time {}, but the log did not contain it at {seen}", event.kind, event.time)
    } else if event.at > arrival.now + TOLERANCE {
        format!("{} has the time {}, which is in the future", event.kind, event.time)
    } else {
        return None;
    };
    Some(Raised::new(Kind::BackdatedEntry, index.to_string(), message).at(index, Some(event)))
}

#[cfg(test)]
mod tests;
