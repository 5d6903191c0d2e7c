//! Committed messages as the broker gets them.

use std::sync::Arc;

use broker::{Exchange, Outgoing};
use contracts::envelope::Message;
use contracts::kinds::Channel;

/// Most messages that are published as one batch.
pub(super) const BATCH_LIMIT: usize = 500;

/// A message for the broker. Its headers come from its envelope, never from a received message.
pub fn outgoing(message: Message) -> Outgoing {
    let exchange = match message.kind.channel() {
        Channel::Requests => Exchange::Requests,
        Channel::Commands => Exchange::Commands,
        Channel::Events => Exchange::Events,
        Channel::Notifications => Exchange::Notifications,
    };
    let mut headers = vec![
        ("cloudEvents_specversion", "1.0".to_owned()),
        ("cloudEvents_id", message.id.to_string()),
        ("cloudEvents_type", message.kind.type_name()),
        ("cloudEvents_source", contracts::envelope::SOURCE.to_owned()),
    ];
    headers.extend(message.request.map(|request| ("cloudEvents_subject", format!("request/{request}"))));
    headers.extend(message.traceparent.map(|traceparent| ("traceparent", traceparent)));
    Outgoing {
        exchange,
        routing_key: message.kind.routing_key().to_owned(),
        message_id: message.id.to_string(),
        message_type: message.kind.type_name(),
        correlation_id: message.request.map(|request| request.to_string()),
        headers,
        body: Arc::from(message.body),
    }
}
