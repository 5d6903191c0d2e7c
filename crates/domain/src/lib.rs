//! The pure floor of the house: ids, people, requests and the lifecycle that decides.
//!
//! Deliberately absent: I/O, async, wire formats and the clock. Every time in here arrives as an argument.

mod break_glass;
mod consent;
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
mod rules;
pub mod scope;

pub mod text;
pub mod titles;
mod verdict;

pub use break_glass::{BreakGlassPolicy, PolicyStatus};
pub use consent::{Proof, challenge};
pub use content::{AccessLevel, BreakGlass, Category, Content, Severity};
pub use digest::Digest;
pub use ids::{PersonId, RequestId, TenantId};
pub use lifecycle::{Event, EventKind, Fact, Transition, transition};
pub use people::{Assignment, Person, Role, Side, Tenant};
pub use refusal::{Fault, Refusal};
pub use request::{Approval, Decision, EndCause, Request, Stage, State, TimerChange, TimerKind, Withdrawal};
pub use rules::Rules;
pub use text::FreeText;
pub use verdict::Verdict;
