//! Role `mail`: consumes notifications (`mail`, `mail.settings`) and sends each to the mail server, many at a time, outside
//! any transaction. Then it writes the event `notification.sent` or `notification.failed`. A mail that the server did not
//! accept is deferred. A server that refuses our login or sender raises an alarm, and no mail fails because of it.
//!
//! SMTP has no idempotency: a mail can arrive twice when the connection breaks after the text. Its `Message-ID` is the same
//! on every attempt, so that mail programs can show one copy.

use std::sync::Arc;
use std::time::Duration;

use broker::{Consumer, Delivery, Link, Verdict};
use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{Actor, NotificationResult};
use futures_util::stream::{FuturesUnordered, StreamExt};
use store::WriteSet;

use crate::dead_letter::{describe_delivery, record_dead_letter};
use crate::engine::check_forgery;
use crate::received::{Received, Source};
use crate::role_name::RoleName;
use crate::session::{SessionError, supervise};
use crate::settle::{Outcome, Settlement, settle};
use crate::shared::Shared;

mod compose;
mod connection;
mod footer;
mod letter;
mod smtp;

pub use compose::{Composed, compose};
pub use connection::UrlError;
pub use footer::Footer;
pub use letter::Letter;
pub use smtp::{MailSettings, MailSettingsError, Mailer, ServerChange};

/// Mails that are sent at the same time. A mail server is slow, and processes one mail after the other on a connection.
const CONCURRENT: usize = 16;
/// Time limit of one mail.
const MAIL_LIMIT: Duration = Duration::from_secs(60);

/// Runs the role until the stop.
pub async fn run(shared: Shared, mailer: Arc<Mailer>) {
    supervise(&shared, RoleName::Mail.as_str(), || session(&shared, &mailer)).await;
}

async fn session(shared: &Shared, mailer: &Mailer) -> Result<(), SessionError> {
    let role = RoleName::Mail.as_str();
    shared.store.check_sessions().await?;
    shared.store.check_schema().await?;
    shared.store.check_writable().await?;
    let link = Link::open(&shared.broker).await?;
    let prefetch = u16::try_from(CONCURRENT * 2).unwrap_or(32);
    let mut consumer = Consumer::open(&link, &shared.names, role, prefetch, &shared.broker.name).await?;
    shared.health.set(role, Ok(()));
    tracing::info!(role, "ready");
    let mut sending = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            Some(done) = sending.next() => done?,
            batch = consumer.next_batch(CONCURRENT), if sending.len() < CONCURRENT => {
                sending.extend(batch?.deliveries.into_iter().map(|delivery| process_delivery(shared, mailer, delivery)));
            }
        }
    }
    shared.health.set(role, Err("stopping".to_owned()));
    consumer.cancel().await;
    while let Some(done) = sending.next().await {
        done?;
    }
    link.close().await;
    Ok(())
}

async fn process_delivery(shared: &Shared, mailer: &Mailer, delivery: Delivery) -> Result<(), SessionError> {
    let role = RoleName::Mail.as_str();
    let source = Source::of(&delivery, &shared.login);
    let read = Received::read(delivery.body(), source.clone(), Letter::read)
        .and_then(|received| check_forgery(&received).map_or(Ok(received), Err));
    match read {
        Ok(received) => send_and_record(shared, mailer, &received).await?,
        Err(fault) => {
            let now = shared.store.clock().await?;
            let mut changes = WriteSet::default();
            record_dead_letter(&mut changes, describe_delivery(&delivery, role, source, &fault), now);
            let dead_letter = std::mem::take(&mut changes.dead_letter);
            let messages = changes.messages.clone();
            shared.store.append(&[], dead_letter, changes).await?;
            shared.relay.publish(messages, Vec::new(), now).await;
        }
    }
    metrics::counter!("lockbox_messages_total", "role" => role).increment(1);
    delivery.settle(Verdict::Done).await?;
    Ok(())
}

/// Sends one mail, unless its recipient has reached the hourly limit.
async fn attempt(shared: &Shared, mailer: &Mailer, letter: &Letter, footer: &Footer) -> Result<Outcome, store::Error> {
    if !shared.store.may_mail(&letter.recipient().address, mailer.cap()).await? {
        let why = format!("this address has reached its limit of {} mails an hour", mailer.cap());
        return Ok(Outcome::Transient(why));
    }
    let silent = |_| Outcome::Unavailable(format!("the mail server did not answer within {} s", MAIL_LIMIT.as_secs()));
    Ok(tokio::time::timeout(MAIL_LIMIT, mailer.send(letter, footer)).await.unwrap_or_else(silent))
}

/// Logs once when the mail server becomes unavailable or available. Mails that waited only for the server are then sent at once.
async fn track_server(shared: &Shared, mailer: &Mailer, outcome: &Outcome) -> Result<(), SessionError> {
    match mailer.track(outcome) {
        Some(ServerChange::Unavailable(error)) => {
            tracing::error!(error, "ALARM: the mail server accepts no mail; mails are deferred until it does");
            metrics::gauge!("lockbox_mail_server_unavailable").set(1.0);
        }
        Some(ServerChange::Available) => {
            let resumed = shared.store.resume_deferred(RoleName::Mail.as_str(), SERVER_PREFIX).await?;
            tracing::info!(resumed, "the mail server accepts mail again; sending the deferred mails");
            metrics::gauge!("lockbox_mail_server_unavailable").set(0.0);
        }
        None => {}
    }
    Ok(())
}

/// The start of every deferral reason that is about the server and not about one mail.
const SERVER_PREFIX: &str = "the mail server ";

/// The reason for a deferral, and the reason for the deferral before it.
#[derive(Clone, Copy)]
struct Reasons<'a> {
    before: Option<&'a str>,
    now: &'a str,
}

impl Reasons<'_> {
    /// Whether the reason has changed. Only the first words count, because a server's reply can contain a time or a number.
    fn differ(self) -> bool {
        let head = |text: &str| text.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        self.before.map(head) != Some(head(self.now))
    }
}

/// Defers a mail. Writes a log line when the reason has changed.
async fn defer(
    shared: &Shared,
    received: &Received<Letter>,
    reasons: Reasons<'_>,
    pause: Duration,
) -> Result<(), SessionError> {
    let letter = &received.body;
    let next = shared.store.clock().await? + pause;
    if reasons.differ() {
        tracing::warn!(
            notification = %letter.notification(),
            template = letter.template(),
            to = letter.recipient().address,
            reason = reasons.now,
            next_attempt = %next.format("%Y-%m-%dT%H:%M:%SZ"),
            "mail deferred"
        );
    }
    metrics::counter!("lockbox_mail_total", "outcome" => "deferred").increment(1);
    if let Some(id) = received.envelope.own_id() {
        shared.store.defer(id, RoleName::Mail.as_str(), reasons.now, pause.as_secs_f64()).await?;
    }
    Ok(())
}

/// The end of the mails of a tenant. A mail without it is better than no mail.
async fn footer(shared: &Shared, tenant: Option<&str>) -> Footer {
    let latest = shared.store.latest_checkpoint(tenant).await.unwrap_or_default();
    let is_unfounded = match tenant {
        Some(tenant) => matches!(shared.store.statement_in_force(tenant).await, Ok(None)),
        None => false,
    };
    Footer { checkpoint: latest.map(|latest| latest.note), is_unfounded }
}

async fn send_and_record(shared: &Shared, mailer: &Mailer, received: &Received<Letter>) -> Result<(), SessionError> {
    let role = RoleName::Mail.as_str();
    let letter = &received.body;
    if shared.store.was_processed(role, received.key).await? {
        return Ok(());
    }
    // If the result could not be recorded, the mail would be sent again.
    shared.store.check_writable().await?;
    let footer = footer(shared, letter.tenant()).await;
    let started = std::time::Instant::now();
    let outcome = attempt(shared, mailer, letter, &footer).await?;
    metrics::histogram!("lockbox_handle_seconds", "role" => role).record(started.elapsed().as_secs_f64());
    track_server(shared, mailer, &outcome).await?;
    let own = received.envelope.own_id();
    let (attempt, reason_before) = match own {
        Some(id) => shared.store.deferral(id, role).await?,
        None => (0, None),
    };
    let reason = match &outcome {
        Outcome::Transient(reason) | Outcome::Unavailable(reason) => reason.clone(),
        Outcome::Done | Outcome::Permanent(_) => String::new(),
    };
    let settlement = settle(outcome, usize::try_from(attempt).unwrap_or_default(), fastrand::f64());
    let error = match settlement {
        Settlement::Done => None,
        Settlement::Fail(reason) => Some(reason),
        Settlement::Retry(pause) => {
            let reasons = Reasons { before: reason_before.as_deref(), now: &reason };
            return defer(shared, received, reasons, pause).await;
        }
    };
    if let Some(error) = &error {
        tracing::error!(notification = %letter.notification(), to = letter.recipient().address, error, "mail not delivered");
    }
    let kind = if error.is_none() { Kind::NotificationSent } else { Kind::NotificationFailed };
    metrics::counter!("lockbox_mail_total", "outcome" => if error.is_none() { "sent" } else { "failed" }).increment(1);
    let result = NotificationResult {
        request: letter.request().map(|(request, _)| request),
        service_request: letter.request().map(|(_, number)| number.to_owned()),
        notification: letter.notification(),
        template: letter.template().to_owned(),
        recipient: letter.recipient().address.clone(),
        mail_message_id: mailer.message_id(letter),
        attempts: attempt + 1,
        error,
        actor: Actor::lockbox(),
    };
    let now = shared.store.clock().await?;
    let about = About {
        tenant: letter.tenant().map(str::to_owned),
        request: result.request,
        version: None,
        cause: Some(received.envelope.id.clone()),
        channel: None,
        trace: Some(received.trace),
    };
    let event = message(kind, now, about, &result);
    shared.store.record_processed(role, received.key, own, std::slice::from_ref(&event)).await?;
    tracing::info!(
        request = result.request.map(tracing::field::display),
        template = letter.template(),
        to = letter.recipient().address,
        "{}",
        kind.key()
    );
    shared.relay.publish(vec![event], Vec::new(), now).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Reasons;

    #[test]
    fn replies_that_differ_only_in_a_time_are_the_same_reason() {
        let differ = |before, now| Reasons { before, now }.differ();
        assert!(differ(None, "451 4.7.1 try again in 299 seconds"), "the first deferral");
        let again = differ(Some("451 4.7.1 try again in 299 seconds"), "451 4.7.1 try again in 269 seconds");
        assert!(!again, "one line for each reason, not for each attempt");
        assert!(differ(Some("451 4.7.1 try again in 299 seconds"), "452 4.2.2 mailbox full"));
    }
}
