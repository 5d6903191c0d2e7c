//! The guarantees of the lifecycle under any order, repetition and loss of facts.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one kind of event among all")]

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::break_glass::{BreakGlassPolicy, PolicyUsage};
use crate::content::{AccessLevel, BreakGlass, Category, Severity};
use crate::digest::Digest;
use crate::ids::{PersonId, RequestId, TenantId};
use crate::people::{Assignment, Side};
use crate::request::Decision;
use crate::rules::Rules;
use crate::signature::Proof;

const TENANT: TenantId = TenantId(Uuid::from_u128(100));
const OTHER_TENANT: TenantId = TenantId(Uuid::from_u128(101));

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// Eight people: 0 engineer, 1 engineer and manager, 2 and 3 managers, 4 to 6 approvers, 7 another tenant's approver.
fn person(number: u8) -> Person {
    let (side, roles): (Side, &[Role]) = match number {
        0 => (Side::Vendor, &[Role::Engineer]),
        1 => (Side::Vendor, &[Role::Engineer, Role::Manager]),
        2 | 3 => (Side::Vendor, &[Role::Manager]),
        4..=6 => (Side::Customer(TENANT), &[Role::Approver]),
        _ => (Side::Customer(OTHER_TENANT), &[Role::Approver]),
    };
    Person {
        id: PersonId(Uuid::from_u128(u128::from(number))),
        name: format!("p{number}"),
        display_name: format!("Person {number}"),
        email: format!("p{number}@example.com"),
        side,
        enabled: true,
        assignments: roles.iter().map(|&role| Assignment { role, service: None }).collect(),
    }
}

pub(crate) fn content(required_approvals: i32, requester: u8) -> Content {
    Content {
        request: RequestId(Uuid::from_u128(9)),
        tenant: TENANT,
        tenant_name: "contoso".into(),
        service_request: "SR-2026-004711".into(),
        service: "onedrive".into(),
        resource: "https://contoso.example/sites/finance".into(),
        category: Category::DataRepair,
        justification: crate::CommittedText::new("restore a folder".into(), [7; 32]),
        severity: Severity::High,
        access_level: AccessLevel::ReadOnly,
        requester: person(requester).id,
        requester_name: person(requester).name,
        duration_seconds: 600,
        start_time: None,
        extends: None,
        break_glass: None,
        rules: Rules {
            required_approvals,
            review_deadline_seconds: 1000,
            decision_deadline_seconds: 1000,
            reminders_seconds: vec![500, 100],
            ..Rules::default()
        },
    }
}

/// The policy of the break-glass requests in these tests.
fn policy() -> BreakGlassPolicy {
    BreakGlassPolicy {
        id: Uuid::from_u128(50),
        tenant: TENANT,
        name: "night watch".into(),
        services: vec!["onedrive".into()],
        ceiling_seconds: 600,
        quota: 3,
        until: at(100_000),
    }
}

/// The same content as a request for break-glass access.
pub(crate) fn break_glass(requester: u8) -> Content {
    let rule = policy();
    let break_glass = BreakGlass { policy: rule.id, name: rule.name.clone(), digest: rule.digest() };
    Content { break_glass: Some(break_glass), ..content(1, requester) }
}

fn decided(by: u8, verdict: Verdict, digest: Digest, seconds: i64) -> Decided {
    Decided {
        by: person(by),
        verdict,
        digest,
        comment: None,
        channel: "cli".into(),
        duration_seconds: None,
        proof: None,
        policy_usage: Some(PolicyUsage { policy: policy(), used: 0, ended: false }),
        at: at(seconds),
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Manager(u8, bool, bool),
    Customer(u8, bool, bool, Option<i64>),
    Deadline(bool),
    AccessTime,
    End(u8),
    Withdraw(u8),
    Ticket,
    Reminder,
    Comment(u8),
    Disabled,
    Report(u8, bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..8u8, prop::bool::weighted(0.8), prop::bool::weighted(0.9)).prop_map(|(p, y, d)| Act::Manager(p, y, d)),
        6 => (0..8u8, prop::bool::weighted(0.8), prop::bool::weighted(0.9), prop::option::of(-5..900i64))
            .prop_map(|(p, y, d, s)| Act::Customer(p, y, d, s)),
        1 => any::<bool>().prop_map(Act::Deadline),
        2 => Just(Act::AccessTime),
        1 => (0..8u8).prop_map(Act::End),
        1 => (0..8u8).prop_map(Act::Withdraw),
        1 => Just(Act::Ticket),
        1 => Just(Act::Reminder),
        1 => (0..8u8).prop_map(Act::Comment),
        1 => Just(Act::Disabled),
        1 => (0..8u8, any::<bool>()).prop_map(|(p, acknowledges)| Act::Report(p, acknowledges)),
    ]
}

fn fact(act: &Act, digest: Digest, seconds: i64) -> Fact {
    let verdict = |approves: bool| if approves { Verdict::Approve } else { Verdict::Deny };
    let seen = |right: bool| if right { digest } else { Digest::of(b"something else") };
    match *act {
        Act::Manager(by, approves, right) => Fact::VendorDecided(decided(by, verdict(approves), seen(right), seconds)),
        Act::Customer(by, approves, right, duration_seconds) => {
            Fact::CustomerDecided(Decided { duration_seconds, ..decided(by, verdict(approves), seen(right), seconds) })
        }
        Act::Deadline(manager) => {
            Fact::DeadlineReached { stage: if manager { Stage::Vendor } else { Stage::Customer }, at: at(seconds) }
        }
        Act::AccessTime => Fact::AccessTimeReached { at: at(seconds) },
        Act::End(by) => Fact::RevocationRequested { by: person(by), comment: None, at: at(seconds) },
        Act::Withdraw(by) => Fact::WithdrawalRequested { by: person(by), comment: None, at: at(seconds) },
        Act::Ticket => Fact::TicketClosed { at: at(seconds) },
        Act::Reminder => Fact::ReminderReached { at: at(seconds) },
        Act::Disabled => Fact::RequesterDisabled { at: at(seconds) },
        Act::Report(by, acknowledges) => Fact::ReportResponded(report(by, acknowledges, true, seconds)),
        Act::Comment(by) => Fact::Commented(Comment { by: person(by), text: "why?".into(), at: at(seconds) }),
    }
}

fn report(by: u8, acknowledges: bool, confirmed: bool, seconds: i64) -> ReportResponded {
    ReportResponded { by: person(by), acknowledges, comment: Some("as agreed".into()), confirmed, at: at(seconds) }
}

/// Everything observed during the life of one request.
pub(crate) struct Life {
    pub request: Request,
    decisions: Vec<Decision>,
    pub events: Vec<Event>,
}

pub(crate) fn live(content: Content, acts: &[(Act, i64)]) -> Life {
    let requester = Person { id: content.requester, ..person(0) };
    let (mut request, first) = submit(content, requester, at(0));
    let mut life_events = first.events;
    let mut decisions = Vec::new();
    request.version = 1;
    let mut seconds = 0;
    for (act, later) in acts {
        seconds += later;
        let Ok(step) = transition(&request, &fact(act, request.digest, seconds)) else { continue };
        let stays = step.next == request.state && matches!(act, Act::Report(4..=6, _));
        assert!(!request.state.is_final() || stays, "a final state is final: {:?} left by {act:?}", request.state);
        assert!(!step.events.is_empty(), "every step has an event");
        request.version += i32::try_from(step.events.len()).unwrap();
        request.state = step.next;
        decisions.extend(step.decision);
        life_events.extend(step.events);
    }
    Life { request, decisions, events: life_events }
}

pub(crate) fn lives() -> impl Strategy<Value = (i32, u8, Vec<(Act, i64)>)> {
    (1..4i32, 0..2u8, prop::collection::vec((act(), 0..400i64), 0..14))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_access_without_enough_different_people_bound_to_one_digest((required, requester, acts) in lives()) {
        let life = live(content(required, requester), &acts);
        let activated = life.events.iter().find_map(|event| match event.kind {
            EventKind::GrantActivated { access_from, access_until } => Some((event.at, access_from, access_until)),
            _ => None,
        });
        if let Some((activated_at, access_from, access_until)) = activated {
            let approvals = |stage| life.decisions.iter().filter(move |d| d.stage == stage && d.verdict == Verdict::Approve);
            let mut people: Vec<_> = approvals(Stage::Vendor).chain(approvals(Stage::Customer)).map(|d| d.person).collect();
            prop_assert_eq!(approvals(Stage::Vendor).count(), 1);
            prop_assert!(approvals(Stage::Customer).count() >= usize::try_from(required).unwrap());
            people.push(life.request.content.requester);
            let all = people.len();
            people.sort();
            people.dedup();
            prop_assert_eq!(people.len(), all, "every person has one part only");
            prop_assert!(life.decisions.iter().all(|d| d.digest == life.request.digest));
            prop_assert!(approvals(Stage::Vendor).all(|d| d.decided_at < at(1000)));
            let decision_deadline = approvals(Stage::Vendor).next().unwrap().decided_at + TimeDelta::seconds(1000);
            prop_assert!(activated_at < decision_deadline);
            prop_assert!(access_until - access_from <= TimeDelta::seconds(600));
            prop_assert!(access_until > access_from);
        }
    }

    #[test]
    fn versions_count_events_and_states_chain((required, requester, acts) in lives()) {
        let life = live(content(required, requester), &acts);
        prop_assert_eq!(usize::try_from(life.request.version).unwrap(), life.events.len());
        for pair in life.events.windows(2) {
            prop_assert!(pair[1].from == Some(pair[0].to) || pair[1].kind.name() == "grant.activated");
        }
        prop_assert_eq!(life.events.last().unwrap().to, life.request.state.as_str());
    }

    #[test]
    fn repeating_every_fact_changes_nothing((required, requester, acts) in lives()) {
        let once = live(content(required, requester), &acts);
        // A repeated comment or response to the report is recorded twice. The inbox and the timer's generation prevent repetitions.
        let again = |act: &Act| usize::from(!matches!(act, Act::Comment(_) | Act::Reminder | Act::Report(..)));
        let twice: Vec<_> = acts
            .iter()
            .flat_map(|(act, later)| std::iter::once((act.clone(), *later)).chain(vec![(act.clone(), 0); again(act)]))
            .collect();
        let twice = live(content(required, requester), &twice);
        prop_assert_eq!(once.request, twice.request);
        prop_assert_eq!(once.decisions, twice.decisions);
    }

    #[test]
    fn when_all_timers_fire_every_request_ends((required, requester, acts) in lives()) {
        let mut acts = acts;
        acts.extend([
            (Act::Deadline(true), 100_000),
            (Act::Deadline(false), 100_000),
            (Act::AccessTime, 100_000),
        ]);
        let life = live(content(required, requester), &acts);
        prop_assert!(life.request.state.is_final());
        let endings = life.events.iter().filter(|event| {
            !matches!(event.to, "pending_vendor" | "pending_customer" | "active") && event.from != Some("ended")
        });
        prop_assert_eq!(endings.count(), 1, "exactly one final step");
    }
}

fn reviewed() -> Request {
    let (mut request, _) = submit(content(1, 0), person(0), at(0));
    let approval = Fact::VendorDecided(decided(2, Verdict::Approve, request.digest, 10));
    request.state = transition(&request, &approval).unwrap().next;
    request
}

fn customer_decides(request: &Request, decided: Decided) -> Result<Transition, Refusal> {
    transition(request, &Fact::CustomerDecided(decided))
}

#[test]
fn an_approval_at_the_deadline_is_late_and_one_before_is_not() {
    let request = reviewed();
    let deadline = at(1010);
    let mut approval = decided(4, Verdict::Approve, request.digest, 0);
    approval.at = deadline;
    assert_eq!(customer_decides(&request, approval.clone()), Err(Refusal::DeadlinePassed { deadline }));
    approval.at = deadline - TimeDelta::microseconds(1);
    assert_eq!(customer_decides(&request, approval).unwrap().next.as_str(), "active");
}

#[test]
fn reminders_come_one_after_the_other_and_stop_with_the_stage() {
    let (mut request, _) = submit(content(1, 0), person(0), at(0));
    let approval = Fact::VendorDecided(decided(2, Verdict::Approve, request.digest, 10));
    let step = transition(&request, &approval).unwrap();
    assert!(step.timers.contains(&TimerChange::Arm(TimerKind::Reminder, at(510))), "500 seconds before 1010");
    request.state = step.next;
    let remind = |seconds| transition(&request, &Fact::ReminderReached { at: at(seconds) });
    assert_eq!(remind(509), Err(Refusal::NotDue { due_at: at(510) }));
    assert_eq!(remind(510).unwrap().timers, [TimerChange::Arm(TimerKind::Reminder, at(910))]);
    assert_eq!(remind(910).unwrap().timers, [TimerChange::Disarm(TimerKind::Reminder)], "no reminder is left");
    assert_eq!(remind(1010).unwrap().next, State::Expired { stage: Stage::Customer }, "too late for a reminder");
    let no = transition(&request, &Fact::CustomerDecided(decided(4, Verdict::Deny, request.digest, 20))).unwrap();
    assert!(no.timers.contains(&TimerChange::Disarm(TimerKind::Reminder)));
}

#[test]
fn only_participants_comment_on_a_request() {
    let (fresh, _) = submit(content(1, 0), person(0), at(0));
    let reviewed = reviewed();
    let say = |request: &Request, by: u8| {
        let said = Comment { by: person(by), text: "why?".into(), at: at(20) };
        transition(request, &Fact::Commented(said)).map(|step| step.next == request.state)
    };
    for by in [0, 2, 5] {
        assert_eq!(say(&reviewed, by), Ok(true));
    }
    assert_eq!(say(&reviewed, 7), Err(Refusal::MayNotComment));
    assert_eq!(say(&fresh, 5), Err(Refusal::NotReviewed), "the customer does not see the request yet");
    assert_eq!(say(&fresh, 0), Ok(true));
}

#[test]
fn where_a_passkey_is_required_an_approval_without_one_is_refused_and_a_denial_is_not() {
    let mut request = reviewed();
    request.content.rules.passkey_required = true;
    let approval = decided(4, Verdict::Approve, request.digest, 20);
    assert_eq!(customer_decides(&request, approval.clone()), Err(Refusal::PasskeyRequired));
    let proof = Proof { key: "key".into(), evidence: "{}".into(), comment_salt: None };
    let signed = customer_decides(&request, Decided { proof: Some(proof.clone()), ..approval }).unwrap();
    assert_eq!(signed.next.as_str(), "active");
    assert_eq!(signed.events[0].proof.as_ref(), Some(&proof), "the event carries the proof");
    assert_eq!(signed.decision.unwrap().proof, Some(proof));
    let no = decided(4, Verdict::Deny, request.digest, 20);
    assert_eq!(customer_decides(&request, no).unwrap().next.as_str(), "customer_denied");
}

#[test]
fn each_person_without_authority_gets_a_specific_refusal() {
    let request = reviewed();
    let digest = request.digest;
    let refusal = |by| customer_decides(&request, decided(by, Verdict::Approve, digest, 20)).unwrap_err().code();
    assert_eq!(refusal(0), "own_request");
    assert_eq!(refusal(3), "wrong_tenant");
    assert_eq!(refusal(7), "wrong_tenant");
    let disabled = Person { enabled: false, ..person(4) };
    let by_disabled = Decided { by: disabled, ..decided(4, Verdict::Approve, digest, 20) };
    assert_eq!(customer_decides(&request, by_disabled), Err(Refusal::PersonDisabled));
    let unsure = Decided { duration_seconds: Some(601), ..decided(4, Verdict::Approve, digest, 20) };
    assert_eq!(customer_decides(&request, unsure), Err(Refusal::DurationLonger));
    let other = decided(4, Verdict::Approve, Digest::of(b"forged"), 20);
    assert_eq!(customer_decides(&request, other), Err(Refusal::DigestMismatch));
}

#[test]
fn the_cause_of_an_end_names_the_side_that_revoked_access() {
    let mut request = reviewed();
    let approval = decided(4, Verdict::Approve, request.digest, 20);
    request.state = customer_decides(&request, approval).unwrap().next;
    let end = |by, seconds| {
        let fact = Fact::RevocationRequested { by: person(by), comment: None, at: at(seconds) };
        transition(&request, &fact).map(|step| step.next)
    };
    assert_eq!(end(0, 30), Ok(State::Ended { cause: EndCause::Released }));
    assert_eq!(end(2, 30), Ok(State::Ended { cause: EndCause::RevokedByVendor }));
    assert_eq!(end(5, 30), Ok(State::Ended { cause: EndCause::RevokedByCustomer }));
    assert_eq!(end(5, 620), Ok(State::Ended { cause: EndCause::Expired }), "the duration was over already");
    assert_eq!(end(7, 30), Err(Refusal::MayNotRevoke));
}

#[test]
fn the_chart_has_every_pair_once_and_final_states_allow_only_a_response_to_the_report() {
    let rows = chart();
    assert_eq!(rows.len(), 8 * 14);
    assert!(rows.iter().filter(|row| row.outcome.is_ok()).all(|row| !row.events.is_empty()));
    let endings = ["ended", "vendor_denied", "customer_denied", "expired", "withdrawn"];
    let after = rows.iter().filter(|row| endings.contains(&row.state) && row.outcome.is_ok());
    let after: Vec<_> = after.map(|row| (row.state, row.fact, row.outcome)).collect();
    assert_eq!(after, [("ended", "customer acknowledges the access report", Ok("ended"))]);
}

#[test]
fn only_the_customer_responds_to_a_report_and_cannot_acknowledge_an_unconfirmed_revocation() {
    let request = Request { state: State::Ended { cause: EndCause::Expired }, ..reviewed() };
    let answer =
        |answered| transition(&request, &Fact::ReportResponded(answered)).map(|step| step.events[0].kind.clone());
    assert_eq!(answer(report(4, true, true, 900)), Ok(EventKind::ReportAcknowledged));
    assert_eq!(answer(report(4, true, false, 900)), Err(Refusal::RevocationUnconfirmed));
    assert_eq!(answer(report(4, false, false, 900)), Ok(EventKind::ReportDisputed));
    let silent = ReportResponded { comment: None, ..report(4, false, true, 900) };
    assert!(matches!(answer(silent), Err(Refusal::Invalid(_))));
    assert_eq!(answer(report(0, true, true, 900)), Err(Refusal::OwnRequest));
    assert_eq!(answer(report(2, true, true, 900)), Err(Refusal::WrongTenant));
    assert_eq!(answer(report(7, true, true, 900)), Err(Refusal::WrongTenant));
    let open = transition(&reviewed(), &Fact::ReportResponded(report(4, true, true, 10)));
    assert_eq!(open, Err(Refusal::NotEnded { state: "pending_customer" }));
}
