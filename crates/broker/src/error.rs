//! Errors of the broker.

/// A failure of the broker or of the connection to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker or the connection failed.
    #[error("{doing}")]
    Broker {
        /// What this crate was doing.
        doing: String,
        /// Error of the client library.
        #[source]
        source: lapin::Error,
    },
    /// The broker did not respond in time.
    #[error("{doing}: no response within {limit_seconds} s")]
    Silent {
        /// What this crate was doing.
        doing: String,
        /// The limit.
        limit_seconds: u64,
    },
    /// The URL is not valid.
    #[error("the broker URL is not valid: {0}; use amqp://user:password@host:port/vhost")]
    Url(String),
    /// The name prefix is not valid.
    #[error("the name prefix {0:?} is not valid; use 1 to 40 characters of a-z, 0-9, '-', '_' and '.'")]
    Prefix(String),
    /// The broker cancelled the consumer, for example because its queue was deleted.
    #[error("the broker cancelled the consumer of {queue}; if the queue is missing, run `lockbox topology apply`")]
    Cancelled {
        /// The queue.
        queue: String,
    },
}

impl Error {
    pub(crate) fn at(doing: impl Into<String>) -> impl FnOnce(lapin::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Broker { doing, source }
    }

    /// Whether a new connection can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Broker { .. } | Self::Silent { .. } | Self::Cancelled { .. } => true,
            Self::Url(_) | Self::Prefix(_) => false,
        }
    }

    /// AMQP reply code of the broker, such as 404 or 406.
    pub fn reply_code(&self) -> Option<u16> {
        match self {
            Self::Broker { source, .. } => match source.kind() {
                lapin::ErrorKind::ProtocolError(fault) => Some(fault.get_id()),
                _ => None,
            },
            _ => None,
        }
    }
}
