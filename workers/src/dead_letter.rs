//! Dead-letter messages: what is stored of a message that no role can process.

use std::borrow::Cow;

use broker::Delivery;
use contracts::events::{self, Actor};
use contracts::{Malformed, envelope};
use store::{DeadLetter, WriteSet};
use uuid::Uuid;

use crate::arrival;
use crate::received::Source;

/// Describes a delivery that becomes a dead-letter message.
pub fn describe_delivery(delivery: &Delivery, queue: &str, source: Source, fault: &Malformed) -> DeadLetter {
    // The whole document: in binary mode the attributes are in the headers.
    let whole = arrival::document(delivery).unwrap_or(Cow::Borrowed(delivery.body()));
    let body = &whole[..whole.len().min(envelope::SIZE_LIMIT_BYTES)];
    // Postgres stores no U+0000 in text.
    let text = |text: &str| text.replace('\0', "\u{FFFD}").chars().take(512).collect::<String>();
    DeadLetter {
        id: Uuid::now_v7(),
        reason: fault.code.to_owned(),
        detail: text(&fault.detail),
        queue: queue.to_owned(),
        exchange: text(&source.exchange),
        routing_key: text(&source.routing_key),
        message_id: delivery.message_id().map(text),
        message_type: delivery.message_type().map(text),
        login: source.login.as_deref().map(text),
        body: body.to_vec(),
        size_bytes: i64::try_from(whole.len()).unwrap_or(i64::MAX),
    }
}

/// Records a dead-letter message with its event, its metric and a log line.
pub fn record_dead_letter(changes: &mut WriteSet, dead_letter: DeadLetter, now: chrono::DateTime<chrono::Utc>) {
    metrics::counter!("lockbox_dead_letters_total", "reason" => dead_letter.reason.clone()).increment(1);
    tracing::warn!(dead_letter = %dead_letter.id, reason = dead_letter.reason, queue = dead_letter.queue, "a message was dead-lettered: {}", dead_letter.detail);
    let data = events::DeadLetter {
        dead_letter: dead_letter.id,
        code: dead_letter.reason.clone(),
        message: dead_letter.detail.clone(),
        queue: dead_letter.queue.clone(),
        message_id: dead_letter.message_id.clone(),
        size_bytes: usize::try_from(dead_letter.size_bytes).unwrap_or_default(),
        actor: Actor::producer(dead_letter.login.as_deref()),
    };
    changes.messages.push(events::dead_letter(&data, now));
    changes.dead_letter.push(dead_letter);
}
