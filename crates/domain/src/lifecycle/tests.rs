//! The promises of the lifecycle under any order, repetition and loss of facts.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one kind of event among all")]

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::content::{ReasonCode, Severity};
use crate::ids::{PersonId, RequestId, TenantId};
use crate::people::{Assignment, Side};
use crate::rules::Rules;

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

fn content(required_approvals: i32, requester: u8) -> Content {
    Content {
        request: RequestId(Uuid::from_u128(9)),
        tenant: TENANT,
        tenant_name: "contoso".into(),
        service_request: "SR-2026-004711".into(),
        service: "onedrive".into(),
        resource: "https://contoso.example/sites/finance".into(),
        reason_code: ReasonCode::DataRepair,
        reason: "restore a folder".into(),
        severity: Severity::High,
        requester: person(requester).id,
        requester_name: person(requester).name,
        duration_seconds: 600,
        starts_at: None,
        rules: Rules {
            required_approvals,
            review_deadline_seconds: 1000,
            decision_deadline_seconds: 1000,
            ..Rules::default()
        },
    }
}

fn decided(by: u8, verdict: Verdict, digest: Digest, seconds: i64) -> Decided {
    Decided {
        by: person(by),
        verdict,
        digest,
        comment: None,
        channel: "cli".into(),
        duration_seconds: None,
        at: at(seconds),
    }
}

#[derive(Clone, Debug)]
enum Act {
    Manager(u8, bool, bool),
    Customer(u8, bool, bool, Option<i64>),
    Deadline(bool),
    AccessTime,
    End(u8),
    Withdraw(u8),
    Ticket,
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
    ]
}

fn fact(act: &Act, digest: Digest, seconds: i64) -> Fact {
    let verdict = |yes: bool| if yes { Verdict::Approve } else { Verdict::Reject };
    let seen = |right: bool| if right { digest } else { Digest::of(b"something else") };
    match *act {
        Act::Manager(by, yes, right) => Fact::ManagerDecided(decided(by, verdict(yes), seen(right), seconds)),
        Act::Customer(by, yes, right, duration_seconds) => {
            Fact::CustomerDecided(Decided { duration_seconds, ..decided(by, verdict(yes), seen(right), seconds) })
        }
        Act::Deadline(manager) => {
            Fact::DeadlineReached { stage: if manager { Stage::Manager } else { Stage::Customer }, at: at(seconds) }
        }
        Act::AccessTime => Fact::AccessTimeReached { at: at(seconds) },
        Act::End(by) => Fact::EndAsked { by: person(by), comment: None, at: at(seconds) },
        Act::Withdraw(by) => Fact::WithdrawAsked { by: person(by), comment: None, at: at(seconds) },
        Act::Ticket => Fact::TicketClosed { at: at(seconds) },
    }
}

/// What was seen over a whole life, for the promises to be asked of.
struct Life {
    request: Request,
    decisions: Vec<Decision>,
    events: Vec<Event>,
}

fn live(content: Content, acts: &[(Act, i64)]) -> Life {
    let requester = Person { id: content.requester, ..person(0) };
    let (mut request, first) = submit(content, requester, at(0));
    let mut life_events = first.events;
    let mut decisions = Vec::new();
    request.version = 1;
    let mut seconds = 0;
    for (act, later) in acts {
        seconds += later;
        let Ok(step) = transition(&request, &fact(act, request.digest, seconds)) else { continue };
        assert!(!request.state.is_final(), "an ending is final: {:?} left by {act:?}", request.state);
        assert!(!step.events.is_empty(), "every change of state has an event");
        request.version += i32::try_from(step.events.len()).unwrap();
        request.state = step.next;
        decisions.extend(step.decision);
        life_events.extend(step.events);
    }
    Life { request, decisions, events: life_events }
}

fn lives() -> impl Strategy<Value = (i32, u8, Vec<(Act, i64)>)> {
    (1..4i32, 0..2u8, prop::collection::vec((act(), 0..400i64), 0..14))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_access_without_enough_different_people_bound_to_one_digest((required, requester, acts) in lives()) {
        let life = live(content(required, requester), &acts);
        let granted = life.events.iter().find_map(|event| match event.kind {
            EventKind::AccessGranted { access_from, access_until } => Some((event.at, access_from, access_until)),
            _ => None,
        });
        if let Some((granted_at, access_from, access_until)) = granted {
            let yes = |stage| life.decisions.iter().filter(move |d| d.stage == stage && d.verdict == Verdict::Approve);
            let mut people: Vec<_> = yes(Stage::Manager).chain(yes(Stage::Customer)).map(|d| d.person).collect();
            prop_assert_eq!(yes(Stage::Manager).count(), 1);
            prop_assert!(yes(Stage::Customer).count() >= usize::try_from(required).unwrap());
            people.push(life.request.content.requester);
            let all = people.len();
            people.sort();
            people.dedup();
            prop_assert_eq!(people.len(), all, "one person, one part");
            prop_assert!(life.decisions.iter().all(|d| d.digest == life.request.digest));
            prop_assert!(yes(Stage::Manager).all(|d| d.decided_at < at(1000)));
            let decide_by = yes(Stage::Manager).next().unwrap().decided_at + TimeDelta::seconds(1000);
            prop_assert!(granted_at < decide_by);
            prop_assert!(access_until - access_from <= TimeDelta::seconds(600));
            prop_assert!(access_until > access_from);
        }
    }

    #[test]
    fn versions_count_events_and_states_chain((required, requester, acts) in lives()) {
        let life = live(content(required, requester), &acts);
        prop_assert_eq!(usize::try_from(life.request.version).unwrap(), life.events.len());
        for pair in life.events.windows(2) {
            prop_assert!(pair[1].from == Some(pair[0].to) || pair[1].kind.name() == "access.granted");
        }
        prop_assert_eq!(life.events.last().unwrap().to, life.request.state.as_str());
    }

    #[test]
    fn repeating_every_fact_changes_nothing((required, requester, acts) in lives()) {
        let once = live(content(required, requester), &acts);
        let twice: Vec<_> = acts.iter().flat_map(|(act, later)| [(act.clone(), *later), (act.clone(), 0)]).collect();
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
        let endings = life.events.iter().filter(|event| !matches!(event.to, "awaiting_manager" | "awaiting_customer" | "granted"));
        prop_assert_eq!(endings.count(), 1, "exactly one ending");
    }
}

fn reviewed() -> Request {
    let (mut request, _) = submit(content(1, 0), person(0), at(0));
    let yes = Fact::ManagerDecided(decided(2, Verdict::Approve, request.digest, 10));
    request.state = transition(&request, &yes).unwrap().next;
    request
}

fn customer_says(request: &Request, decided: Decided) -> Result<Transition, Refusal> {
    transition(request, &Fact::CustomerDecided(decided))
}

#[test]
fn an_approval_at_the_deadline_is_late_and_one_before_is_not() {
    let request = reviewed();
    let deadline = at(1010);
    let mut yes = decided(4, Verdict::Approve, request.digest, 0);
    yes.at = deadline;
    assert_eq!(customer_says(&request, yes.clone()), Err(Refusal::DeadlinePassed { deadline }));
    yes.at = deadline - TimeDelta::microseconds(1);
    assert_eq!(customer_says(&request, yes).unwrap().next.as_str(), "granted");
}

#[test]
fn each_wrong_decider_gets_a_reason_of_their_own() {
    let request = reviewed();
    let digest = request.digest;
    let refusal = |by| customer_says(&request, decided(by, Verdict::Approve, digest, 20)).unwrap_err().code();
    assert_eq!(refusal(0), "own_request");
    assert_eq!(refusal(3), "wrong_tenant");
    assert_eq!(refusal(7), "wrong_tenant");
    let disabled = Person { enabled: false, ..person(4) };
    let by_disabled = Decided { by: disabled, ..decided(4, Verdict::Approve, digest, 20) };
    assert_eq!(customer_says(&request, by_disabled), Err(Refusal::PersonDisabled));
    let unsure = Decided { duration_seconds: Some(601), ..decided(4, Verdict::Approve, digest, 20) };
    assert_eq!(customer_says(&request, unsure), Err(Refusal::DurationLonger));
    let other = decided(4, Verdict::Approve, Digest::of(b"forged"), 20);
    assert_eq!(customer_says(&request, other), Err(Refusal::DigestMismatch));
}

#[test]
fn access_ends_with_the_cause_of_who_ended_it() {
    let mut request = reviewed();
    let yes = decided(4, Verdict::Approve, request.digest, 20);
    request.state = customer_says(&request, yes).unwrap().next;
    let end = |by, seconds| {
        let fact = Fact::EndAsked { by: person(by), comment: None, at: at(seconds) };
        transition(&request, &fact).map(|step| step.next)
    };
    assert_eq!(end(0, 30), Ok(State::Ended { cause: EndCause::Engineer }));
    assert_eq!(end(2, 30), Ok(State::Ended { cause: EndCause::Vendor }));
    assert_eq!(end(5, 30), Ok(State::Ended { cause: EndCause::Customer }));
    assert_eq!(end(5, 620), Ok(State::Ended { cause: EndCause::Time }), "it was over already");
    assert_eq!(end(7, 30), Err(Refusal::MayNotEnd));
}

#[test]
fn the_chart_has_every_pair_once_and_endings_lead_nowhere() {
    let rows = chart();
    assert_eq!(rows.len(), 8 * 10);
    assert!(rows.iter().filter(|row| row.outcome.is_ok()).all(|row| !row.events.is_empty()));
    let endings = ["ended", "manager_rejected", "customer_rejected", "expired", "withdrawn"];
    assert!(rows.iter().filter(|row| endings.contains(&row.state)).all(|row| row.outcome.is_err()));
}
