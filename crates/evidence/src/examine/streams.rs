//! Checks the entries: their format, their position in their streams, and the lifecycle of each request.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::replay::{PolicyHistory, Replayed};
use tlog::{Hash, Verifier};
use uuid::Uuid;

use super::break_glass;
use crate::authority::Timeline;
use crate::finding::{Fault, Finding};
use crate::{Event, admission};

/// The state of a stream after its latest entry.
struct Stream {
    seq: u64,
    prev: Hash,
    /// Version of the latest step. `None` before the first available step, when the start of the stream is not available.
    version: Option<i64>,
    /// `None` when the start of the stream is not available.
    history: Option<Replayed>,
}

/// A change of the log key that an entry announces.
pub(super) struct KeyChange {
    pub index: u64,
    pub key: Verifier,
    pub previous: Option<Verifier>,
}

/// All streams of the log, up to the latest entry.
pub(super) struct Streams {
    origin: String,
    /// Index of the first entry that must be present.
    first: u64,
    streams: HashMap<String, Stream>,
    requests: HashMap<Uuid, String>,
    ids: HashSet<Uuid>,
    keys: Vec<KeyChange>,
    newest: Option<DateTime<Utc>>,
    policies: PolicyHistory,
}

impl Streams {
    pub fn new(origin: String, first: u64) -> Self {
        Self {
            origin,
            first,
            streams: HashMap::new(),
            requests: HashMap::new(),
            ids: HashSet::new(),
            keys: Vec::new(),
            newest: None,
            policies: PolicyHistory::default(),
        }
    }

    pub fn newest(&self) -> Option<DateTime<Utc>> {
        self.newest
    }

    pub fn keys(&self) -> impl Iterator<Item = &KeyChange> {
        self.keys.iter()
    }

    /// The history of a request. `None` unless all its steps are available.
    pub fn history(&self, request: &Uuid) -> Option<&Replayed> {
        self.streams.get(self.requests.get(request)?)?.history.as_ref()
    }

    /// Requests with a complete history.
    pub fn requests(&self) -> impl Iterator<Item = &Uuid> {
        self.requests.keys().filter(|request| self.history(request).is_some_and(|history| history.version > 0))
    }

    /// Whether the stream of an event is available from its first entry.
    pub fn is_complete(&self, event: &Event) -> bool {
        let stream = event.request.as_ref().and_then(|request| self.streams.get(request));
        stream.is_none_or(|stream| stream.history.is_some())
    }

    /// Records the break-glass policies of a statement that the event added to the authority.
    pub fn record_policies(&mut self, event: &Event, authority: &Timeline) {
        let last = authority.statements().last().filter(|_| self.first == 0);
        for policy in last.iter().flat_map(|stated| &stated.statement.break_glass) {
            break_glass::record_stated(&mut self.policies, policy, event);
        }
    }

    pub fn complete_requests(&self) -> u64 {
        self.requests().count() as u64
    }

    /// Adds the next entry. Returns findings, and the event when it is well-formed.
    pub fn add_entry(&mut self, index: u64, bytes: &[u8], leaf: Hash) -> (Vec<Finding>, Option<Event>) {
        let (entry, event) = match admission::read(bytes) {
            Ok(read) => read,
            Err(words) => return (vec![Finding::new(Fault::Rule, words).at(index, None)], None),
        };
        let mut found = Vec::new();
        let mut find = |fault: Fault, words: String| found.push(Finding::new(fault, words).at(index, Some(&event)));
        admission::faults(&self.origin, &entry, &event).into_iter().for_each(|words| find(Fault::Rule, words));
        if !self.ids.insert(event.id) {
            find(Fault::Rule, "the log contains this event twice".to_owned());
        }
        self.newest = self.newest.max(Some(event.at));
        if event.kind == "log.key_changed" {
            let previous = admission::key(&event, "previous");
            self.keys.extend(admission::key(&event, "key").map(|key| KeyChange { index, key, previous }));
        }
        let name = event.request.clone().unwrap_or_default();
        let is_complete = self.first == 0 || entry.seq == 1;
        let stream = self.streams.entry(name.clone()).or_insert_with(|| Stream {
            seq: if is_complete { 0 } else { entry.seq - 1 },
            prev: if is_complete { Hash([0; 32]) } else { entry.prev },
            version: is_complete.then_some(0),
            history: is_complete.then(Replayed::default),
        });
        if entry.seq != stream.seq + 1 {
            let expected = stream.seq + 1;
            let words = format!("its stream continues with sequence number {}, expected {expected}", entry.seq);
            find(Fault::Missing, words);
        } else if entry.prev != stream.prev {
            find(Fault::Changed, "its `prev` hash does not match the entry before it in its stream".to_owned());
        }
        (stream.seq, stream.prev) = (entry.seq, leaf);
        check_step(&event, stream, &mut find);
        // In a partial log, the policy may be in an entry before the first one.
        if self.first == 0 {
            let broken = break_glass::check(&mut self.policies, &event, stream.history.as_ref());
            broken.into_iter().for_each(|rule| find(Fault::Rule, rule.0));
        }
        if let Some(request) = name.parse().ok().filter(|_| event.version.is_some()) {
            self.requests.insert(request, name);
        }
        (found, Some(event))
    }
}

/// Checks the version of a step, and the step against the lifecycle rules.
fn check_step(event: &Event, stream: &mut Stream, find: &mut impl FnMut(Fault, String)) {
    let has_request = event.request.as_ref().is_some_and(|request| !request.is_empty());
    let Some(version) = event.version.filter(|_| has_request) else {
        return;
    };
    if let Some(expected) = stream.version.map(|before| before + 1).filter(|expected| *expected != version) {
        find(Fault::Missing, format!("the request continues with version {version}, expected {expected}"));
    }
    stream.version = Some(version);
    if let (Some(history), Some(step)) = (&mut stream.history, event.recorded_step())
        && let Err(broken) = history.apply(&step)
    {
        for rule in broken {
            find(Fault::Rule, rule.0);
        }
    }
}
