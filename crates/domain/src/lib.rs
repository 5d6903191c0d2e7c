//! The pure core: ids, people, requests and the lifecycle.
//!
//! Deliberately absent: I/O, async, wire formats and the clock. Every time arrives as an argument.

mod break_glass;
mod committed;
mod content;
mod digest;
mod ids;
pub mod lifecycle;
mod people;
pub mod policy;
pub mod provisioning;
mod refusal;
pub mod replay;
mod request;
pub mod retention;
mod rules;
pub mod scope;
mod signature;

pub mod text;
pub mod titles;
mod verdict;
mod witnesses;

pub use break_glass::{BREAK_GLASS_CEILING_SECONDS, BREAK_GLASS_QUOTA, BreakGlassPolicy, PolicyUsage};
pub use committed::{CommittedText, REDACTED, commitment};
pub use content::{AccessLevel, BreakGlass, Category, Content, Severity, allows_writing};
pub use digest::Digest;
pub use ids::{PersonId, RequestId, TenantId};
pub use lifecycle::{Event, EventKind, Fact, Transition, transition};
pub use people::{Assignment, Person, Role, Side, Tenant};
pub use refusal::{Fault, Refusal};
pub use request::{Approval, Decision, EndCause, Request, Stage, State, TimerChange, TimerKind, Withdrawal};
pub use rules::Rules;
pub use signature::Proof;
pub use text::FreeText;
pub use verdict::Verdict;
pub use witnesses::{ReservedChange, Witnesses};
