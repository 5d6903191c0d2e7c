//! What a role is to the engine: which queue, which rows a message needs, and what it makes of the message.

use broker::Delivery;
use contracts::{Command, Envelope, Kind, Malformed, Traceparent};
use store::{Lock, ReadSet};
use uuid::Uuid;

use crate::context::BatchContext;

/// What ops start and scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleName {
    /// Takes requests in.
    Intake,
    /// Takes the manager's decisions.
    ManagerReview,
    /// Says who is to be told.
    Notification,
    /// Takes the customer's decisions and early ends.
    Approval,
    /// Ends what is due.
    Expiry,
    /// Opens and closes provisionings in target systems.
    Access,
    /// Writes the audit log.
    Audit,
    /// Sends mail.
    Mail,
    /// Gives events their places in the logs; part of `audit` unless it runs alone.
    Sequencer,
    /// Signs the logs; part of `audit` unless it runs alone.
    Signer,
}

impl RoleName {
    /// Every role with a queue of its own.
    pub const ALL: [Self; 8] = [
        Self::Intake,
        Self::ManagerReview,
        Self::Notification,
        Self::Approval,
        Self::Expiry,
        Self::Access,
        Self::Audit,
        Self::Mail,
    ];

    /// Roles without a queue, which `audit` plays too.
    pub const AUDIT_PARTS: [Self; 2] = [Self::Sequencer, Self::Signer];

    /// Name on the command line, of the queue and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::ManagerReview => "manager-review",
            Self::Notification => "notification",
            Self::Approval => "approval",
            Self::Expiry => "expiry",
            Self::Access => "access",
            Self::Audit => "audit",
            Self::Mail => "mail",
            Self::Sequencer => crate::sequencer::NAME,
            Self::Signer => crate::signer::NAME,
        }
    }

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain(Self::AUDIT_PARTS).find(|role| role.as_str() == name)
    }
}

/// Where a message came from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The broker login that sent it, checked by the broker. For a dead-letter message that an operator sent again, the
    /// login that sent it first.
    pub login: Option<String>,
    /// Whether that is Lockbox' own login.
    pub is_own: bool,
    /// Exchange it came through.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
}

/// On a dead-letter message that is sent again: its id in the list.
pub const REPLAY_HEADER: &str = "lockbox-replay";
/// On a dead-letter message that is sent again: the login that sent it first.
pub const REPLAY_LOGIN_HEADER: &str = "lockbox-replay-login";

impl Source {
    /// Where a delivery came from. Only Lockbox' own login is believed when it says for whom it sends again; in the
    /// headers of every other login these words mean nothing.
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
    /// What it says.
    pub body: T,
    /// Its kind.
    pub kind: Kind,
    /// Its envelope.
    pub envelope: Envelope,
    /// Identity by source and id.
    pub key: Uuid,
    /// Where it came from.
    pub source: Source,
    /// The step of the trace that handling it is.
    pub trace: Traceparent,
}

impl<T> Received<T> {
    /// Reads a message; `read` takes the data of the kinds this role knows.
    ///
    /// # Errors
    /// [`Malformed`] with what is wrong.
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

/// A role whose whole work is in the database: the engine loads the rows, the role decides, the engine commits.
pub trait Role: Send + Sync + 'static {
    /// What it consumes.
    type Message: Send + Sync;

    /// Its name, and that of its queue.
    fn name(&self) -> RoleName;

    /// Reads the data of one of its messages.
    ///
    /// # Errors
    /// [`Malformed`] for a kind that is not its business, or data that does not fit.
    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Self::Message, Malformed>;

    /// Says which rows a message needs. One batch holds at most one message a request, unless the role only reads.
    fn want(&self, received: &Received<Self::Message>, read_set: &mut ReadSet);

    /// Whether the message may touch requests it does not name, and so needs a batch of its own.
    fn is_alone(&self, _received: &Received<Self::Message>) -> bool {
        false
    }

    /// How the rows are locked.
    fn lock(&self) -> Lock {
        Lock::Wait
    }

    /// Makes of one message what follows.
    fn handle(&self, received: &Received<Self::Message>, context: &mut BatchContext<'_>);
}

/// Reads a command, for the roles that take commands.
pub(crate) fn command(kind: Kind, envelope: &Envelope, takes: &[Kind]) -> Result<Command, Malformed> {
    if takes.contains(&kind) {
        return Command::read(kind, envelope);
    }
    Err(Malformed {
        code: "schema.unexpected_type",
        detail: format!("{} is not taken here; see schemas/asyncapi.yaml for its exchange", kind.type_name()),
    })
}
