//! Replaying agrees with deciding.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use uuid::Uuid;

use super::{Asked, Broken, Consents, Given, Replayed, Told, steps};
use crate::lifecycle::tests::{break_glass, content, live, lives};
use crate::lifecycle::{Event, EventKind, chart};
use crate::request::Request;

#[test]
fn every_event_of_the_lifecycles_chart_is_a_legal_move() {
    for row in chart().iter().filter(|row| row.outcome.is_ok()) {
        let to = row.outcome.unwrap();
        let mut state = row.state;
        for (place, event) in row.events.iter().enumerate() {
            // Of several events in one step only the last one moves.
            let next = if place + 1 == row.events.len() { to } else { state };
            assert!(steps::is_legal(false, Some(state), event, next), "{state} {event} {next}");
            state = next;
        }
    }
}

/// The event of a step as the log tells it.
fn told(request: &Request, event: &Event) -> Told {
    let content = &request.content;
    let mut told = Told {
        kind: event.kind.name().into(),
        at: event.at,
        from: event.from.map(str::to_owned),
        to: event.to.into(),
        digest: request.digest.to_string(),
        person: event.actor.as_ref().map(|person| person.id.0),
        side: event.actor.as_ref().map(|person| person.side.as_str().to_owned()),
        break_glass: content.break_glass.as_ref().map(|asked| (asked.name.clone(), asked.digest.to_string())),
        ..Told::default()
    };
    match &event.kind {
        EventKind::Submitted { review_deadline } => {
            told.review_deadline = Some(*review_deadline);
            told.start_time = content.start_time;
            told.duration_seconds = Some(content.duration_seconds);
            told.required_approvals = Some(content.rules.required_approvals.into());
        }
        EventKind::VendorApproved { decision_deadline } | EventKind::Reminded { decision_deadline } => {
            told.decision_deadline = Some(*decision_deadline);
        }
        EventKind::CustomerApproved { approvals, duration_seconds } => {
            told.approvals = Some((*approvals).into());
            told.duration_seconds = Some(*duration_seconds);
        }
        EventKind::GrantActivated { access_from, access_until } => {
            (told.access_from, told.access_until) = (Some(*access_from), Some(*access_until));
        }
        EventKind::GrantEnded { cause, access_until } => {
            (told.cause, told.access_until) = (Some(cause.as_str().into()), Some(*access_until));
        }
        EventKind::Expired { stage, deadline } => {
            (told.stage, told.deadline) = (Some(stage.as_str().into()), Some(*deadline));
        }
        EventKind::Withdrawn { cause } => told.cause = Some(cause.as_str().into()),
        EventKind::VendorDenied
        | EventKind::CustomerDenied
        | EventKind::Commented
        | EventKind::BreakGlassSupported
        | EventKind::BreakGlassApproved
        | EventKind::ReportAcknowledged
        | EventKind::ReportDisputed => {}
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn whatever_life_the_lifecycle_lets_a_request_lead_breaks_no_rule((required, requester, acts) in lives(), is_break_glass in any::<bool>()) {
        let content = if is_break_glass { break_glass(requester) } else { content(required, requester) };
        let life = live(content, &acts);
        let steps: Vec<Told> = life.events.iter().map(|event| told(&life.request, event)).collect();
        let (replayed, broken) = replay(&steps);
        prop_assert_eq!(broken, []);
        prop_assert_eq!((replayed.state.as_str(), replayed.version), (life.request.state.as_str(), i64::from(life.request.version)));
    }
}

#[test]
fn every_legal_move_is_one_that_some_life_makes() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let ordinary = steps::moves().map(|step| (false, step));
    let mut missing: std::collections::BTreeSet<_> =
        ordinary.chain(steps::break_glass_moves().map(|step| (true, step))).collect();
    // The rarest move, a word on the report of an ended access, comes once in some thousand lives.
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
    assert!(missing.is_empty(), "no life makes {missing:?}");
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn person(number: u128) -> Option<Uuid> {
    Some(Uuid::from_u128(number))
}

fn story() -> Vec<Told> {
    let step = |kind: &str, seconds, from: Option<&str>, to: &str| Told {
        kind: kind.into(),
        at: at(seconds),
        from: from.map(str::to_owned),
        to: to.into(),
        digest: "d".into(),
        ..Told::default()
    };
    let (vendor, customer) = (Some("vendor".to_owned()), Some("customer".to_owned()));
    let waiting = Some("pending_customer");
    vec![
        Told {
            person: person(1),
            side: vendor.clone(),
            review_deadline: Some(at(100)),
            duration_seconds: Some(60),
            required_approvals: Some(2),
            ..step("request.submitted", 0, None, "pending_vendor")
        },
        Told {
            person: person(2),
            side: vendor,
            decision_deadline: Some(at(200)),
            ..step("request.vendor_approved", 10, Some("pending_vendor"), "pending_customer")
        },
        Told {
            person: person(3),
            side: customer.clone(),
            duration_seconds: Some(60),
            approvals: Some(1),
            ..step("request.customer_approved", 20, waiting, "pending_customer")
        },
        Told {
            person: person(4),
            side: customer,
            duration_seconds: Some(30),
            approvals: Some(2),
            ..step("request.customer_approved", 30, waiting, "pending_customer")
        },
        Told {
            access_from: Some(at(30)),
            access_until: Some(at(60)),
            ..step("grant.activated", 30, waiting, "active")
        },
        Told {
            access_until: Some(at(60)),
            cause: Some("expired".into()),
            ..step("grant.ended", 60, Some("active"), "ended")
        },
    ]
}

/// A true emergency: two managers, and a consent in place of the customer's yes.
fn night() -> Vec<Told> {
    let break_glass = Some(("night watch".to_owned(), "c".to_owned()));
    let mut story = story();
    story.drain(2..4);
    let awaiting = Some("pending_vendor".to_owned());
    story[1].kind = "request.break_glass_supported".into();
    (story[1].to, story[1].decision_deadline) = ("pending_vendor".into(), None);
    let second =
        Told { kind: "request.break_glass_approved".into(), at: at(20), person: person(5), ..story[1].clone() };
    story.insert(2, second);
    story[3] = Told { at: at(20), access_from: Some(at(20)), access_until: Some(at(80)), ..story[3].clone() };
    story[4] = Told { at: at(80), access_until: Some(at(80)), ..story[4].clone() };
    for (place, step) in story.iter_mut().enumerate() {
        step.break_glass.clone_from(&break_glass);
        step.from = if (1..4).contains(&place) { awaiting.clone() } else { step.from.take() };
    }
    story
}

fn replay(steps: &[Told]) -> (Replayed, Vec<Broken>) {
    let (mut request, mut broken) = (Replayed::default(), Vec::new());
    for step in steps {
        broken.extend(request.take(step).err().unwrap_or_default());
    }
    (request, broken)
}

#[test]
fn a_true_story_breaks_no_rule_and_leaves_the_request_as_its_row_must_be() {
    let (request, broken) = replay(&story());
    assert_eq!(broken, []);
    assert_eq!((request.state.as_str(), request.version, request.finished_at), ("ended", 6, Some(at(60))));
    assert_eq!((request.access_until, request.cause.as_deref()), (Some(at(60)), Some("expired")));
}

#[test]
fn each_lie_in_a_story_breaks_the_rule_that_is_there_for_it() {
    type Lie = fn(&mut Vec<Told>);
    let lies: [(&str, Lie); 15] = [
        ("nobody reviews their own", |story| story[1].person = person(1)),
        ("both sides", |story| story[2].person = person(2)),
        ("yes counts once", |story| story[3].person = person(3)),
        ("only before its deadline", |story| story[3].at = at(200)),
        ("made by the customer", |story| story[2].side = Some("vendor".into())),
        ("content never changes", |story| story[3].digest = "e".into()),
        ("customer's are not there", |story| drop(story.remove(3))),
        ("manager's is not there", |story| story[1].person = None),
        ("shortest yes", |story| story[4].access_until = Some(at(90))),
        ("fixed when it is granted", |story| story[5].access_until = Some(at(59))),
        ("access ends by its time", |story| story[5].at = at(50)),
        ("not before the one it follows", |story| story[2].at = at(5)),
        ("begins where the one before ended", |story| drop(story.remove(1))),
        ("nothing else happens", |story| {
            story[4].kind = "request.reminded".into();
            story[4].to = "pending_customer".into();
        }),
        ("no grant.activated leads", |story| story[4].to = "ended".into()),
    ];
    for (words, lie) in lies {
        let mut story = story();
        lie(&mut story);
        let (_, broken) = replay(&story);
        assert!(broken.iter().any(|rule| rule.0.contains(words)), "{words}: {broken:?}");
    }
}

#[test]
fn each_lie_in_an_emergency_breaks_the_rule_that_is_there_for_it() {
    type Lie = fn(&mut Vec<Told>);
    let lies: [(&str, Lie); 11] = [
        ("two different persons", |story| story[2].person = person(2)),
        ("nobody reviews their own", |story| story[2].person = person(1)),
        ("persons of the vendor", |story| story[2].side = Some("customer".into())),
        ("yeses of two managers", |story| drop(story.remove(2))),
        ("yeses of two managers", |story| drop(story.remove(1))),
        ("only before its deadline", |story| story[2].at = at(100)),
        ("under one standing consent", |story| story[2].break_glass = Some(("night watch".into(), "d".into()))),
        ("only an emergency", |story| story.iter_mut().for_each(|step| step.break_glass = None)),
        ("shortest yes", |story| story[3].access_until = Some(at(90))),
        ("any standing consent can allow", |story| story[0].duration_seconds = Some(4 * 3600 + 1)),
        ("takes two managers", |story| {
            story[1].kind = "request.vendor_approved".into();
            story[1].to = "pending_customer".into();
        }),
    ];
    assert_eq!(replay(&night()).1, []);
    assert_eq!((replay(&night()).0.first, replay(&night()).0.manager), (person(2), person(5)));
    for (words, lie) in lies {
        let mut story = night();
        lie(&mut story);
        let (_, broken) = replay(&story);
        assert!(broken.iter().any(|rule| rule.0.contains(words)), "{words}: {broken:?}");
    }
}

#[test]
fn an_emergency_stands_on_a_consent_that_the_customer_gave_before_it_and_only_within_its_bounds() {
    let given = || Given {
        at: at(0),
        by_customer: true,
        name: "night watch".into(),
        services: vec!["onedrive".into()],
        ceiling_seconds: 60,
        quota: 2,
        until: at(1000),
    };
    let asked = Asked { at: at(10), name: "night watch", digest: "c", service: "onedrive", seconds: 60 };
    let judge = |given: Given, asked: &Asked<'_>, grants: usize, ended: Option<i64>| {
        let mut policies = Consents::default();
        let mut broken = policies.give("c", given);
        for _ in 0..grants {
            broken.extend(policies.stand(asked, true));
        }
        broken.extend(ended.map(|seconds| policies.end("c", at(seconds), true)).unwrap_or_default());
        broken.into_iter().map(|rule| rule.0).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(judge(given(), &asked, 2, Some(500)), "");
    for (words, given, asked, grants, ended) in [
        ("person of the customer", Given { by_customer: false, ..given() }, asked, 1, None),
        ("within its bounds", Given { ceiling_seconds: 4 * 3600 + 1, ..given() }, asked, 1, None),
        ("within its bounds", Given { until: at(400 * 86_400), ..given() }, asked, 1, None),
        ("gave before it", given(), Asked { digest: "d", ..asked }, 1, None),
        ("gave before it", Given { at: at(500), ..given() }, asked, 1, None),
        ("names the consent", given(), Asked { name: "another", ..asked }, 1, None),
        ("own services", given(), Asked { service: "sharepoint", ..asked }, 1, None),
        ("longer than its consent", given(), Asked { seconds: 61, ..asked }, 1, None),
        ("time is over", given(), Asked { at: at(1000), ..asked }, 1, None),
        ("no more emergencies", given(), asked, 3, None),
        ("taken back", given(), asked, 1, Some(5)),
    ] {
        let broken = judge(given, &asked, grants, ended);
        assert!(broken.contains(words), "{words}: {broken}");
    }
}
