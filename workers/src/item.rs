//! One item of a batch: a message that could be read, or a dead-letter message.

use store::DeadLetter;

use crate::received::Received;

/// A delivery after it was read.
pub enum Item<T> {
    /// The message could be read.
    Good(Box<Received<T>>),
    /// The message could not be read and becomes a dead-letter message.
    Bad(Box<DeadLetter>),
}
