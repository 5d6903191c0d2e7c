//! The lifecycle as a table, computed with [`transition`]: every state with every fact.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Comment, Decided, Fact, ReportResponded, transition};
use crate::content::{AccessLevel, Category, Content, Severity};
use crate::ids::{PersonId, RequestId, TenantId};
use crate::lifecycle::EventKind;
use crate::people::{Assignment, Person, Role, Side};
use crate::request::{EndCause, Request, Stage, State, TimerChange, Withdrawal};
use crate::rules::Rules;
use crate::verdict::Verdict;

/// One pair of state and fact, and the outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// State before.
    pub state: &'static str,
    /// The fact, in words.
    pub fact: &'static str,
    /// State after, or the refusal's code.
    pub outcome: Result<&'static str, &'static str>,
    /// Events, by name.
    pub events: Vec<&'static str>,
    /// Timers, as `arm x` and `disarm x`.
    pub timers: Vec<String>,
}

/// Every state with every fact. The people in it have the required authority and act in time.
pub fn chart() -> Vec<Row> {
    let cast = Cast::new();
    let mut rows = Vec::new();
    for state in cast.states() {
        for (name, fact) in cast.facts() {
            let request = cast.request(state.clone());
            let row = match transition(&request, &fact) {
                Ok(step) => Row {
                    state: state.as_str(),
                    fact: name,
                    outcome: Ok(step.next.as_str()),
                    events: step.events.iter().map(|event| event.kind.name()).collect(),
                    timers: step.timers.iter().map(timer_text).collect(),
                },
                Err(refusal) => Row {
                    state: state.as_str(),
                    fact: name,
                    outcome: Err(refusal.code()),
                    events: Vec::new(),
                    timers: Vec::new(),
                },
            };
            rows.push(row);
        }
    }
    rows
}

fn timer_text(change: &TimerChange) -> String {
    match change {
        TimerChange::Arm(kind, _) => format!("arm {}", kind.as_str()),
        TimerChange::Disarm(kind) => format!("disarm {}", kind.as_str()),
    }
}

impl EventKind {
    /// Name without prefix and version, such as `request.submitted`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Submitted { .. } => "request.submitted",
            Self::VendorApproved { .. } => "request.vendor_approved",
            Self::VendorDenied => "request.vendor_denied",
            Self::CustomerApproved { .. } => "request.customer_approved",
            Self::CustomerDenied => "request.customer_denied",
            Self::GrantActivated { .. } => "grant.activated",
            Self::GrantEnded { .. } => "grant.ended",
            Self::Expired { .. } => "request.expired",
            Self::Reminded { .. } => "request.reminded",
            Self::Commented => "request.commented",
            Self::BreakGlassSupported => "request.break_glass_supported",
            Self::BreakGlassApproved => "request.break_glass_approved",
            Self::ReportAcknowledged => "report.acknowledged",
            Self::ReportDisputed => "report.disputed",
            Self::Withdrawn { .. } => "request.withdrawn",
        }
    }
}

/// Example people and an example request.
struct Cast {
    now: DateTime<Utc>,
    tenant: TenantId,
}

impl Cast {
    fn new() -> Self {
        Self { now: DateTime::UNIX_EPOCH, tenant: TenantId(Uuid::from_u128(1)) }
    }

    fn person(&self, number: u128, side: Side, role: Role) -> Person {
        Person {
            id: PersonId(Uuid::from_u128(number)),
            name: format!("person{number}"),
            display_name: format!("Person {number}"),
            email: format!("person{number}@example.com"),
            side,
            enabled: true,
            assignments: vec![Assignment { role, service: None }],
        }
    }

    fn request(&self, state: State) -> Request {
        let content = Content {
            request: RequestId(Uuid::from_u128(9)),
            tenant: self.tenant,
            tenant_name: "contoso".to_owned(),
            service_request: "SR-2026-004711".to_owned(),
            service: "exchange_online".to_owned(),
            resource: "finance@contoso.example".to_owned(),
            category: Category::CustomerReported,
            justification: crate::CommittedText::new("mail is stuck".to_owned(), [7; 32]),
            severity: Severity::Normal,
            access_level: AccessLevel::ReadOnly,
            requester: PersonId(Uuid::from_u128(2)),
            requester_name: "robin".to_owned(),
            duration_seconds: 3600,
            start_time: None,
            extends: None,
            break_glass: None,
            rules: Rules { reminders_seconds: vec![1800], ..Rules::default() },
        };
        let digest = content.digest();
        Request { content, digest, state, version: 1 }
    }

    fn states(&self) -> Vec<State> {
        let later = self.now + TimeDelta::hours(1);
        vec![
            State::PendingVendor { review_deadline: later, first: None },
            State::PendingCustomer {
                manager: PersonId(Uuid::from_u128(5)),
                decision_deadline: later,
                approvals: Vec::new(),
            },
            State::Active { access_from: self.now, access_until: later },
            State::Ended { cause: EndCause::Expired },
            State::VendorDenied,
            State::CustomerDenied,
            State::Expired { stage: Stage::Customer },
            State::Withdrawn { cause: Withdrawal::Requester },
        ]
    }

    fn facts(&self) -> Vec<(&'static str, Fact)> {
        let (at, late) = (self.now, self.now + TimeDelta::hours(2));
        let engineer = self.person(2, Side::Vendor, Role::Engineer);
        let manager = self.person(3, Side::Vendor, Role::Manager);
        let approver = self.person(4, Side::Customer(self.tenant), Role::Approver);
        let digest = self.request(State::VendorDenied).digest;
        let decided = |by: &Person, verdict| Decided {
            by: by.clone(),
            verdict,
            digest,
            comment: None,
            channel: "cli".to_owned(),
            duration_seconds: None,
            proof: None,
            policy_usage: None,
            at,
        };
        vec![
            ("vendor approves", Fact::VendorDecided(decided(&manager, Verdict::Approve))),
            ("vendor denies", Fact::VendorDecided(decided(&manager, Verdict::Deny))),
            ("customer approves (last approval)", Fact::CustomerDecided(decided(&approver, Verdict::Approve))),
            ("customer denies", Fact::CustomerDecided(decided(&approver, Verdict::Deny))),
            ("review deadline passes", Fact::DeadlineReached { stage: Stage::Vendor, at: late }),
            ("decision deadline passes", Fact::DeadlineReached { stage: Stage::Customer, at: late }),
            ("reminder is due", Fact::ReminderReached { at: self.now + TimeDelta::minutes(45) }),
            ("access duration is over", Fact::AccessTimeReached { at: late }),
            ("requester comments", Fact::Commented(Comment { by: engineer.clone(), text: "thanks".to_owned(), at })),
            ("customer revokes access", Fact::RevocationRequested { by: approver.clone(), comment: None, at }),
            (
                "customer acknowledges the access report",
                Fact::ReportResponded(ReportResponded {
                    by: approver,
                    acknowledges: true,
                    comment: None,
                    confirmed: true,
                    at,
                }),
            ),
            ("requester is disabled", Fact::RequesterDisabled { at }),
            ("requester withdraws", Fact::WithdrawalRequested { by: engineer, comment: None, at }),
            ("service request is closed", Fact::TicketClosed { at }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::chart;

    #[test]
    fn a_timer_is_disarmed_only_where_one_was_armed() {
        let mut disarms = 0;
        for row in chart() {
            let armed: &[&str] = match row.state {
                "pending_vendor" => &["review_deadline"],
                "pending_customer" => &["decision_deadline", "reminder"],
                "active" => &["grant_end"],
                _ => &[],
            };
            for timer in row.timers.iter().filter_map(|timer| timer.strip_prefix("disarm ")) {
                disarms += 1;
                // The directory arms this timer, and the fact is that it fired.
                let is_directory = timer == "requester_disabled" && row.fact == "requester is disabled";
                assert!(armed.contains(&timer) || is_directory, "{} + {}: {timer}", row.state, row.fact);
            }
        }
        assert!(disarms > 20, "{disarms}");
    }
}
