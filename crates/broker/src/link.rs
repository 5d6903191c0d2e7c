//! One connection to the broker, without recovery: when it fails, everything on it is dropped.
//!
//! Consuming and publishing use separate links: while the broker blocks publishers, the client writes nothing on that
//! connection, not even acknowledgements.

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
    /// When the URL is not valid, the broker refuses, or it does not respond within ten seconds.
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

    /// The login of this link, which the broker accepts as `user_id` of its messages.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Whether the connection is open.
    pub fn is_open(&self) -> bool {
        self.connection.status().connected()
    }

    /// Closes the connection. After five seconds it is dropped.
    pub async fn close(self) {
        if timeout(CLOSE_LIMIT, self.connection.close(200, "bye".into())).await.is_err() {
            tracing::debug!("the broker did not respond to closing the connection");
        }
    }
}

/// The login in a broker's URL, decoded: a URL contains reserved characters such as `@` as `%40`. Without a login it is
/// `guest`.
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

/// Pause before an attempt to connect again; the first has number 0. Full jitter from 0.2 s up to 15 s, so that many workers
/// do not connect at the same time.
pub fn backoff(attempt: u32) -> Duration {
    let ceiling_ms = 200u64.saturating_mul(1 << attempt.min(10)).min(15_000);
    Duration::from_millis(fastrand::u64(100..=ceiling_ms.max(200)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_a_url_is_decoded() {
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
