//! A message that a role received, and where it came from.

use broker::Delivery;
use contracts::{Envelope, Kind, Malformed, Traceparent};
use uuid::Uuid;

/// The origin of a message.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The broker login that sent it, which the broker verified. For a replayed dead-letter message, the login that sent it
    /// first.
    pub login: Option<String>,
    /// Whether that is Lockbox' own login.
    pub is_own: bool,
    /// Exchange it came through.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
}

/// Header of a replayed dead-letter message: its id in the list.
pub const REPLAY_HEADER: &str = "lockbox-replay";
/// Header of a replayed dead-letter message: the login that sent it first.
pub const REPLAY_LOGIN_HEADER: &str = "lockbox-replay-login";

impl Source {
    /// The origin of a delivery. The replay headers count only from Lockbox' own login; from any other login they are
    /// ignored.
    pub fn of(delivery: &Delivery, own: &str) -> Self {
        let sent_by = delivery.user_id();
        let is_replay = sent_by == Some(own) && delivery.text_header(REPLAY_HEADER).is_some();
        let login = if is_replay { delivery.text_header(REPLAY_LOGIN_HEADER) } else { sent_by.map(str::to_owned) };
        Self {
            is_own: login.as_deref() == Some(own),
            login,
            exchange: delivery.exchange().to_owned(),
            routing_key: delivery.routing_key().to_owned(),
        }
    }
}

/// A message that could be read.
#[derive(Clone, Debug)]
pub struct Received<T> {
    /// Its data.
    pub body: T,
    /// Its kind.
    pub kind: Kind,
    /// Its envelope.
    pub envelope: Envelope,
    /// Its identity: a hash of source and id.
    pub key: Uuid,
    /// Where it came from.
    pub source: Source,
    /// The span of the trace for processing it.
    pub trace: Traceparent,
}

impl<T> Received<T> {
    /// Reads a message; `read` parses the data of the kinds that the role consumes.
    ///
    /// # Errors
    /// [`Malformed`] with the fault.
    pub fn read(
        body: &[u8],
        source: Source,
        read: impl FnOnce(Kind, &Envelope) -> Result<T, Malformed>,
    ) -> Result<Self, Malformed> {
        let (envelope, kind) = Envelope::read(body)?;
        let body = read(kind, &envelope)?;
        let (key, trace) = (envelope.key(source.login.as_deref()), envelope.trace());
        Ok(Self { body, kind, envelope, key, source, trace })
    }
}

impl<T> Received<T> {
    /// The id of a message that Lockbox itself wrote and sent.
    pub fn own_id(&self) -> Option<Uuid> {
        if self.source.is_own { self.envelope.own_id() } else { None }
    }
}
