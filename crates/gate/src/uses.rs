//! Every use on record, and every try that was refused: equal ones within a second are one event with their count, so
//! that a busy engineer costs little.
//!
//! What waits here is bounded. When allowed uses cannot be recorded any more, nothing more is allowed; of refused tries
//! the first ones of a second are told apart and the rest are counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::envelope::{About, Message, message, wall_clock};
use contracts::events::{AccessUsed, Actor};
use contracts::{Kind, Traceparent};
use store::Store;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workers::Relay;

use super::ask::Ask;
use super::decide::{Code, Decision};

/// How often uses are recorded.
const PERIOD: Duration = Duration::from_secs(1);
/// Different uses that may wait to be recorded.
const WAITING_LIMIT: usize = 50_000;
/// Different refused tries that are told apart while they wait.
const REFUSED_LIMIT: usize = 200;
/// Longest resource on record, in characters.
const RESOURCE_LIMIT: usize = 1024;
/// Longest of the other words on record, in characters.
const WORD_LIMIT: usize = 64;
/// Events written at once.
const PORTION: usize = 500;
/// How long the relay may keep the recorder waiting: the outbox has the events already.
const RELAY_LIMIT: Duration = Duration::from_millis(200);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Use {
    request: Option<Uuid>,
    /// Whose handle, or whom the client said to be.
    who: String,
    method: String,
    resource: String,
    source: String,
    code: Code,
    grants: usize,
}

#[derive(Clone, Debug)]
struct Tally {
    count: u32,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    tenant: Option<String>,
    service_request: Option<String>,
    actor: Actor,
}

#[derive(Debug, Default)]
struct Waiting {
    tallies: HashMap<Use, Tally>,
    refused: usize,
}

/// What waits to be recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses(Arc<Mutex<Waiting>>);

fn cut(text: &str, limit: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(limit).collect()
}

fn describe(ask: &Ask, decision: &Decision) -> (Use, Tally) {
    let now = decision.now.unwrap_or_else(wall_clock);
    let (holder, grant) = (decision.holder.as_ref(), decision.grants.first());
    let claimed = ask.claimed.as_deref().map(|name| cut(name, WORD_LIMIT));
    let actor = match holder {
        Some(holder) => Actor {
            kind: "person".to_owned(),
            id: Some(holder.person),
            name: Some(holder.name.clone()),
            display_name: Some(holder.display_name.clone()),
            side: Some("vendor".to_owned()),
            auth: None,
        },
        None => Actor { name: claimed.clone(), ..Actor::claimed("") },
    };
    let under = grant.map(|grant| (grant.grant_id, grant.grant_service_request.clone()));
    let under = under.or_else(|| holder.map(|holder| (holder.request, holder.service_request.clone())));
    let (request, service_request) = under.unzip();
    let key = Use {
        request,
        who: holder.map(|holder| holder.name.clone()).or(claimed).unwrap_or_default(),
        method: cut(&ask.method, WORD_LIMIT),
        resource: cut(&ask.resource, RESOURCE_LIMIT),
        source: cut(&ask.source, WORD_LIMIT),
        code: decision.code,
        grants: decision.grants.len(),
    };
    // The tenant of the handle's own grant: nobody else is told of a try that went astray.
    let tenant = holder.map(|holder| holder.tenant.clone());
    (key, Tally { count: 1, first: now, last: now, tenant, service_request, actor })
}

impl Waiting {
    fn add(&mut self, key: Use, tally: Tally) {
        let is_refused = key.code != Code::Ok;
        match self.tallies.get_mut(&key) {
            Some(known) => {
                known.count = known.count.saturating_add(tally.count);
                known.first = known.first.min(tally.first);
                known.last = known.last.max(tally.last);
            }
            None => {
                self.refused += usize::from(is_refused);
                self.tallies.insert(key, tally);
            }
        }
    }
}

impl Uses {
    /// Notes a use or a try; `false` when it cannot be kept.
    pub fn note(&self, ask: &Ask, decision: &Decision) -> bool {
        let (key, tally) = describe(ask, decision);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !waiting.tallies.contains_key(&key);
        if decision.is_yes() {
            if is_new && waiting.tallies.len() >= WAITING_LIMIT {
                return false;
            }
        } else if is_new && waiting.refused >= REFUSED_LIMIT {
            let blank = String::new;
            let (who, method, resource, source) = (blank(), blank(), blank(), blank());
            let more = Use { request: None, who, method, resource, source, code: Code::More, grants: 0 };
            let actor = Actor { name: None, ..Actor::claimed("") };
            waiting.add(more, Tally { tenant: None, service_request: None, actor, ..tally });
            return true;
        }
        waiting.add(key, tally);
        true
    }

    /// Records what waits, every second and once more at the stop.
    pub async fn record(self, store: Store, relay: Relay, stop: CancellationToken) {
        loop {
            let is_last = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(PERIOD) => false,
            };
            self.flush(&store, &relay).await;
            if is_last {
                return;
            }
        }
    }

    async fn flush(&self, store: &Store, relay: &Relay) {
        let taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut rest: Vec<(Use, Tally)> = taken.tallies.into_iter().collect();
        while !rest.is_empty() {
            let portion = rest.split_off(rest.len().saturating_sub(PORTION));
            let messages: Vec<Message> = portion.iter().map(|(key, tally)| event(key, tally)).collect();
            if let Err(error) = store.enqueue(&messages).await {
                tracing::warn!(error = workers::engine::chain(&error), "uses could not be recorded; tried again");
                let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                for (key, tally) in portion.into_iter().chain(rest) {
                    waiting.add(key, tally);
                }
                return;
            }
            let now = portion.iter().map(|(_, tally)| tally.last).max().unwrap_or_else(wall_clock);
            drop(tokio::time::timeout(RELAY_LIMIT, relay.hand_over(messages, Vec::new(), now)).await);
        }
    }
}

fn event(key: &Use, tally: &Tally) -> Message {
    let data = AccessUsed {
        request: key.request,
        service_request: tally.service_request.clone(),
        method: key.method.clone(),
        resource: key.resource.clone(),
        source: key.source.clone(),
        allowed: key.code == Code::Ok,
        code: key.code.as_str().to_owned(),
        count: tally.count,
        first_at: tally.first,
        last_at: tally.last,
        grants: u32::try_from(key.grants).ok().filter(|count| *count > 1),
        actor: tally.actor.clone(),
    };
    let about = About {
        tenant: tally.tenant.clone(),
        request: key.request,
        trace: Some(Traceparent::start()),
        ..About::default()
    };
    message(Kind::AccessUsed, tally.last, about, &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(resource: &str) -> (Ask, Decision) {
        let ask = Ask { resource: resource.into(), method: "GET".into(), ..Ask::default() };
        (ask, Decision { code: Code::NoCredential, now: None, holder: None, grants: Vec::new() })
    }

    #[test]
    fn equal_uses_are_counted_and_a_flood_of_refused_tries_stays_small() {
        let uses = Uses::default();
        let (ask, decision) = refused("https://contoso.example/a");
        for _ in 0..1000 {
            assert!(uses.note(&ask, &decision));
        }
        for number in 0..10_000 {
            let (ask, decision) = refused(&format!("https://contoso.example/{number}"));
            assert!(uses.note(&ask, &decision));
        }
        let waiting = uses.0.lock().unwrap();
        assert!(waiting.tallies.len() <= REFUSED_LIMIT + 1, "{}", waiting.tallies.len());
        assert_eq!(waiting.tallies.values().map(|tally| tally.count).sum::<u32>(), 11_000, "none is lost");
    }

    #[test]
    fn what_cannot_be_recorded_is_not_allowed() {
        let uses = Uses::default();
        let yes = Decision { code: Code::Ok, now: None, holder: None, grants: Vec::new() };
        for number in 0..WAITING_LIMIT {
            assert!(uses.note(&Ask { resource: number.to_string(), ..Ask::default() }, &yes));
        }
        assert!(!uses.note(&Ask { resource: "one more".into(), ..Ask::default() }, &yes));
        assert!(uses.note(&Ask { resource: "0".into(), ..Ask::default() }, &yes), "a known one only counts");
    }
}
