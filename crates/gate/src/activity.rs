//! Access activity: allowed and refused checks. Equal checks within a second become one event with a count, so that a busy
//! engineer creates few events.
//!
//! The memory is bounded. When an allowed check cannot be recorded, it is refused. Of refused checks, a few per minute become
//! events of their own and the rest become one event with a count (`budget.rs`).

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

use super::budget::{Budget, Group};
use super::check::Check;
use super::code::Code;
use super::decision::Decision;

/// How often activity is recorded.
const PERIOD: Duration = Duration::from_secs(1);
/// Most different checks that wait to be recorded.
const WAITING_LIMIT: usize = 50_000;
/// Longest resource in an event, in characters.
const RESOURCE_LIMIT: usize = 1024;
/// Longest other text in an event, in characters.
const WORD_LIMIT: usize = 64;
/// Most events in one transaction.
const PORTION: usize = 500;
/// How long recording waits for the relay. The outbox has the events already.
const RELAY_LIMIT: Duration = Duration::from_millis(200);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CheckKey {
    request: Option<Uuid>,
    /// The token's owner, or the user name that the client sent.
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
    tallies: HashMap<CheckKey, Tally>,
    budget: Budget,
    /// Refused checks of this minute that are only counted, by the grant whose log they belong to.
    counted: HashMap<Option<Uuid>, Tally>,
}

/// Checks that wait to be recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<Mutex<Waiting>>);

fn cut(text: &str, limit: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(limit).collect()
}

fn describe(check: &Check, decision: &Decision) -> (CheckKey, Tally) {
    // Times in the audit log have microseconds.
    let now = decision.now.unwrap_or_else(wall_clock).trunc_subsecs(6);
    let grant = decision.grant.as_ref();
    let claimed = check.claimed.as_deref().map(|name| cut(name, WORD_LIMIT));
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
    // A resource of another tenant must not appear in this tenant's log.
    let is_foreign = grant.is_some_and(|grant| grant.tenant != check.tenant);
    let key = CheckKey {
        request: grant.map(|grant| grant.request),
        who: grant.map(|grant| grant.name.clone()).or(claimed).unwrap_or_default(),
        method: cut(&check.method, WORD_LIMIT),
        resource: if is_foreign { String::new() } else { cut(&check.resource, RESOURCE_LIMIT) },
        source: cut(&check.source, WORD_LIMIT),
        code: decision.code,
    };
    // The log of the token's own grant; the operator's log without a valid token.
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
    fn add(&mut self, key: CheckKey, tally: Tally) {
        self.tallies.entry(key).and_modify(|known| known.add(&tally)).or_insert(tally);
    }

    /// Counts a refused check without an event of its own.
    fn count(&mut self, request: Option<Uuid>, mut tally: Tally) {
        if request.is_none() {
            tally.actor.name = None;
        }
        self.counted.entry(request).and_modify(|known| known.add(&tally)).or_insert(tally);
    }

    /// Removes what must be written now. The counts are included when their minute is over, or at the stop.
    fn drain(&mut self, now: Instant, is_last: bool) -> Vec<(CheckKey, Tally)> {
        let mut taken: Vec<(CheckKey, Tally)> = std::mem::take(&mut self.tallies).into_iter().collect();
        if self.budget.starts_again(now) || is_last {
            taken.extend(std::mem::take(&mut self.counted).into_iter().map(|(request, tally)| {
                let blank = String::new;
                let (method, resource, source) = (blank(), blank(), blank());
                let who = tally.actor.name.clone().unwrap_or_default();
                (CheckKey { request, who, method, resource, source, code: Code::More }, tally)
            }));
        }
        taken
    }
}

impl Activity {
    /// Adds an allowed or refused check; `false` when there is no more room for allowed checks.
    pub fn record_check(&self, check: &Check, decision: &Decision) -> bool {
        self.record_check_at(check, decision, Instant::now())
    }

    fn record_check_at(&self, check: &Check, decision: &Decision, now: Instant) -> bool {
        let (key, tally) = describe(check, decision);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !waiting.tallies.contains_key(&key);
        if is_new && decision.is_allowed() && waiting.tallies.len() >= WAITING_LIMIT {
            return false;
        }
        let group = || Group { request: key.request, source: key.source.clone(), code: key.code };
        if is_new && !decision.is_allowed() && !waiting.budget.admits(group(), now) {
            waiting.count(key.request, tally);
            return true;
        }
        waiting.add(key, tally);
        true
    }

    /// Writes the waiting activity every second, and once more at the stop.
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
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(Instant::now(), is_last);
        while !rest.is_empty() {
            let portion = rest.split_off(rest.len().saturating_sub(PORTION));
            let messages: Vec<Message> = portion.iter().map(|(key, tally)| event(key, tally)).collect();
            if let Err(error) = store.enqueue(&messages).await {
                tracing::warn!(error = workers::error_chain(&error), "cannot record access activity; trying again");
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

fn event(key: &CheckKey, tally: &Tally) -> Message {
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

    fn anonymous(resource: &str, source: &str) -> (Check, Decision) {
        let check =
            Check { resource: resource.into(), source: source.into(), method: "GET".into(), ..Check::default() };
        (check, Decision::refused(Code::NoCredential))
    }

    fn total(events: &[(CheckKey, Tally)]) -> u32 {
        events.iter().map(|(_, tally)| tally.count).sum()
    }

    #[test]
    fn many_refused_checks_become_a_few_events_and_one_count_per_minute() {
        let (activity, start) = (Activity::default(), Instant::now());
        let drain =
            |second: u64, is_last| activity.0.lock().unwrap().drain(start + Duration::from_secs(second), is_last);
        let record = |resource: &str, source: &str, second: u64| {
            let (check, decision) = anonymous(resource, source);
            assert!(activity.record_check_at(&check, &decision, start + Duration::from_secs(second)));
        };
        let mut written = 0;
        let mut seen = 0;
        for second in 0..60 {
            for number in 0..200 {
                record(&format!("https://contoso.example/{second}/{number}"), "192.0.2.1", second);
            }
            let events = drain(second, false);
            written += events.len();
            seen += total(&events);
        }
        assert_eq!((written, seen), (super::super::budget::PER_GROUP, 10), "one source and one code");
        for number in 0..1000 {
            record("https://contoso.example/x", &format!("2001:db8::{number:x}"), 59);
        }
        let events = drain(59, false);
        assert_eq!(events.len() + written, super::super::budget::ANONYMOUS, "many sources");
        seen += total(&events);
        let counted = drain(60, false);
        let [(key, tally)] = counted.as_slice() else { panic!("{counted:?}") };
        assert_eq!((key.code, tally.count + seen), (Code::More, 60 * 200 + 1000), "no check is lost");
        assert!(key.resource.is_empty() && tally.actor.name.is_none() && tally.tenant.is_none());
        record("https://contoso.example/again", "192.0.2.1", 61);
        assert_eq!(drain(61, false).len(), 1, "the next minute starts from zero");
    }

    #[test]
    fn equal_checks_within_a_second_are_one_event_with_times_in_microseconds() {
        let activity = Activity::default();
        let (check, decision) = anonymous("https://contoso.example/a", "192.0.2.1");
        for _ in 0..1000 {
            assert!(activity.record_check(&check, &decision));
        }
        let events = activity.0.lock().unwrap().drain(Instant::now(), true);
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
    fn a_resource_of_another_tenant_is_not_written_to_this_tenants_log() {
        let grant = super::super::decide::tests::grant();
        let check =
            Check { tenant: "adatum".into(), resource: "https://adatum.example/board".into(), ..Check::default() };
        let (key, tally) =
            describe(&check, &Decision { grant: Some(grant.clone()), ..Decision::refused(Code::Elsewhere) });
        assert_eq!((key.request, tally.tenant.as_deref()), (Some(grant.request), Some("contoso")));
        assert_eq!(key.resource, "");
    }

    #[test]
    fn a_check_that_cannot_be_recorded_is_refused() {
        let activity = Activity::default();
        let allowed = Decision::refused(Code::Ok);
        for number in 0..WAITING_LIMIT {
            assert!(activity.record_check(&Check { resource: number.to_string(), ..Check::default() }, &allowed));
        }
        assert!(!activity.record_check(&Check { resource: "one more".into(), ..Check::default() }, &allowed));
        assert!(
            activity.record_check(&Check { resource: "0".into(), ..Check::default() }, &allowed),
            "an equal check only raises the count"
        );
    }
}
