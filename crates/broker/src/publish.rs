//! Publishing: mandatory, persistent and confirmed, one batch at a time.
//!
//! With several publishes in progress, the client can report a returned message on the confirm of another one. So a batch is a
//! barrier: it awaits all confirms, collects all returns, and matches returns by `message_id`.

use std::collections::HashMap;
use std::sync::Arc;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation};

use crate::error::Error;
use crate::link::{Link, within};
use crate::names::{Exchange, Names};

/// Time limit of a batch, in seconds.
const BATCH_LIMIT_SECONDS: u64 = 10;

/// A message to publish.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Target exchange.
    pub exchange: Exchange,
    /// Routing key.
    pub routing_key: String,
    /// `message_id`.
    pub message_id: String,
    /// `type`.
    pub message_type: String,
    /// `correlation_id`.
    pub correlation_id: Option<String>,
    /// Headers. Never those of a received message: old brokers drop a message with an `x-death` header.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Arc<[u8]>,
}

/// The result for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// The broker stored it.
    Confirmed,
    /// No queue is bound for it; the broker's text.
    Returned(String),
    /// The broker could not store it.
    Nacked,
}

/// Publishes on one channel of a link.
pub struct Publisher {
    channel: Channel,
    exchanges: HashMap<Exchange, ShortString>,
    login: ShortString,
}

impl Publisher {
    /// Opens a channel with confirms.
    ///
    /// # Errors
    /// When the broker does not respond.
    pub async fn open(link: &Link, names: &Names) -> Result<Self, Error> {
        let channel = link.channel().await?;
        within(10, "enabling publisher confirms", channel.confirm_select(ConfirmSelectOptions::default())).await?;
        let exchanges =
            Exchange::ALL.into_iter().map(|exchange| (exchange, names.exchange(exchange).as_str().into())).collect();
        Ok(Self { channel, exchanges, login: link.login().into() })
    }

    /// Publishes a batch and waits until the broker has confirmed or refused every message.
    ///
    /// # Errors
    /// When the connection fails or the broker does not respond for ten seconds. Any part of the batch can have arrived.
    pub async fn publish(&mut self, batch: &[Outgoing]) -> Result<Vec<Published>, Error> {
        within(BATCH_LIMIT_SECONDS, "publishing", self.publish_all(batch)).await
    }

    async fn publish_all(&self, batch: &[Outgoing]) -> lapin::Result<Vec<Published>> {
        let mut confirms = Vec::with_capacity(batch.len());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        for message in batch {
            let exchange = self.exchanges.get(&message.exchange).cloned().unwrap_or_default();
            let key = message.routing_key.as_str().into();
            let properties = self.properties(message);
            confirms.push(self.channel.basic_publish(exchange, key, options, &message.body, properties).await?);
        }
        let mut returned: HashMap<String, String> = HashMap::new();
        let mut nacked = Vec::with_capacity(batch.len());
        for confirm in confirms {
            let confirmation = confirm.await?;
            nacked.push(!matches!(confirmation, Confirmation::Ack(_)));
            if let Some(back) = confirmation.take_message() {
                let id = back.delivery.properties.message_id().as_ref().map(|id| id.as_str().to_owned());
                returned.insert(id.unwrap_or_default(), back.reply_text.to_string());
            }
        }
        let outcome = |(message, nacked): (&Outgoing, bool)| match returned.get(&message.message_id) {
            Some(words) => Published::Returned(words.clone()),
            None if nacked => Published::Nacked,
            None => Published::Confirmed,
        };
        Ok(batch.iter().zip(nacked).map(outcome).collect())
    }

    fn properties(&self, message: &Outgoing) -> BasicProperties {
        let mut headers = FieldTable::default();
        for (name, value) in &message.headers {
            headers.insert((*name).into(), AMQPValue::LongString(value.as_str().into()));
        }
        let properties = BasicProperties::default()
            .with_content_type("application/cloudevents+json; charset=utf-8".into())
            .with_delivery_mode(2)
            .with_message_id(message.message_id.as_str().into())
            .with_type(message.message_type.as_str().into())
            .with_app_id("lockbox".into())
            .with_user_id(self.login.clone())
            .with_headers(headers);
        match &message.correlation_id {
            Some(id) => properties.with_correlation_id(id.as_str().into()),
            None => properties,
        }
    }
}
