//! The pure floor of the house: ids, people, requests and the lifecycle that decides.
//!
//! Deliberately absent: I/O, async, wire formats and the clock. Every time in here arrives as an argument.

mod consent;
mod content;
mod digest;
pub mod door;
mod ids;
pub mod lifecycle;
mod people;
pub mod policy;
mod refusal;
pub mod replay;
mod request;
mod rules;
pub mod scope;
mod standing;
pub mod text;
pub mod titles;
mod verdict;

pub use consent::{Proof, challenge};
pub use content::{Content, Emergency, Mode, ReasonCode, Severity};
pub use digest::Digest;
pub use ids::{PersonId, RequestId, TenantId};
pub use lifecycle::{Event, EventKind, Fact, Transition, transition};
pub use people::{Assignment, Person, Role, Side, Tenant};
pub use refusal::{Fault, Refusal};
pub use request::{Approval, Decision, EndCause, Request, Stage, State, TimerChange, TimerKind, Withdrawal};
pub use rules::Rules;
pub use standing::{Standing, StandingConsent};
pub use text::FreeText;
pub use verdict::Verdict;
