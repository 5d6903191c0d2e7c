//! Consuming: all ready messages become one batch, which is acknowledged at once.

use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::error::Error;
use crate::link::{Link, within};
use crate::names::{Exchange, Names};

/// What to do with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was processed.
    Done,
    /// Return it to the queue.
    Requeue,
    /// Reject it: the broker moves it to the dead-letter queue.
    Refuse,
}

/// Where and why a message was dead-lettered first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstDeath {
    /// Queue.
    pub queue: String,
    /// Exchange through which it came.
    pub exchange: String,
    /// `rejected`, `delivery_limit`, `expired`.
    pub reason: String,
}

/// One delivery. Settling consumes it: acknowledging twice does not compile.
#[derive(Debug)]
pub struct Delivery {
    inner: lapin::message::Delivery,
}

impl Delivery {
    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.inner.data
    }

    /// `message_id`, as its sender gave it.
    pub fn message_id(&self) -> Option<&str> {
        self.inner.properties.message_id().as_ref().map(ShortString::as_str)
    }

    /// `type`, as its sender gave it.
    pub fn message_type(&self) -> Option<&str> {
        self.inner.properties.kind().as_ref().map(ShortString::as_str)
    }

    /// The login that sent it, verified by the broker.
    pub fn user_id(&self) -> Option<&str> {
        self.inner.properties.user_id().as_ref().map(ShortString::as_str)
    }

    /// `content_type`, as its sender gave it.
    pub fn content_type(&self) -> Option<&str> {
        self.inner.properties.content_type().as_ref().map(ShortString::as_str)
    }

    /// `content_encoding`, as its sender gave it.
    pub fn content_encoding(&self) -> Option<&str> {
        self.inner.properties.content_encoding().as_ref().map(ShortString::as_str)
    }

    /// Exchange it came through.
    pub fn exchange(&self) -> &str {
        self.inner.exchange.as_str()
    }

    /// Its routing key.
    pub fn routing_key(&self) -> &str {
        self.inner.routing_key.as_str()
    }

    /// Whether it was delivered before.
    pub fn is_redelivered(&self) -> bool {
        self.inner.redelivered
    }

    /// Number of earlier deliveries, as a quorum queue counts them.
    pub fn delivery_count(&self) -> u32 {
        let count = match self.header("x-delivery-count") {
            Some(AMQPValue::LongLongInt(count)) => u32::try_from(*count).ok(),
            Some(AMQPValue::LongInt(count)) => u32::try_from(*count).ok(),
            _ => None,
        };
        count.unwrap_or_default()
    }

    /// The text of a header.
    pub fn text_header(&self, name: &str) -> Option<String> {
        match self.header(name)? {
            AMQPValue::LongString(text) => Some(text.to_string()),
            AMQPValue::ShortString(text) => Some(text.to_string()),
            _ => None,
        }
    }

    /// Every text header whose name starts with one of `prefixes`, without the prefix.
    pub fn headers_under(&self, prefixes: &[&str]) -> Vec<(String, String)> {
        let Some(headers) = self.inner.properties.headers() else { return Vec::new() };
        let names = headers.inner().keys().map(ShortString::as_str);
        let below = |name: &str| prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).map(str::to_owned);
        names.filter_map(|name| Some((below(name)?, self.text_header(name)?))).collect()
    }

    /// Where it was dead-lettered first, if it was.
    pub fn first_death(&self) -> Option<FirstDeath> {
        let queue = self.text_header("x-first-death-queue")?;
        let text = |name: &str| self.text_header(name).unwrap_or_default();
        Some(FirstDeath { queue, exchange: text("x-first-death-exchange"), reason: text("x-first-death-reason") })
    }

    fn header(&self, name: &str) -> Option<&AMQPValue> {
        self.inner.properties.headers().as_ref()?.inner().get(name)
    }

    /// Settles this one delivery.
    ///
    /// # Errors
    /// When the connection fails; the broker then delivers it again.
    pub async fn settle(self, verdict: Verdict) -> Result<(), Error> {
        let doing = "settling a delivery";
        match verdict {
            Verdict::Done => within(5, doing, self.inner.ack(BasicAckOptions::default())).await?,
            Verdict::Requeue => {
                let again = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                within(5, doing, self.inner.nack(again)).await?
            }
            Verdict::Refuse => within(5, doing, self.inner.reject(BasicRejectOptions { requeue: false })).await?,
        };
        Ok(())
    }
}

/// Consecutive deliveries of one channel.
#[derive(Debug)]
pub struct Batch {
    /// The deliveries, in order.
    pub deliveries: Vec<Delivery>,
}

impl Batch {
    /// Acknowledges the whole batch with one frame, after all of it was processed.
    ///
    /// # Errors
    /// When the connection fails; the broker then delivers all of it again.
    pub async fn done(self) -> Result<(), Error> {
        if let Some(last) = self.deliveries.last() {
            within(5, "acknowledging a batch", last.inner.ack(BasicAckOptions { multiple: true })).await?;
        }
        Ok(())
    }
}

/// A consumer of one queue on a channel of its own.
pub struct Consumer {
    channel: Channel,
    stream: lapin::Consumer,
    queue: String,
}

impl Consumer {
    /// Starts to consume. `prefetch` limits unacknowledged deliveries, and so the memory.
    ///
    /// # Errors
    /// When the queue does not exist (404), must not be read (403), or the broker does not respond.
    pub async fn open(link: &Link, names: &Names, queue: &str, prefetch: u16, tag: &str) -> Result<Self, Error> {
        let channel = link.channel().await?;
        let queue = names.queue(queue);
        let doing = format!("consuming {queue}");
        within(10, &doing, channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        let consume = channel.basic_consume(
            queue.as_str().into(),
            tag.into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let stream = within(10, &doing, consume).await?;
        Ok(Self { channel, stream, queue })
    }

    /// Subscribes to an exchange through a temporary queue that ends with the connection. Nothing is acknowledged, and messages
    /// from before are not delivered: for live views, not for processing.
    ///
    /// # Errors
    /// When the exchange does not exist, must not be read, or the broker does not respond.
    pub async fn subscribe(link: &Link, names: &Names, exchange: Exchange, keys: &[&str]) -> Result<Self, Error> {
        let channel = link.channel().await?;
        let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let declared =
            within(10, "declaring a temporary queue", channel.queue_declare("".into(), own, FieldTable::default()))
                .await?;
        let queue = declared.name().clone();
        for key in keys {
            let (from, options) = (names.exchange(exchange), QueueBindOptions::default());
            let bind =
                channel.queue_bind(queue.clone(), from.as_str().into(), (*key).into(), options, FieldTable::default());
            within(10, "binding a temporary queue", bind).await?;
        }
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consume = channel.basic_consume(queue.clone(), "tap".into(), options, FieldTable::default());
        let stream = within(10, "consuming a temporary queue", consume).await?;
        Ok(Self { channel, stream, queue: queue.to_string() })
    }

    /// Waits for a delivery, then adds all others that are ready, up to `limit`. Safe to cancel while it waits.
    ///
    /// # Errors
    /// When the connection fails or the broker ends the consumer.
    pub async fn next_batch(&mut self, limit: usize) -> Result<Batch, Error> {
        let first = self.stream.next().await;
        let mut deliveries = vec![self.delivery(first)?];
        self.add_ready(&mut deliveries, limit)?;
        Ok(Batch { deliveries })
    }

    /// Adds deliveries that are ready, without waiting, until there are `limit`.
    ///
    /// # Errors
    /// When the connection fails or the broker ends the consumer.
    pub fn add_ready(&mut self, deliveries: &mut Vec<Delivery>, limit: usize) -> Result<(), Error> {
        while deliveries.len() < limit
            && let Some(next) = self.stream.next().now_or_never()
        {
            deliveries.push(self.delivery(next)?);
        }
        Ok(())
    }

    fn delivery(&self, next: Option<lapin::Result<lapin::message::Delivery>>) -> Result<Delivery, Error> {
        match next {
            Some(Ok(inner)) => Ok(Delivery { inner }),
            Some(Err(source)) => Err(Error::at(format!("consuming {}", self.queue))(source)),
            None => Err(Error::Cancelled { queue: self.queue.clone() }),
        }
    }

    /// Stops deliveries. Unacknowledged messages return to the queue when the connection closes.
    pub async fn cancel(&self) {
        let cancel = self.channel.basic_cancel(self.stream.tag(), BasicCancelOptions::default());
        if let Err(error) = within(5, "cancelling a consumer", cancel).await {
            tracing::debug!(%error, "the consumer could not be cancelled");
        }
    }
}
