//! Role `mail`: consumes notifications (`mail`, `mail.settings`) and sends each to the mail server, many at a time, outside
//! any transaction; then writes the event `notification.sent` or `notification.failed`. A mail that the server did not take is kept
//! for another try; a server that refuses our login or sender is an alarm and never the end of a mail.
//!
//! SMTP has no idempotency: a mail whose connection broke after the text may arrive twice. Its `Message-ID` is the
//! same every time, so that mail programs fold the two.

use std::sync::Arc;
use std::time::Duration;

use broker::{Consumer, Delivery, Link, Verdict};
use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{Actor, NotificationResult};
use futures_util::stream::{FuturesUnordered, StreamExt};
use store::WriteSet;

use crate::engine::{dead_letter_into, dead_letter_message, forged};
use crate::role::{Received, RoleName, Source};
use crate::settle::{Outcome, Settlement, settle};
use crate::supervisor::{SessionError, Surroundings, keep};

mod compose;
mod connection;
mod footer;
mod letter;
mod smtp;

pub use compose::{Composed, compose};
pub use connection::UrlError;
pub use letter::Letter;
pub use smtp::{MailSettings, MailSettingsError, Mailer, ServerChange};

/// Mails on their way at once: a mail server answers slowly, one after the other on each connection.
const CONCURRENT: usize = 16;
/// Time limit of one mail.
const MAIL_LIMIT: Duration = Duration::from_secs(60);

/// Runs the role until the stop.
pub async fn run(around: Surroundings, mailer: Arc<Mailer>) {
    keep(&around, RoleName::Mail.as_str(), || session(&around, &mailer)).await;
}

async fn session(around: &Surroundings, mailer: &Mailer) -> Result<(), SessionError> {
    let role = RoleName::Mail.as_str();
    around.store.check_sessions().await?;
    around.store.check_schema().await?;
    around.store.check_writable().await?;
    let link = Link::open(&around.broker).await?;
    let prefetch = u16::try_from(CONCURRENT * 2).unwrap_or(32);
    let mut consumer = Consumer::open(&link, &around.names, role, prefetch, &around.broker.name).await?;
    around.health.set(role, Ok(()));
    tracing::info!(role, "at work");
    let mut sending = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = around.stop.cancelled() => break,
            Some(done) = sending.next() => done?,
            batch = consumer.next_batch(CONCURRENT), if sending.len() < CONCURRENT => {
                sending.extend(batch?.deliveries.into_iter().map(|delivery| one(around, mailer, delivery)));
            }
        }
    }
    around.health.set(role, Err("stopping".to_owned()));
    consumer.cancel().await;
    while let Some(done) = sending.next().await {
        done?;
    }
    link.close().await;
    Ok(())
}

async fn one(around: &Surroundings, mailer: &Mailer, delivery: Delivery) -> Result<(), SessionError> {
    let role = RoleName::Mail.as_str();
    let source = Source::of(&delivery, &around.login);
    let read = Received::read(delivery.body(), source.clone(), Letter::read)
        .and_then(|received| forged(&received).map_or(Ok(received), Err));
    match read {
        Ok(received) => send(around, mailer, &received).await?,
        Err(fault) => {
            let now = around.store.clock().await?;
            let mut changes = WriteSet::default();
            dead_letter_into(&mut changes, dead_letter_message(&delivery, role, source, &fault), now);
            let dead_letter = std::mem::take(&mut changes.dead_letter);
            let messages = changes.messages.clone();
            around.store.append(&[], dead_letter, changes).await?;
            around.relay.hand_over(messages, Vec::new(), now).await;
        }
    }
    metrics::counter!("lockbox_messages_total", "role" => role).increment(1);
    delivery.settle(Verdict::Done).await?;
    Ok(())
}

/// Sends one mail, unless its address has had too many in this hour.
async fn attempt_one(
    around: &Surroundings,
    mailer: &Mailer,
    letter: &Letter,
    checkpoint: Option<&str>,
) -> Result<Outcome, store::Error> {
    if !around.store.may_mail(&letter.recipient().address, mailer.cap()).await? {
        let why = format!("more than {} mails an hour to this address", mailer.cap());
        return Ok(Outcome::Transient(why));
    }
    let silent = |_| Outcome::Unavailable(format!("the mail server did not answer within {} s", MAIL_LIMIT.as_secs()));
    Ok(tokio::time::timeout(MAIL_LIMIT, mailer.send(letter, checkpoint)).await.unwrap_or_else(silent))
}

/// Says once when the mail server stops or begins to take mail. What waited only for it is then sent at once.
async fn note_server(around: &Surroundings, mailer: &Mailer, outcome: &Outcome) -> Result<(), SessionError> {
    match mailer.note(outcome) {
        Some(ServerChange::TakesNothing(error)) => {
            tracing::error!(error, "ALARM: the mail server takes no mail; mails are deferred until it does");
            metrics::gauge!("lockbox_mail_server_unavailable").set(1.0);
        }
        Some(ServerChange::TakesMail) => {
            let resumed = around.store.resume_deferred(RoleName::Mail.as_str(), SERVER).await?;
            tracing::info!(resumed, "the mail server takes mail again");
            metrics::gauge!("lockbox_mail_server_unavailable").set(0.0);
        }
        None => {}
    }
    Ok(())
}

/// How every reason for a deferral begins that is about the server and not about one mail.
const SERVER: &str = "the mail server ";

/// Why a mail is deferred, and why it was before.
#[derive(Clone, Copy)]
struct Reasons<'a> {
    before: Option<&'a str>,
    now: &'a str,
}

impl Reasons<'_> {
    /// Whether it waits for something else than before: a server's reply may hold a time or a number of its own.
    fn differ(self) -> bool {
        let head = |text: &str| text.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        self.before.map(head) != Some(head(self.now))
    }
}

/// Keeps a mail for another try. One line in the log each time that the reason is another.
async fn defer(
    around: &Surroundings,
    received: &Received<Letter>,
    reasons: Reasons<'_>,
    pause: Duration,
) -> Result<(), SessionError> {
    let letter = &received.body;
    let next = around.store.clock().await? + pause;
    if reasons.differ() {
        tracing::warn!(
            notification = %letter.notification(),
            template = letter.template(),
            to = letter.recipient().address,
            reason = reasons.now,
            next_try = %next.format("%Y-%m-%dT%H:%M:%SZ"),
            "mail deferred"
        );
    }
    metrics::counter!("lockbox_mail_total", "outcome" => "deferred").increment(1);
    if let Some(id) = received.envelope.own_id() {
        around.store.defer(id, RoleName::Mail.as_str(), reasons.now, pause.as_secs_f64()).await?;
    }
    Ok(())
}

async fn send(around: &Surroundings, mailer: &Mailer, received: &Received<Letter>) -> Result<(), SessionError> {
    let role = RoleName::Mail.as_str();
    let letter = &received.body;
    if around.store.was_taken(role, received.key).await? {
        return Ok(());
    }
    // A mail of which nobody can note that it was sent would be sent again.
    around.store.check_writable().await?;
    // A mail without it is better than no mail.
    let latest = around.store.latest_checkpoint(letter.tenant()).await.unwrap_or_default();
    let checkpoint = latest.map(|latest| latest.note);
    let started = std::time::Instant::now();
    let outcome = attempt_one(around, mailer, letter, checkpoint.as_deref()).await?;
    metrics::histogram!("lockbox_handle_seconds", "role" => role).record(started.elapsed().as_secs_f64());
    note_server(around, mailer, &outcome).await?;
    let own = received.envelope.own_id();
    let (attempt, reason_before) = match own {
        Some(id) => around.store.deferral(id, role).await?,
        None => (0, None),
    };
    let reason = match &outcome {
        Outcome::Transient(reason) | Outcome::Unavailable(reason) => reason.clone(),
        Outcome::Done | Outcome::Permanent(_) => String::new(),
    };
    let settlement = settle(outcome, usize::try_from(attempt).unwrap_or_default(), fastrand::f64());
    let error = match settlement {
        Settlement::Take => None,
        Settlement::GiveUp(reason) => Some(reason),
        Settlement::Retry(pause) => {
            let reasons = Reasons { before: reason_before.as_deref(), now: &reason };
            return defer(around, received, reasons, pause).await;
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
    let now = around.store.clock().await?;
    let about = About {
        tenant: letter.tenant().map(str::to_owned),
        request: result.request,
        version: None,
        cause: Some(received.envelope.id.clone()),
        channel: None,
        trace: Some(received.trace),
    };
    let event = message(kind, now, about, &result);
    around.store.take(role, received.key, own, std::slice::from_ref(&event)).await?;
    tracing::info!(
        request = result.request.map(tracing::field::display),
        template = letter.template(),
        to = letter.recipient().address,
        "{}",
        kind.key()
    );
    around.relay.hand_over(vec![event], Vec::new(), now).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Reasons;

    #[test]
    fn a_reply_with_another_time_in_it_is_the_same_reason() {
        let differ = |before, now| Reasons { before, now }.differ();
        assert!(differ(None, "451 4.7.1 try again in 299 seconds"), "the first deferral");
        let again = differ(Some("451 4.7.1 try again in 299 seconds"), "451 4.7.1 try again in 269 seconds");
        assert!(!again, "one line for each reason, not for each try");
        assert!(differ(Some("451 4.7.1 try again in 299 seconds"), "452 4.2.2 mailbox full"));
    }
}
