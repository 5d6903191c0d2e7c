//! Realistic load: a ticketing system that sends each message again until it gets a result, and people whose commands are
//! in the outbox before they get a confirmation.

#![allow(clippy::disallowed_methods, reason = "the load is no part of a worker that drains")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use broker::{Exchange, Link, Outgoing, Publisher};
use contracts::Kind;
use contracts::envelope::{About, Message, message};
use domain::{Digest, Verdict};
use runtime::configuration::Settings;
use serde_json::json;
use sqlx::postgres::PgPool;
use store::Store;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A running load.
pub struct Load {
    stop: Arc<AtomicBool>,
    /// Ids of all sent messages.
    pub sent: Arc<AtomicUsize>,
    sender: JoinHandle<BTreeMap<String, Vec<u8>>>,
    people: JoinHandle<()>,
}

/// A publisher. `None` while the broker is unavailable.
pub async fn publisher(settings: &Settings) -> Option<(Link, Publisher)> {
    let config = broker::Config { url: settings.amqp_url.clone(), name: "load".into() };
    let link = Link::open(&config).await.ok()?;
    let publisher = Publisher::open(&link, &settings.names).await.ok()?;
    Some((link, publisher))
}

fn submission(id: &str, number: usize) -> Vec<u8> {
    let document = json!({
        "specversion": "1.0", "id": id, "source": "/ticketing/load", "type": Kind::RequestSubmit.type_name(),
        "data": {
            "tenant": "adatum", "service_request": format!("SR-2026-{number:06}"), "service": "exchange_online",
            "resource": "finance@adatum.example", "justification": {"category": "customer_reported", "text": "mail is stuck"},
            "severity": "normal", "requester": "robin", "duration_seconds": 1,
        },
    });
    serde_json::to_vec(&document).unwrap()
}

/// One message of the ticketing system.
pub fn outgoing(id: &str, body: &[u8]) -> Outgoing {
    Outgoing {
        exchange: Exchange::Requests,
        routing_key: Kind::RequestSubmit.key().into(),
        message_id: id.into(),
        message_type: Kind::RequestSubmit.type_name(),
        correlation_id: None,
        headers: Vec::new(),
        body: body.to_vec().into(),
    }
}

impl Load {
    /// Starts to send `per_second` requests and to decide on them.
    pub fn start(settings: &Settings, store: &Store, pool: &PgPool, per_second: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicUsize::new(0));
        let sender = tokio::spawn(send(settings.clone(), stop.clone(), sent.clone(), per_second));
        let people = tokio::spawn(answer(store.clone(), pool.clone(), stop.clone()));
        Self { stop, sent, sender, people }
    }

    /// Stops the load. Returns every sent message.
    pub async fn finish(self) -> BTreeMap<String, Vec<u8>> {
        self.stop.store(true, Ordering::Relaxed);
        self.people.await.unwrap();
        self.sender.await.unwrap()
    }
}

async fn send(
    settings: Settings,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    per_second: usize,
) -> BTreeMap<String, Vec<u8>> {
    let mut messages = BTreeMap::new();
    let mut open = None;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        if open.is_none() {
            open = publisher(&settings).await;
        }
        let Some((_, publisher)) = &mut open else { continue };
        let batch: Vec<Outgoing> = (0..per_second.div_ceil(10))
            .map(|_| {
                let id = Uuid::now_v7().to_string();
                let body = submission(&id, messages.len());
                let outgoing = outgoing(&id, &body);
                messages.insert(id, body);
                outgoing
            })
            .collect();
        sent.store(messages.len(), Ordering::Relaxed);
        if publisher.publish(&batch).await.is_err() {
            open = None;
        }
    }
    messages
}

/// People decide on all pending requests. A decision whose outcome is unknown, because the database died while it was
/// committed, is sent again as the same message: a second message would be a second decision, which is refused.
async fn answer(store: Store, pool: PgPool, stop: Arc<AtomicBool>) {
    let mut clicked: HashSet<(Uuid, &'static str)> = HashSet::new();
    let mut unknown: HashMap<(Uuid, &'static str), Message> = HashMap::new();
    let waiting = "select id, digest, state from requests where state in ('pending_vendor', 'pending_customer') \
                   order by submitted_at limit 500";
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Ok(rows) = sqlx::query_as::<_, (Uuid, Vec<u8>, String)>(waiting).fetch_all(&pool).await else { continue };
        for (request, digest, state) in rows {
            let (kind, by) = match state.as_str() {
                "pending_vendor" => (Kind::VendorDecide, "morgan"),
                _ => (Kind::CustomerDecide, "dana"),
            };
            if clicked.contains(&(request, by)) {
                continue;
            }
            // Every fourth is left to expire.
            if by == "dana" && request.as_u128().is_multiple_of(4) {
                clicked.insert((request, by));
                continue;
            }
            let click = if let Some(before) = unknown.remove(&(request, by)) {
                before
            } else {
                let Ok(now) = store.clock().await else { break };
                message(kind, now, About::default(), &decision(request, by, digest))
            };
            if store.enqueue(std::slice::from_ref(&click)).await.is_ok() {
                clicked.insert((request, by));
            } else {
                unknown.insert((request, by), click);
            }
        }
    }
}

/// Approves all but every ninth request.
fn decision(request: Uuid, by: &str, digest: Vec<u8>) -> contracts::commands::Decide {
    contracts::commands::Decide {
        request,
        by: by.into(),
        verdict: if request.as_u128().is_multiple_of(9) { Verdict::Deny } else { Verdict::Approve },
        digest: Digest(digest.try_into().unwrap()),
        comment: None,
        channel: "load".into(),
        duration_seconds: None,
        signature: None,
        comment_salt: None,
    }
}

/// Sends messages without a result again, as a ticketing system does, until each has one.
pub async fn until_answered(
    settings: &Settings,
    pool: &PgPool,
    messages: &BTreeMap<String, Vec<u8>>,
    patience: Duration,
) {
    let started = Instant::now();
    let mut open = None;
    loop {
        let answered: Result<Vec<String>, _> =
            sqlx::query_scalar("select cause from audit_events where type = 'request.submitted'").fetch_all(pool).await;
        if let Ok(answered) = answered {
            let answered: HashSet<String> = answered.into_iter().collect();
            let missing: Vec<Outgoing> = messages
                .iter()
                .filter(|(id, _)| !answered.contains(*id))
                .map(|(id, body)| outgoing(id, body))
                .collect();
            if missing.is_empty() {
                return;
            }
            assert!(started.elapsed() < patience, "{} of {} were never answered", missing.len(), messages.len());
            if open.is_none() {
                open = publisher(settings).await;
            }
            if let Some((_, publisher)) = &mut open
                && publisher.publish(&missing[..missing.len().min(500)]).await.is_err()
            {
                open = None;
            }
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}
