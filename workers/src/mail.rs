//! Role `mail`: takes notices (`mail`) and hands each to the mail server, many at a time, outside any transaction;
//! says `notice.sent` or, when it is given up on, `notice.failed`.
//!
//! SMTP has no idempotency: a mail whose connection broke after the text may arrive twice. Its `Message-ID` is the
//! same every time, so that mail programs fold the two.

use std::sync::Arc;
use std::time::Duration;

use broker::{Consumer, Delivery, Link, Verdict};
use contracts::Kind;
use contracts::envelope::{About, message};
use contracts::events::{Actor, NoticeResult};
use futures_util::stream::{FuturesUnordered, StreamExt};
use store::Changes;

use crate::engine::{park, park_into};
use crate::role::{Received, RoleName, Source};
use crate::settle::{Outcome, Settlement, settle};
use crate::supervisor::{SessionError, Surroundings, keep};

mod compose;
mod footer;
mod letter;
mod smtp;

pub use compose::{Composed, compose};
pub use letter::Letter;
pub use smtp::{MailSettings, Mailer};

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
    around.store.check_schema().await?;
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
    let source = Source { login: delivery.user_id().map(str::to_owned) };
    let read = Received::read(delivery.body(), source, Letter::read);
    match read {
        Ok(received) => send(around, mailer, &received).await?,
        Err(fault) => {
            let now = around.store.clock().await?;
            let mut changes = Changes::default();
            park_into(&mut changes, park(&delivery, role, &fault), now);
            let parked = std::mem::take(&mut changes.parked);
            let messages = changes.messages.clone();
            around.store.append(&[], parked, changes).await?;
            around.relay.hand_over(messages, Vec::new(), now).await;
        }
    }
    metrics::counter!("lockbox_messages_total", "role" => role).increment(1);
    delivery.settle(Verdict::Done).await?;
    Ok(())
}

/// Hands one mail over, unless its address has had too many in this hour.
async fn attempt_one(
    around: &Surroundings,
    mailer: &Mailer,
    letter: &Letter,
    checkpoint: Option<&str>,
) -> Result<Outcome, store::Error> {
    if !around.store.may_mail(&letter.recipient().address, mailer.cap()).await? {
        let why = format!("held back: more than {} mails an hour to this address", mailer.cap());
        return Ok(Outcome::Transient(why));
    }
    let silent = |_| Outcome::Transient(format!("the mail server did not answer within {} s", MAIL_LIMIT.as_secs()));
    Ok(tokio::time::timeout(MAIL_LIMIT, mailer.send(letter, checkpoint)).await.unwrap_or_else(silent))
}

async fn send(around: &Surroundings, mailer: &Mailer, received: &Received<Letter>) -> Result<(), SessionError> {
    let role = RoleName::Mail.as_str();
    let letter = &received.body;
    if around.store.was_taken(role, received.key).await? {
        return Ok(());
    }
    // A mail without it is better than no mail.
    let latest = around.store.latest_checkpoint(Some(letter.tenant())).await.unwrap_or_default();
    let checkpoint = latest.map(|latest| latest.note);
    let started = std::time::Instant::now();
    let outcome = attempt_one(around, mailer, letter, checkpoint.as_deref()).await?;
    metrics::histogram!("lockbox_handle_seconds", "role" => role).record(started.elapsed().as_secs_f64());
    let own = received.envelope.own_id();
    let attempt = match own {
        Some(id) => around.store.attempts(id, role).await?,
        None => 0,
    };
    let settlement = settle(outcome, usize::try_from(attempt).unwrap_or_default(), fastrand::f64());
    let error = match settlement {
        Settlement::Take => None,
        Settlement::GiveUp(reason) => Some(reason),
        Settlement::Retry(pause) => {
            tracing::warn!(notice = %letter.notice(), pause_seconds = pause.as_secs(), "mail put off");
            metrics::counter!("lockbox_mail_total", "outcome" => "put_off").increment(1);
            if let Some(id) = own {
                around.store.defer(id, role, "the mail server did not take it", pause.as_secs_f64()).await?;
            }
            return Ok(());
        }
    };
    if let Some(error) = &error {
        tracing::error!(notice = %letter.notice(), to = letter.recipient().address, error, "somebody was not told");
    }
    let kind = if error.is_none() { Kind::NoticeSent } else { Kind::NoticeFailed };
    metrics::counter!("lockbox_mail_total", "outcome" => if error.is_none() { "sent" } else { "failed" }).increment(1);
    let result = NoticeResult {
        request: letter.request().map(|(request, _)| request),
        service_request: letter.request().map(|(_, number)| number.to_owned()),
        notice: letter.notice(),
        template: letter.template().to_owned(),
        recipient: letter.recipient().address.clone(),
        mail_message_id: mailer.message_id(letter),
        attempts: attempt + 1,
        error,
        actor: Actor::lockbox(),
    };
    let now = around.store.clock().await?;
    let about = About {
        tenant: Some(letter.tenant().to_owned()),
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
