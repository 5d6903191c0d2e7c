//! Evidence: whether an audit log is what was signed, complete and by the rules, and the bundle that carries it out of
//! the house (docs/audit-format.md).
//!
//! Deliberately absent: the database, the network, the file system and the wall clock. Entries, rows, files and the
//! time are handed in, so the same examination serves a live log, a bundle and a test.

pub mod admission;
pub mod bundle;
pub mod canonical;
pub mod entry;
pub mod examine;
pub mod finding;
pub mod held;
pub mod invented;
pub mod proof;
pub mod rows;
pub mod story;
pub mod tar;
pub mod views;

pub use entry::Entry;
pub use examine::{Examination, Given};
pub use finding::{Fault, Finding, Report};
pub use story::Event;
