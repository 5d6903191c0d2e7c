//! Verifies audit logs and writes evidence bundles (docs/audit-format.md): signatures, completeness and lifecycle rules.
//!
//! Deliberately absent: the database, the network, the file system and the wall clock. Callers pass in entries, rows,
//! files and the time, so the same examination verifies a live log, a bundle and the log of a test.

pub mod admission;
pub mod authority;
pub mod bundle;
pub mod canonical;
pub mod consent_rules;
pub mod decisions;
pub mod entry;
pub mod event;
pub mod examine;
pub mod finding;
pub mod fixtures;
pub mod grant;
pub mod grant_report;
pub mod page;
pub mod pinned;
pub mod proof;
pub mod rows;
pub mod tar;
pub mod views;

pub use consent_rules::{ConsentRules, ConsentTrust};
pub use entry::Entry;
pub use event::Event;
pub use examine::{Examination, Follower, Inputs};
pub use finding::{Fault, Finding, Report};
