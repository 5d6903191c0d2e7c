//! Access activity: every use, and refused attempts. Equal ones within a second are one event with their count, so that a
//! busy engineer costs little.
//!
//! What waits here is bounded. When allowed uses cannot be recorded any more, nothing more is allowed; of refused
//! attempts a few are told apart and the rest of a minute is one event with a count (`refused.rs`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, Utc};
use contracts::envelope::{About, Message, message, wall_clock};
use contracts::events::{Actor, GrantUsed};
use contracts::{Kind, Traceparent};
use store::Store;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workers::Relay;

use super::ask::Ask;
use super::code::Code;
use super::decision::Decision;
use super::refused::{Budget, Group};

/// How often uses are recorded.
const PERIOD: Duration = Duration::from_secs(1);
/// Different uses that may wait to be recorded.
const WAITING_LIMIT: usize = 50_000;
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
    budget: Budget,
    /// Refused attempts of this minute that are only counted, by the grant whose log they belong to.
    counted: HashMap<Option<Uuid>, Tally>,
}

/// What waits to be recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses(Arc<Mutex<Waiting>>);

fn cut(text: &str, limit: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(limit).collect()
}

fn describe(ask: &Ask, decision: &Decision) -> (Use, Tally) {
    // The audit log knows microseconds.
    let now = decision.now.unwrap_or_else(wall_clock).trunc_subsecs(6);
    let grant = decision.grant.as_ref();
    let claimed = ask.claimed.as_deref().map(|name| cut(name, WORD_LIMIT));
    let actor = match grant {
        Some(grant) => Actor {
            kind: "person".to_owned(),
            id: Some(grant.person),
            name: Some(grant.name.clone()),
            display_name: Some(grant.display_name.clone()),
            side: Some("vendor".to_owned()),
            auth: None,
        },
        None => Actor { name: claimed.clone(), ..Actor::claimed("") },
    };
    // Another tenant's address is not for this tenant's log.
    let is_foreign = grant.is_some_and(|grant| grant.tenant != ask.tenant);
    let key = Use {
        request: grant.map(|grant| grant.request),
        who: grant.map(|grant| grant.name.clone()).or(claimed).unwrap_or_default(),
        method: cut(&ask.method, WORD_LIMIT),
        resource: if is_foreign { String::new() } else { cut(&ask.resource, RESOURCE_LIMIT) },
        source: cut(&ask.source, WORD_LIMIT),
        code: decision.code,
    };
    // The log of the token's own grant; without a good token, the operator's.
    let tenant = grant.map(|grant| grant.tenant.clone());
    let service_request = grant.map(|grant| grant.service_request.clone());
    (key, Tally { count: 1, first: now, last: now, tenant, service_request, actor })
}

impl Tally {
    fn add(&mut self, more: &Self) {
        self.count = self.count.saturating_add(more.count);
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
    }
}

impl Waiting {
    fn add(&mut self, key: Use, tally: Tally) {
        self.tallies.entry(key).and_modify(|known| known.add(&tally)).or_insert(tally);
    }

    /// Only counts a refused attempt.
    fn count(&mut self, request: Option<Uuid>, mut tally: Tally) {
        if request.is_none() {
            tally.actor.name = None;
        }
        self.counted.entry(request).and_modify(|known| known.add(&tally)).or_insert(tally);
    }

    /// What is to be written now; the counts too when their minute is over, or when there is no later.
    fn take(&mut self, now: Instant, is_last: bool) -> Vec<(Use, Tally)> {
        let mut taken: Vec<(Use, Tally)> = std::mem::take(&mut self.tallies).into_iter().collect();
        if self.budget.starts_again(now) || is_last {
            taken.extend(std::mem::take(&mut self.counted).into_iter().map(|(request, tally)| {
                let blank = String::new;
                let (method, resource, source) = (blank(), blank(), blank());
                let who = tally.actor.name.clone().unwrap_or_default();
                (Use { request, who, method, resource, source, code: Code::More }, tally)
            }));
        }
        taken
    }
}

impl Uses {
    /// Notes a use or a refused attempt; `false` when it cannot be kept.
    pub fn note(&self, ask: &Ask, decision: &Decision) -> bool {
        self.note_at(ask, decision, Instant::now())
    }

    fn note_at(&self, ask: &Ask, decision: &Decision, now: Instant) -> bool {
        let (key, tally) = describe(ask, decision);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !waiting.tallies.contains_key(&key);
        if is_new && decision.is_yes() && waiting.tallies.len() >= WAITING_LIMIT {
            return false;
        }
        let group = || Group { request: key.request, source: key.source.clone(), code: key.code };
        if is_new && !decision.is_yes() && !waiting.budget.admits(group(), now) {
            waiting.count(key.request, tally);
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
            self.flush(&store, &relay, is_last).await;
            if is_last {
                return;
            }
        }
    }

    async fn flush(&self, store: &Store, relay: &Relay, is_last: bool) {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now(), is_last);
        while !rest.is_empty() {
            let portion = rest.split_off(rest.len().saturating_sub(PORTION));
            let messages: Vec<Message> = portion.iter().map(|(key, tally)| event(key, tally)).collect();
            if let Err(error) = store.enqueue(&messages).await {
                tracing::warn!(error = workers::error_chain(&error), "uses could not be recorded; tried again");
                let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                for (key, tally) in portion.into_iter().chain(rest) {
                    waiting.add(key, tally);
                }
                return;
            }
            let now = portion.iter().map(|(_, tally)| tally.last).max().unwrap_or_else(wall_clock);
            drop(tokio::time::timeout(RELAY_LIMIT, relay.publish(messages, Vec::new(), now)).await);
        }
    }
}

fn event(key: &Use, tally: &Tally) -> Message {
    let data = GrantUsed {
        request: key.request,
        service_request: tally.service_request.clone(),
        method: key.method.clone(),
        resource: key.resource.clone(),
        source: key.source.clone(),
        allowed: key.code == Code::Ok,
        code: key.code.as_str().to_owned(),
        count: tally.count,
        first_at: tally.first.into(),
        last_at: tally.last.into(),
        actor: tally.actor.clone(),
    };
    let about = About {
        tenant: tally.tenant.clone(),
        request: key.request,
        trace: Some(Traceparent::start()),
        ..About::default()
    };
    message(Kind::GrantUsed, tally.last, about, &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anonymous(resource: &str, source: &str) -> (Ask, Decision) {
        let ask = Ask { resource: resource.into(), source: source.into(), method: "GET".into(), ..Ask::default() };
        (ask, Decision { code: Code::NoCredential, now: None, grant: None })
    }

    fn total(events: &[(Use, Tally)]) -> u32 {
        events.iter().map(|(_, tally)| tally.count).sum()
    }

    #[test]
    fn a_flood_of_refused_attempts_is_a_few_events_and_one_count_each_minute() {
        let (uses, start) = (Uses::default(), Instant::now());
        let take = |second: u64, is_last| uses.0.lock().unwrap().take(start + Duration::from_secs(second), is_last);
        let note = |resource: &str, source: &str, second: u64| {
            let (ask, decision) = anonymous(resource, source);
            assert!(uses.note_at(&ask, &decision, start + Duration::from_secs(second)));
        };
        let mut written = 0;
        let mut seen = 0;
        for second in 0..60 {
            for number in 0..200 {
                note(&format!("https://contoso.example/{second}/{number}"), "192.0.2.1", second);
            }
            let events = take(second, false);
            written += events.len();
            seen += total(&events);
        }
        assert_eq!((written, seen), (super::super::refused::PER_GROUP, 10), "one source, one code");
        for number in 0..1000 {
            note("https://contoso.example/x", &format!("2001:db8::{number:x}"), 59);
        }
        let events = take(59, false);
        assert_eq!(events.len() + written, super::super::refused::ANONYMOUS, "many sources");
        seen += total(&events);
        let counted = take(60, false);
        let [(key, tally)] = counted.as_slice() else { panic!("{counted:?}") };
        assert_eq!((key.code, tally.count + seen), (Code::More, 60 * 200 + 1000), "none is lost");
        assert!(key.resource.is_empty() && tally.actor.name.is_none() && tally.tenant.is_none());
        note("https://contoso.example/again", "192.0.2.1", 61);
        assert_eq!(take(61, false).len(), 1, "the next minute begins anew");
    }

    #[test]
    fn equal_attempts_of_a_second_are_one_event_and_every_time_has_microseconds() {
        let uses = Uses::default();
        let (ask, decision) = anonymous("https://contoso.example/a", "192.0.2.1");
        for _ in 0..1000 {
            assert!(uses.note(&ask, &decision));
        }
        let events = uses.0.lock().unwrap().take(Instant::now(), true);
        let [(key, tally)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(tally.count, 1000);
        assert_eq!((tally.first, tally.last), (tally.first.trunc_subsecs(6), tally.last.trunc_subsecs(6)));
        let event = event(key, tally);
        let text = String::from_utf8(event.body.clone()).unwrap();
        for time in text.split('"').filter(|part| part.starts_with("20") && part.ends_with('Z')) {
            assert!(time.len() <= "2026-11-24T09:00:00.123456Z".len(), "{time}");
        }
    }

    #[test]
    fn another_tenants_address_is_not_written_into_this_tenants_log() {
        let grant = super::super::decide::tests::grant();
        let ask = Ask { tenant: "adatum".into(), resource: "https://adatum.example/board".into(), ..Ask::default() };
        let (key, tally) = describe(&ask, &Decision { code: Code::Elsewhere, now: None, grant: Some(grant.clone()) });
        assert_eq!((key.request, tally.tenant.as_deref()), (Some(grant.request), Some("contoso")));
        assert_eq!(key.resource, "");
    }

    #[test]
    fn what_cannot_be_recorded_is_not_allowed() {
        let uses = Uses::default();
        let yes = Decision { code: Code::Ok, now: None, grant: None };
        for number in 0..WAITING_LIMIT {
            assert!(uses.note(&Ask { resource: number.to_string(), ..Ask::default() }, &yes));
        }
        assert!(!uses.note(&Ask { resource: "one more".into(), ..Ask::default() }, &yes));
        assert!(uses.note(&Ask { resource: "0".into(), ..Ask::default() }, &yes), "a known one only counts");
    }
}
