//! What the customer runs: a monitor that follows the tenant's log over HTTP, verifies that it only grows, applies every rule
//! of docs/audit-format.md to the entries as they arrive, cosigns what it has verified, and raises its own alarms.
//!
//! It trusts the log keys and the authority that it is given, and nothing that the vendor says. It keeps all entries and
//! signed checkpoints in a folder, so that it continues after a restart and a customer keeps proof.
//!
//! Deliberately absent: the database, the broker, and the vendor's mail server.

mod alarm;
mod book;
mod deliver;
mod error;
mod folder;
mod judge;
mod monitor;
mod options;
mod rejected;
mod serve;
mod source;
mod tree;
mod view;

pub use alarm::{Alarm, KINDS, Kind};
pub use book::{Book, read_alarms};
pub use deliver::MailOptions;
pub use error::Error;
pub use folder::{State, read_state};
pub use monitor::Monitor;
pub use options::{Clock, Options};
pub use serve::{Delivery, Running, start};
pub use view::View;
