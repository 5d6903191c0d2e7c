//! Complete lifecycles: submission, vendor approval, notifications, customer approval, grant, and its end after one second, with every
//! event in the audit log.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Consumer, Exchange, Link, Outgoing, Publisher};
use chrono::{DateTime, Utc};
use contracts::envelope::{About, Message, message};
use contracts::notifications::Mail;
use contracts::{Envelope, Kind, Malformed};
use domain::Verdict;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use store::{Lock, ReadSet};
use uuid::Uuid;
use workers::relay::outgoing;
use workers::{BatchContext, Received, Role, RoleName};

use super::ceiling::{Ceiling, MESSAGES_PER_REQUEST};
use super::cpu;
use super::rig::{Rig, number, print_metric, wait_for};
use runtime::outcome::Failure;

/// Roles of a benchmark: every lifecycle role. [`Sink`] takes the place of the mail role.
pub(super) const ROLES: [RoleName; 7] = [
    RoleName::Intake,
    RoleName::ManagerReview,
    RoleName::Notification,
    RoleName::Approval,
    RoleName::Expiry,
    RoleName::Access,
    RoleName::Audit,
];

/// Consumes mails without sending them.
#[derive(Clone, Copy)]
pub(super) struct Sink;

impl Role for Sink {
    type Message = Mail;

    fn name(&self) -> RoleName {
        RoleName::Mail
    }

    fn read(&self, _kind: Kind, envelope: &Envelope) -> Result<Mail, Malformed> {
        envelope.data()
    }

    fn collect_reads(&self, _received: &Received<Mail>, _read_set: &mut ReadSet) {}

    fn lock(&self) -> Lock {
        Lock::Read
    }

    fn handle(&self, _received: &Received<Mail>, _context: &mut BatchContext<'_>) {}
}

/// A submission of about 600 bytes.
pub(super) fn submission(id: &str, duration_seconds: i64, tenant: &str) -> Outgoing {
    let document = json!({
        "specversion": "1.0", "id": id, "source": "/ticketing/bench", "type": Kind::RequestSubmit.type_name(),
        "datacontenttype": "application/json",
        "data": {
            "tenant": tenant, "service_request": "SR-2026-004711", "service": "exchange_online",
            "resource": "finance@contoso.example", "severity": "normal", "requester": "robin",
            "justification": {"category": "customer_reported", "text": "Outgoing mail of the finance mailbox has been stuck in the \
                queue since this morning; the transport log names a rule that was changed last night, and the customer \
                asks us to look at the rule and at the three oldest messages that wait behind it."},
            "duration_seconds": duration_seconds,
        },
    });
    Outgoing {
        exchange: Exchange::Requests,
        routing_key: Kind::RequestSubmit.key().to_owned(),
        message_id: id.to_owned(),
        message_type: Kind::RequestSubmit.type_name(),
        correlation_id: None,
        headers: Vec::new(),
        body: Arc::from(serde_json::to_vec(&document).unwrap_or_default()),
    }
}

/// The command that approves the request of this event.
pub(super) fn approval(event: &[u8], now: chrono::DateTime<chrono::Utc>) -> Option<Message> {
    let (envelope, kind) = Envelope::read(event).ok()?;
    let step: contracts::events::Step = envelope.data().ok()?;
    let (kind, by) = match kind {
        Kind::RequestSubmitted => (Kind::VendorDecide, "morgan"),
        Kind::RequestVendorApproved => (Kind::CustomerDecide, "alex"),
        _ => return None,
    };
    let decision = contracts::commands::Decide {
        request: step.request,
        by: by.to_owned(),
        verdict: Verdict::Approve,
        digest: step.digest.parse().ok()?,
        comment: None,
        channel: "bench".to_owned(),
        duration_seconds: None,
        signature: None,
        comment_salt: None,
    };
    let about = About { request: Some(step.request), ..About::default() };
    Some(message(kind, now, about, &decision))
}

/// Approves every request at once, through the outbox, until all access has ended.
async fn approve_all(rig: &Rig, requests: usize, since: DateTime<Utc>, mut tap: Consumer) -> Result<(), Failure> {
    let publishing = runtime::connect::open_link(&rig.settings).await?;
    let mut publisher = Publisher::open(&publishing, &rig.settings.names).await?;
    let mut answered: HashMap<(Uuid, &str), ()> = HashMap::new();
    let mut ended = HashSet::new();
    while ended.len() < requests {
        let next = tokio::time::timeout(Duration::from_secs(60), tap.next_batch(500)).await;
        let batch = next.map_err(|_| Failure::TimedOut("no lifecycle event arrived for 60 s".to_owned()))??;
        let now = rig.store.clock().await?;
        let mut commands = Vec::new();
        for delivery in &batch.deliveries {
            // Events of an earlier run may be delivered again.
            let Ok((event, kind)) = Envelope::read(delivery.body()) else { continue };
            if event.time.is_none_or(|at| *at < since) {
                continue;
            }
            if kind == Kind::GrantEnded {
                ended.insert(event.id);
            } else {
                commands.extend(approval(delivery.body(), now));
            }
        }
        commands.retain(|command| {
            command.request.is_some_and(|id| answered.insert((id, command.kind.key()), ()).is_none())
        });
        if commands.is_empty() {
            continue;
        }
        rig.store.enqueue(&commands).await?;
        let commands: Vec<Outgoing> = commands.into_iter().map(outgoing).collect();
        publisher.publish(&commands).await?;
    }
    publishing.close().await;
    Ok(())
}

async fn submit(link: &Link, rig: &Rig, requests: usize) -> Result<(), Failure> {
    let mut publisher = Publisher::open(link, &rig.settings.names).await?;
    let all: Vec<Outgoing> = (0..requests).map(|_| submission(&Uuid::now_v7().to_string(), 1, "contoso")).collect();
    for batch in all.chunks(500) {
        publisher.publish(batch).await?;
    }
    Ok(())
}

/// Runs this number of lifecycles. Returns the elapsed seconds without the one second of access, and processor seconds.
pub(super) async fn once(rig: &Rig, requests: usize) -> Result<(f64, cpu::Used), Failure> {
    let since = rig.store.clock().await?;
    let goal = i64::try_from(requests * 5).unwrap_or(i64::MAX);
    let link = runtime::connect::open_link(&rig.settings).await?;
    // Consume events before the first request is sent.
    let listening = runtime::connect::open_link(&rig.settings).await?;
    let keys = [Kind::RequestSubmitted, Kind::RequestVendorApproved, Kind::GrantEnded].map(Kind::routing_key);
    let tap = Consumer::subscribe(&listening, &rig.settings.names, Exchange::Events, &keys).await?;
    let (started, used) = (Instant::now(), cpu::seconds(rig));
    let (submitted, answered) = tokio::join!(submit(&link, rig, requests), approve_all(rig, requests, since, tap));
    submitted.and(answered)?;
    wait_for("every step to be in the audit log", Duration::from_secs(300), async || {
        Ok((rig.store.steps_since(since).await? >= goal).then_some(()))
    })
    .await?;
    let result = (started.elapsed().as_secs_f64() - 1.0, cpu::seconds(rig).since(used));
    link.close().await;
    listening.close().await;
    Ok(result)
}

pub(super) async fn measure(
    rig: &Rig,
    requests: usize,
    ceiling: Ceiling,
    metrics: &PrometheusHandle,
) -> Result<(), Failure> {
    let stop = rig.work(&ROLES).await?;
    sink(rig, &stop).await?;
    once(rig, requests / 5).await?;
    let before = (total(metrics, "lockbox_outbox_recovered_total", ""), total(metrics, "lockbox_published_total", ""));
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(once(rig, requests).await?);
    }
    let sent_twice = total(metrics, "lockbox_outbox_recovered_total", "") - before.0;
    let published = total(metrics, "lockbox_published_total", "") - before.1;
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (wall, _) = runs[1];
    runs.sort_by(|a, b| a.1.sum().total_cmp(&b.1.sum()));
    let used = runs[1].1;
    let per_second = number(requests) / wall;
    let messages = per_second * number(MESSAGES_PER_REQUEST);
    print_metric("lifecycle: requests/s (median of 3)", &format!("{per_second:.0}"), "")?;
    print_metric("lifecycle: messages/s", &format!("{messages:.0}"), "")?;
    print_metric("bare loop: messages/s", &format!("{:.0}", ceiling.per_second), "")?;
    print_metric(
        "lifecycle compared with bare loop",
        &format!("{:.0} %", 100.0 * messages / ceiling.per_second),
        "goal: 60 % or more",
    )?;
    let each = |seconds: f64| format!("{:.2} ms", seconds * 1000.0 / number(requests));
    print_metric("processor time per request, total", &each(used.sum()), "goal: 2 ms or less")?;
    print_metric("  program, including simulated people", &each(used.program), "")?;
    print_metric("  database", &each(used.database), "")?;
    print_metric("  broker", &each(used.broker), "")?;
    let bare = ceiling.processor * number(MESSAGES_PER_REQUEST) * 1000.0;
    print_metric("processor time of the bare loop, same messages", &format!("{bare:.2} ms"), "")?;
    let share = 100.0 * sent_twice / published.max(1.0);
    print_metric("messages published again by the recovery scan", &format!("{share:.2} %"), "goal: near 0")?;
    stop.cancel();
    Ok(())
}

/// Sums a counter over all series with this label, or over all series when the label is empty.
pub(super) fn total(metrics: &PrometheusHandle, name: &str, label: &str) -> f64 {
    let rendered = metrics.render();
    let mine = rendered.lines().filter(|line| line.split(['{', ' ']).next() == Some(name) && line.contains(label));
    mine.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).fold(0.0, |sum, value| sum + value)
}

/// Starts a sink in place of the mail role.
pub(super) async fn sink(rig: &Rig, stop: &tokio_util::sync::CancellationToken) -> Result<(), Failure> {
    let health = workers::Health::default();
    runtime::serve::start_role(&rig.settings, Sink, health.clone(), stop.clone()).await?;
    wait_for("the sink to be ready", Duration::from_secs(20), async || Ok(health.is_ready().then_some(()))).await
}
