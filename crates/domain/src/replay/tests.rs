//! Replaying agrees with deciding.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Broken, Replayed, Told, steps};
use crate::lifecycle::chart;

#[test]
fn every_event_of_the_lifecycles_chart_is_a_legal_move_and_no_move_is_beyond_the_chart() {
    let mut charted = Vec::new();
    for row in chart().iter().filter(|row| row.outcome.is_ok()) {
        let to = row.outcome.unwrap();
        let mut state = row.state;
        for (place, event) in row.events.iter().enumerate() {
            // Of several events in one step only the last one moves.
            let next = if place + 1 == row.events.len() { to } else { state };
            assert!(steps::is_legal(Some(state), event, next), "{state} {event} {next}");
            charted.push((Some(state), *event, next));
            state = next;
        }
    }
    for (from, kind, to) in steps::moves().filter(|(from, ..)| from.is_some()) {
        assert!(charted.contains(&(from, kind, to)), "{from:?} {kind} {to} is not in the chart");
    }
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
    let waiting = Some("awaiting_customer");
    vec![
        Told {
            person: person(1),
            side: vendor.clone(),
            review_by: Some(at(100)),
            duration_seconds: Some(60),
            required_approvals: Some(2),
            ..step("request.submitted", 0, None, "awaiting_manager")
        },
        Told {
            person: person(2),
            side: vendor,
            decide_by: Some(at(200)),
            ..step("request.manager_approved", 10, Some("awaiting_manager"), "awaiting_customer")
        },
        Told {
            person: person(3),
            side: customer.clone(),
            duration_seconds: Some(60),
            approvals: Some(1),
            ..step("request.customer_approved", 20, waiting, "awaiting_customer")
        },
        Told {
            person: person(4),
            side: customer,
            duration_seconds: Some(30),
            approvals: Some(2),
            ..step("request.customer_approved", 30, waiting, "awaiting_customer")
        },
        Told {
            access_from: Some(at(30)),
            access_until: Some(at(60)),
            ..step("access.granted", 30, waiting, "granted")
        },
        Told {
            access_until: Some(at(60)),
            cause: Some("time".into()),
            ..step("access.ended", 60, Some("granted"), "ended")
        },
    ]
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
    assert_eq!((request.state.as_str(), request.version, request.over_at), ("ended", 6, Some(at(60))));
    assert_eq!((request.access_until, request.cause.as_deref()), (Some(at(60)), Some("time")));
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
            story[4].to = "awaiting_customer".into();
        }),
        ("no access.granted leads", |story| story[4].to = "ended".into()),
    ];
    for (words, lie) in lies {
        let mut story = story();
        lie(&mut story);
        let (_, broken) = replay(&story);
        assert!(broken.iter().any(|rule| rule.0.contains(words)), "{words}: {broken:?}");
    }
}
