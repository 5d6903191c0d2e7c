//! What can go wrong with the broker.

/// A failure of the broker or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker or the connection failed.
    #[error("{doing}")]
    Broker {
        /// What this crate was doing.
        doing: String,
        /// The client's words.
        #[source]
        source: lapin::Error,
    },
    /// No answer in time.
    #[error("{doing}: no answer within {limit_seconds} s")]
    Silent {
        /// What this crate was doing.
        doing: String,
        /// The limit.
        limit_seconds: u64,
    },
    /// The URL cannot be used.
    #[error("the broker URL cannot be read: {0}; write amqp://user:password@host:port/vhost")]
    Url(String),
    /// A name prefix that is not usable.
    #[error("the name prefix {0:?} cannot be used; write 1 to 40 of a-z, 0-9, '-', '_' and '.'")]
    Prefix(String),
    /// The consumer was cancelled by the broker, as when its queue is deleted.
    #[error("the broker ended the consumer of {queue}; is the queue there? run `lockbox topology apply`")]
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

    /// Whether a fresh connection later may help.
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
