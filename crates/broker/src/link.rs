//! One connection to the broker, without recovery: when it fails, everything on it is dropped.
//!
//! Consuming and publishing take a link each: while the broker blocks publishers, the client stops writing on that
//! connection altogether, acknowledgements included.

use std::time::Duration;

use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::timeout;

use crate::error::Error;

/// Time limit of connecting and of opening a channel, in seconds.
const OPEN_LIMIT_SECONDS: u64 = 10;
/// Time limit of closing, in seconds.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// How to reach the broker.
#[derive(Clone, Debug)]
pub struct Config {
    /// `amqp://user:password@host:port/vhost`.
    pub url: String,
    /// Connection name shown by the broker.
    pub name: String,
}

/// A connection.
pub struct Link {
    connection: Connection,
    login: String,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// When the URL cannot be read, or the broker does not answer or refuses within ten seconds.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        let mut url = url::Url::parse(&config.url).map_err(|fault| Error::Url(fault.to_string()))?;
        if !url.query_pairs().any(|(key, _)| key == "heartbeat") {
            url.query_pairs_mut().append_pair("heartbeat", "10");
        }
        // The client keeps buffers of 32 frames each way; with the default of 128 KiB that is 8 MiB a connection.
        if !url.query_pairs().any(|(key, _)| key == "frame_max") {
            url.query_pairs_mut().append_pair("frame_max", "32768");
        }
        let login = login(&config.url);
        let properties = ConnectionProperties::default().with_connection_name(config.name.as_str().into());
        let doing = "connecting to the broker";
        let connection = within(OPEN_LIMIT_SECONDS, doing, Connection::connect(url.as_str(), properties)).await?;
        Ok(Self { connection, login })
    }

    pub(crate) async fn channel(&self) -> Result<Channel, Error> {
        within(OPEN_LIMIT_SECONDS, "opening a channel", self.connection.create_channel()).await
    }

    /// The login this link uses, which the broker lets stand as `user_id` on its messages.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Whether the connection stands.
    pub fn is_open(&self) -> bool {
        self.connection.status().connected()
    }

    /// Closes; after five seconds it is dropped.
    pub async fn close(self) {
        if timeout(CLOSE_LIMIT, self.connection.close(200, "bye".into())).await.is_err() {
            tracing::debug!("the broker did not answer the farewell");
        }
    }
}

/// The login that a broker's URL names, as the broker knows it: reserved characters such as `@` stand in a URL as `%40`.
/// A URL without one means `guest`.
pub fn login(url: &str) -> String {
    let url = url::Url::parse(url);
    let name = url.as_ref().map(url::Url::username).unwrap_or_default();
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
    if name.is_empty() { "guest".to_owned() } else { name }
}

pub(crate) async fn within<T>(
    limit_seconds: u64,
    doing: &str,
    work: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    match timeout(Duration::from_secs(limit_seconds), work).await {
        Ok(done) => done.map_err(Error::at(doing)),
        Err(_) => Err(Error::Silent { doing: doing.to_owned(), limit_seconds }),
    }
}

/// Pause before the `attempt`-th try to connect again (the first is 0): full jitter from 0.2 s up to 15 s, so that
/// many workers do not come back in step.
pub fn backoff(attempt: u32) -> Duration {
    let ceiling_ms = 200u64.saturating_mul(1 << attempt.min(10)).min(15_000);
    Duration::from_millis(fastrand::u64(100..=ceiling_ms.max(200)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_read_as_the_broker_knows_it() {
        for (url, name) in [
            ("amqp://lockbox:pw@localhost/%2f", "lockbox"),
            ("amqp://svc%40lockbox:p%40ss@localhost", "svc@lockbox"),
            ("amqp://svc%2Flockbox%3Aone:pw@localhost", "svc/lockbox:one"),
            ("amqps://%C3%A9quipe@localhost", "équipe"),
            ("amqp://a+b:pw@localhost", "a+b"),
            ("amqp://localhost", "guest"),
        ] {
            assert_eq!(login(url), name, "{url}");
        }
    }
}
