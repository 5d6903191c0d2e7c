//! Role `mail`: takes notices (`mail`) and hands each to the mail server, many at a time, outside any transaction;
//! says `notice.sent` or, when it is given up on, `notice.failed`.
//!
//! SMTP has no idempotency: a mail whose connection broke after the text may arrive twice. Its `Message-ID` is the
//! same every time, so that mail programs fold the two.

use std::sync::Arc;
use std::time::Duration;

use broker::{Consumer, Delivery, Link, Verdict};
use contracts::envelope::{About, message};
use contracts::events::{Actor, NoticeResult};
use contracts::notices::Mail;
use contracts::{Kind, Malformed};
use futures_util::stream::{FuturesUnordered, StreamExt};
use store::Changes;

use crate::engine::{park, park_into};
use crate::role::{Received, RoleName, Source};
use crate::settle::{Outcome, Settlement, settle};
use crate::supervisor::{SessionError, Surroundings, keep};

mod compose;
mod smtp;

pub use compose::{Composed, compose};
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
    let read = Received::<Mail>::read(delivery.body(), source, |kind, envelope| match kind {
        Kind::Mail => envelope.data(),
        other => {
            Err(Malformed { code: "schema.unexpected_type", detail: format!("{} asks for no mail", other.type_name()) })
        }
    });
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

async fn send(around: &Surroundings, mailer: &Mailer, received: &Received<Mail>) -> Result<(), SessionError> {
    let role = RoleName::Mail.as_str();
    let mail = &received.body;
    if around.store.was_taken(role, received.key).await? {
        return Ok(());
    }
    let started = std::time::Instant::now();
    let outcome = match tokio::time::timeout(MAIL_LIMIT, mailer.send(mail)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::Transient(format!("the mail server did not answer within {} s", MAIL_LIMIT.as_secs())),
    };
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
            tracing::warn!(request = %mail.request, notice = %mail.notice, pause_seconds = pause.as_secs(), "mail put off");
            metrics::counter!("lockbox_mail_total", "outcome" => "put_off").increment(1);
            if let Some(id) = own {
                around.store.defer(id, role, "the mail server did not take it", pause.as_secs_f64()).await?;
            }
            return Ok(());
        }
    };
    let kind = if error.is_none() { Kind::NoticeSent } else { Kind::NoticeFailed };
    metrics::counter!("lockbox_mail_total", "outcome" => if error.is_none() { "sent" } else { "failed" }).increment(1);
    let result = NoticeResult {
        request: mail.request,
        service_request: mail.service_request.clone(),
        notice: mail.notice,
        template: mail.template.clone(),
        recipient: mail.recipient.address.clone(),
        mail_message_id: mailer.message_id(mail),
        attempts: attempt + 1,
        error,
        actor: Actor::lockbox(),
    };
    let now = around.store.clock().await?;
    let about = About {
        tenant: Some(mail.tenant.clone()),
        request: Some(mail.request),
        version: None,
        cause: Some(received.envelope.id.clone()),
        trace: Some(received.trace),
    };
    let event = message(kind, now, about, &result);
    around.store.take(role, received.key, own, std::slice::from_ref(&event)).await?;
    tracing::info!(request = %mail.request, template = mail.template, to = mail.recipient.address, "{}", kind.key());
    around.relay.hand_over(vec![event], Vec::new(), now).await;
    Ok(())
}
