//! What the engine needs of a role: its queue, the rows that a message needs, and the handler.

use contracts::{Command, Envelope, Kind, Malformed};
use store::{Lock, ReadSet};

use crate::context::BatchContext;
use crate::received::Received;
use crate::role_name::RoleName;

/// A role that works on the database: the engine loads the rows, the role decides, the engine commits.
pub trait Role: Send + Sync + 'static {
    /// The messages that it consumes.
    type Message: Send + Sync;

    /// Its name, which is also the name of its queue.
    fn name(&self) -> RoleName;

    /// Reads the data of one of its messages.
    ///
    /// # Errors
    /// [`Malformed`] for a kind that the role does not consume, or data that does not fit the schema.
    fn read(&self, kind: Kind, envelope: &Envelope) -> Result<Self::Message, Malformed>;

    /// Adds the rows that a message needs to the read set. A sub-batch holds at most one message per request, unless the role
    /// only reads.
    fn collect_reads(&self, received: &Received<Self::Message>, read_set: &mut ReadSet);

    /// Whether the message can change requests that it does not name, and so needs a transaction of its own.
    fn needs_own_transaction(&self, _received: &Received<Self::Message>) -> bool {
        false
    }

    /// How the rows are locked.
    fn lock(&self) -> Lock {
        Lock::Wait
    }

    /// Processes one message and records its changes in the context.
    fn handle(&self, received: &Received<Self::Message>, context: &mut BatchContext<'_>);
}

/// Reads a command of one of the kinds that a role consumes.
pub(crate) fn read_command(kind: Kind, envelope: &Envelope, consumes: &[Kind]) -> Result<Command, Malformed> {
    if consumes.contains(&kind) {
        return Command::read(kind, envelope);
    }
    Err(Malformed {
        code: "schema.unexpected_type",
        detail: format!(
            "no role consumes {} from this exchange; schemas/asyncapi.yaml names the right one",
            kind.type_name()
        ),
    })
}
