//! The entries themselves: their form, their places in their streams, and what they tell of each request.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::replay::{PolicyHistory, Replayed};
use tlog::{Hash, Verifier};
use uuid::Uuid;

use super::break_glass;
use crate::finding::{Fault, Finding};
use crate::{Event, admission};

/// A stream so far.
struct Stream {
    seq: u64,
    prev: Hash,
    /// The newest step; `None` before the first one at hand, where the beginning is not.
    version: Option<i64>,
    /// `None` where the beginning is not in what is examined.
    history: Option<Replayed>,
}

/// A change of the log's key, as an entry announces it.
pub(super) struct KeyChange {
    pub index: u64,
    pub key: Verifier,
    pub previous: Option<Verifier>,
}

/// What was learned from the entries so far.
pub(super) struct Streams {
    origin: String,
    /// Entries before this one may be absent.
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

    /// A request's history, if all of it is there.
    pub fn history(&self, request: &Uuid) -> Option<&Replayed> {
        self.streams.get(self.requests.get(request)?)?.history.as_ref()
    }

    /// Requests whose history is whole.
    pub fn requests(&self) -> impl Iterator<Item = &Uuid> {
        self.requests.keys().filter(|request| self.history(request).is_some_and(|history| history.version > 0))
    }

    pub fn whole_requests(&self) -> u64 {
        self.requests().count() as u64
    }

    /// Takes the next entry; answers with what is wrong, and with its event if it is in its format.
    pub fn take(&mut self, index: u64, bytes: &[u8], leaf: Hash) -> (Vec<Finding>, Option<Event>) {
        let (entry, event) = match admission::read(bytes) {
            Ok(read) => read,
            Err(words) => return (vec![Finding::new(Fault::Rule, words).at(index, None)], None),
        };
        let mut found = Vec::new();
        let mut find = |fault: Fault, words: String| found.push(Finding::new(fault, words).at(index, Some(&event)));
        admission::faults(&self.origin, &entry, &event).into_iter().for_each(|words| find(Fault::Rule, words));
        if !self.ids.insert(event.id) {
            find(Fault::Rule, "the same event is recorded twice".to_owned());
        }
        self.newest = self.newest.max(Some(event.at));
        if event.kind == "log.key_changed" {
            let previous = admission::key(&event, "previous");
            self.keys.extend(admission::key(&event, "key").map(|key| KeyChange { index, key, previous }));
        }
        let name = event.request.clone().unwrap_or_default();
        let is_whole = self.first == 0 || entry.seq == 1;
        let stream = self.streams.entry(name.clone()).or_insert_with(|| Stream {
            seq: if is_whole { 0 } else { entry.seq - 1 },
            prev: if is_whole { Hash([0; 32]) } else { entry.prev },
            version: is_whole.then_some(0),
            history: is_whole.then(Replayed::default),
        });
        if entry.seq != stream.seq + 1 {
            let expected = stream.seq + 1;
            let words = format!("its stream goes on with {} where {expected} must follow", entry.seq);
            find(Fault::Gap, words);
        } else if entry.prev != stream.prev {
            find(Fault::Mismatch, "the entry before it in its stream is another than it was written after".to_owned());
        }
        (stream.seq, stream.prev) = (entry.seq, leaf);
        step(&event, stream, &mut find);
        // A consent may have been given before what is examined begins.
        if self.first == 0 {
            let broken = break_glass::judge(&mut self.policies, &event, stream.history.as_ref());
            broken.into_iter().for_each(|rule| find(Fault::Rule, rule.0));
        }
        if let Some(request) = name.parse().ok().filter(|_| event.version.is_some()) {
            self.requests.insert(request, name);
        }
        (found, Some(event))
    }
}

/// A step of a request: in its place, and by the rules.
fn step(event: &Event, stream: &mut Stream, find: &mut impl FnMut(Fault, String)) {
    let is_about_one = event.request.as_ref().is_some_and(|request| !request.is_empty());
    let Some(version) = event.version.filter(|_| is_about_one) else {
        return;
    };
    if let Some(expected) = stream.version.map(|before| before + 1).filter(|expected| *expected != version) {
        find(Fault::Gap, format!("step {version} of the request where step {expected} must follow"));
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
