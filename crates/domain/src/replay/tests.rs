//! The replay accepts what the lifecycle produces, and rejects what it cannot produce.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use uuid::Uuid;

use super::{PolicyHistory, PolicyTerms, PolicyUse, RecordedStep, Replayed, Violation, steps};
use crate::lifecycle::tests::{break_glass, content, live, lives};
use crate::lifecycle::{Event, EventKind, chart};
use crate::request::Request;

#[test]
fn every_event_in_the_chart_of_the_lifecycle_is_a_legal_move() {
    for row in chart().iter().filter(|row| row.outcome.is_ok()) {
        let to = row.outcome.unwrap();
        let mut state = row.state;
        for (place, event) in row.events.iter().enumerate() {
            // Of several events in one step, only the last one changes the state.
            let next = if place + 1 == row.events.len() { to } else { state };
            assert!(steps::is_legal(false, Some(state), event, next), "{state} {event} {next}");
            state = next;
        }
    }
}

/// The event of a step as the log records it.
fn recorded(request: &Request, event: &Event) -> RecordedStep {
    let content = &request.content;
    let mut recorded = RecordedStep {
        kind: event.kind.name().into(),
        at: event.at,
        from: event.from.map(str::to_owned),
        to: event.to.into(),
        digest: request.digest.to_string(),
        person: event.actor.as_ref().map(|person| person.id.0),
        side: event.actor.as_ref().map(|person| person.side.as_str().to_owned()),
        break_glass: content
            .break_glass
            .as_ref()
            .map(|policy_use| (policy_use.name.clone(), policy_use.digest.to_string())),
        ..RecordedStep::default()
    };
    match &event.kind {
        EventKind::Submitted { review_deadline } => {
            recorded.review_deadline = Some(*review_deadline);
            recorded.start_time = content.start_time;
            recorded.duration_seconds = Some(content.duration_seconds);
            recorded.required_approvals = Some(content.rules.required_approvals.into());
        }
        EventKind::VendorApproved { decision_deadline } | EventKind::Reminded { decision_deadline } => {
            recorded.decision_deadline = Some(*decision_deadline);
        }
        EventKind::CustomerApproved { approvals, duration_seconds } => {
            recorded.approvals = Some((*approvals).into());
            recorded.duration_seconds = Some(*duration_seconds);
        }
        EventKind::GrantActivated { access_from, access_until } => {
            (recorded.access_from, recorded.access_until) = (Some(*access_from), Some(*access_until));
        }
        EventKind::GrantEnded { cause, access_until } => {
            (recorded.cause, recorded.access_until) = (Some(cause.as_str().into()), Some(*access_until));
        }
        EventKind::Expired { stage, deadline } => {
            (recorded.stage, recorded.deadline) = (Some(stage.as_str().into()), Some(*deadline));
        }
        EventKind::Withdrawn { cause } => recorded.cause = Some(cause.as_str().into()),
        EventKind::VendorDenied
        | EventKind::CustomerDenied
        | EventKind::Commented
        | EventKind::BreakGlassSupported
        | EventKind::BreakGlassApproved
        | EventKind::ReportAcknowledged
        | EventKind::ReportDisputed => {}
    }
    recorded
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn every_history_that_the_lifecycle_produces_satisfies_all_rules((required, requester, acts) in lives(), is_break_glass in any::<bool>()) {
        let content = if is_break_glass { break_glass(requester) } else { content(required, requester) };
        let life = live(content, &acts);
        let steps: Vec<RecordedStep> = life.events.iter().map(|event| recorded(&life.request, event)).collect();
        let (replayed, broken) = replay(&steps);
        prop_assert_eq!(broken, []);
        prop_assert_eq!((replayed.state.as_str(), replayed.version), (life.request.state.as_str(), i64::from(life.request.version)));
    }
}

#[test]
fn every_legal_move_occurs_in_some_history() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let ordinary = steps::moves().map(|step| (false, step));
    let mut missing: std::collections::BTreeSet<_> =
        ordinary.chain(steps::break_glass_moves().map(|step| (true, step))).collect();
    // The rarest move, a response to the report of an ended access, occurs once in some thousand histories.
    for round in 0..100_000 {
        if missing.is_empty() {
            return;
        }
        let (required, requester, acts) = lives().new_tree(&mut runner).unwrap().current();
        let is_break_glass = round % 2 == 0;
        let content = if is_break_glass { break_glass(requester) } else { content(required, requester) };
        for event in live(content, &acts).events {
            missing.remove(&(is_break_glass, (event.from, event.kind.name(), event.to)));
        }
    }
    assert!(missing.is_empty(), "no history contains {missing:?}");
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn person(number: u128) -> Option<Uuid> {
    Some(Uuid::from_u128(number))
}

fn history() -> Vec<RecordedStep> {
    let step = |kind: &str, seconds, from: Option<&str>, to: &str| RecordedStep {
        kind: kind.into(),
        at: at(seconds),
        from: from.map(str::to_owned),
        to: to.into(),
        digest: "d".into(),
        ..RecordedStep::default()
    };
    let (vendor, customer) = (Some("vendor".to_owned()), Some("customer".to_owned()));
    let waiting = Some("pending_customer");
    vec![
        RecordedStep {
            person: person(1),
            side: vendor.clone(),
            review_deadline: Some(at(100)),
            duration_seconds: Some(60),
            required_approvals: Some(2),
            ..step("request.submitted", 0, None, "pending_vendor")
        },
        RecordedStep {
            person: person(2),
            side: vendor,
            decision_deadline: Some(at(200)),
            ..step("request.vendor_approved", 10, Some("pending_vendor"), "pending_customer")
        },
        RecordedStep {
            person: person(3),
            side: customer.clone(),
            duration_seconds: Some(60),
            approvals: Some(1),
            ..step("request.customer_approved", 20, waiting, "pending_customer")
        },
        RecordedStep {
            person: person(4),
            side: customer,
            duration_seconds: Some(30),
            approvals: Some(2),
            ..step("request.customer_approved", 30, waiting, "pending_customer")
        },
        RecordedStep {
            access_from: Some(at(30)),
            access_until: Some(at(60)),
            ..step("grant.activated", 30, waiting, "active")
        },
        RecordedStep {
            access_until: Some(at(60)),
            cause: Some("expired".into()),
            ..step("grant.ended", 60, Some("active"), "ended")
        },
    ]
}

/// Valid break-glass access: two managers, and a policy in place of the customer approval.
fn break_glass_history() -> Vec<RecordedStep> {
    let break_glass = Some(("night watch".to_owned(), "c".to_owned()));
    let mut history = history();
    history.drain(2..4);
    let awaiting = Some("pending_vendor".to_owned());
    history[1].kind = "request.break_glass_supported".into();
    (history[1].to, history[1].decision_deadline) = ("pending_vendor".into(), None);
    let second = RecordedStep {
        kind: "request.break_glass_approved".into(),
        at: at(20),
        person: person(5),
        ..history[1].clone()
    };
    history.insert(2, second);
    history[3] =
        RecordedStep { at: at(20), access_from: Some(at(20)), access_until: Some(at(80)), ..history[3].clone() };
    history[4] = RecordedStep { at: at(80), access_until: Some(at(80)), ..history[4].clone() };
    for (place, step) in history.iter_mut().enumerate() {
        step.break_glass.clone_from(&break_glass);
        step.from = if (1..4).contains(&place) { awaiting.clone() } else { step.from.take() };
    }
    history
}

fn replay(steps: &[RecordedStep]) -> (Replayed, Vec<Violation>) {
    let (mut request, mut broken) = (Replayed::default(), Vec::new());
    for step in steps {
        broken.extend(request.apply(step).err().unwrap_or_default());
    }
    (request, broken)
}

#[test]
fn a_valid_history_satisfies_all_rules_and_gives_the_expected_row() {
    let (request, broken) = replay(&history());
    assert_eq!(broken, []);
    assert_eq!((request.state.as_str(), request.version, request.finished_at), ("ended", 6, Some(at(60))));
    assert_eq!((request.access_until, request.cause.as_deref()), (Some(at(60)), Some("expired")));
}

#[test]
fn each_forged_step_violates_its_rule() {
    type Forgery = fn(&mut Vec<RecordedStep>);
    let forgeries: [(&str, Forgery); 15] = [
        ("does not review their own", |history| history[1].person = person(1)),
        ("for both sides", |history| history[2].person = person(2)),
        ("approval counts once", |history| history[3].person = person(3)),
        ("only before its deadline", |history| history[3].at = at(200)),
        ("made by a person of the customer", |history| history[2].side = Some("vendor".into())),
        ("content never changes", |history| history[3].digest = "e".into()),
        ("customer's are missing", |history| drop(history.remove(3))),
        ("manager's is missing", |history| history[1].person = None),
        ("shortest approved duration", |history| history[4].access_until = Some(at(90))),
        ("set when access becomes active", |history| history[5].access_until = Some(at(59))),
        ("when its duration is over", |history| history[5].at = at(50)),
        ("not earlier than the previous step", |history| history[2].at = at(5)),
        ("starts in the state in which the previous step ended", |history| drop(history.remove(1))),
        ("nothing else happens", |history| {
            history[4].kind = "request.reminded".into();
            history[4].to = "pending_customer".into();
        }),
        ("grant.activated does not lead", |history| history[4].to = "ended".into()),
    ];
    for (words, forgery) in forgeries {
        let mut history = history();
        forgery(&mut history);
        let (_, broken) = replay(&history);
        assert!(broken.iter().any(|rule| rule.0.contains(words)), "{words}: {broken:?}");
    }
}

#[test]
fn each_forged_step_of_break_glass_access_violates_its_rule() {
    type Forgery = fn(&mut Vec<RecordedStep>);
    let forgeries: [(&str, Forgery); 11] = [
        ("two different persons", |history| history[2].person = person(2)),
        ("does not review their own", |history| history[2].person = person(1)),
        ("persons of the vendor", |history| history[2].side = Some("customer".into())),
        ("approvals of two managers", |history| drop(history.remove(2))),
        ("approvals of two managers", |history| drop(history.remove(1))),
        ("only before its deadline", |history| history[2].at = at(100)),
        ("under one break-glass policy", |history| history[2].break_glass = Some(("night watch".into(), "d".into()))),
        ("only break-glass access", |history| history.iter_mut().for_each(|step| step.break_glass = None)),
        ("shortest approved duration", |history| history[3].access_until = Some(at(90))),
        ("any break-glass policy can allow", |history| history[0].duration_seconds = Some(4 * 3600 + 1)),
        ("needs two managers", |history| {
            history[1].kind = "request.vendor_approved".into();
            history[1].to = "pending_customer".into();
        }),
    ];
    assert_eq!(replay(&break_glass_history()).1, []);
    assert_eq!(
        (replay(&break_glass_history()).0.first, replay(&break_glass_history()).0.manager),
        (person(2), person(5))
    );
    for (words, forgery) in forgeries {
        let mut history = break_glass_history();
        forgery(&mut history);
        let (_, broken) = replay(&history);
        assert!(broken.iter().any(|rule| rule.0.contains(words)), "{words}: {broken:?}");
    }
}

#[test]
fn break_glass_access_needs_an_earlier_policy_of_the_customer_and_stays_within_its_limits() {
    let terms = || PolicyTerms {
        at: at(0),
        by_customer: true,
        name: "night watch".into(),
        services: vec!["onedrive".into()],
        ceiling_seconds: 60,
        quota: 2,
        until: at(1000),
    };
    let policy_use = PolicyUse { at: at(10), name: "night watch", digest: "c", service: "onedrive", seconds: 60 };
    let violations_of = |terms: PolicyTerms, policy_use: &PolicyUse<'_>, grants: usize, ended: Option<i64>| {
        let mut policies = PolicyHistory::default();
        let mut broken = policies.record_policy("c", terms);
        for _ in 0..grants {
            broken.extend(policies.record_use(policy_use, true));
        }
        broken.extend(ended.map(|seconds| policies.record_end("c", at(seconds), true)).unwrap_or_default());
        broken.into_iter().map(|rule| rule.0).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(violations_of(terms(), &policy_use, 2, Some(500)), "");
    for (words, terms, policy_use, grants, ended) in [
        ("person of the customer", PolicyTerms { by_customer: false, ..terms() }, policy_use, 1, None),
        ("within its limits", PolicyTerms { ceiling_seconds: 4 * 3600 + 1, ..terms() }, policy_use, 1, None),
        ("within its limits", PolicyTerms { until: at(400 * 86_400), ..terms() }, policy_use, 1, None),
        ("created before it", terms(), PolicyUse { digest: "d", ..policy_use }, 1, None),
        ("created before it", PolicyTerms { at: at(500), ..terms() }, policy_use, 1, None),
        ("names the policy", terms(), PolicyUse { name: "another", ..policy_use }, 1, None),
        ("own services", terms(), PolicyUse { service: "sharepoint", ..policy_use }, 1, None),
        ("longer than its policy", terms(), PolicyUse { seconds: 61, ..policy_use }, 1, None),
        ("no longer valid", terms(), PolicyUse { at: at(1000), ..policy_use }, 1, None),
        ("more often than its quota", terms(), policy_use, 3, None),
        ("a revoked policy", terms(), policy_use, 1, Some(5)),
    ] {
        let broken = violations_of(terms, &policy_use, grants, ended);
        assert!(broken.contains(words), "{words}: {broken}");
    }
}
