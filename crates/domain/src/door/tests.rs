//! The door under facts that are late, doubled and out of order.

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn door() -> Door {
    Door {
        state: DoorState::Opening,
        until: at(600),
        next_try_at: Some(at(0)),
        failures: 0,
        first_failed_at: None,
        last_error: None,
        alarmed: false,
        opened_at: None,
        ordered_at: None,
        refused_from: None,
        cut_at: None,
        sessions_cut: 0,
        closed_at: None,
    }
}

fn after(facts: &[DoorFact]) -> (Door, Vec<DoorEvent>) {
    facts.iter().fold((door(), Vec::new()), |(door, mut events), fact| {
        let (next, more) = step(&door, fact);
        events.extend(more);
        (next, events)
    })
}

fn no(problem: &str, seconds: i64) -> DoorFact {
    DoorFact::NotClosed { problem: problem.into(), at: at(seconds) }
}

const END: DoorFact = DoorFact::Ordered { refused_from: DateTime::UNIX_EPOCH, at: DateTime::UNIX_EPOCH };

#[test]
fn the_usual_way_is_opened_ordered_cut_and_read_back() {
    let ordered = DoorFact::Ordered { refused_from: at(9), at: at(10) };
    let facts = [
        DoorFact::Opened { extra_rights: Vec::new(), at: at(1) },
        ordered,
        DoorFact::Cut { sessions: 2, at: at(11) },
        DoorFact::ReadClosed { at: at(12) },
    ];
    let (closed, events) = after(&facts);
    assert_eq!(events, [DoorEvent::Opened { extra_rights: Vec::new() }, DoorEvent::Closed]);
    assert_eq!((closed.opened_at, closed.ordered_at, closed.refused_from), (Some(at(1)), Some(at(10)), Some(at(9))));
    assert_eq!((closed.cut_at, closed.sessions_cut, closed.closed_at), (Some(at(11)), 2, Some(at(12))));
    assert_eq!(closed.next_try_at, None);
}

#[test]
fn a_door_that_does_not_close_is_tried_again_for_ever_and_alarms_once_after_a_minute() {
    let (mut closing, _) = after(&[END]);
    let (mut failures, mut alarms, mut now) = (0, 0, at(0));
    for _ in 0..1000 {
        now = closing.next_try_at.unwrap();
        let (next, events) = step(&closing, &no("no answer", (now - at(0)).num_seconds()));
        for event in events {
            match event {
                DoorEvent::Failed { alarm: true, .. } => {
                    assert_eq!(now, at(60), "the alarm is on time");
                    alarms += 1;
                }
                DoorEvent::Failed { alarm: false, .. } => failures += 1,
                other @ (DoorEvent::Opened { .. } | DoorEvent::Closed) => panic!("{other:?}"),
            }
        }
        assert!(next.next_try_at.unwrap() - now <= TimeDelta::seconds(15));
        closing = next;
    }
    assert_eq!((failures, alarms, closing.failures), (1, 1, 1000));
    assert_eq!(step(&closing, &DoorFact::ReadClosed { at: now }).1, [DoorEvent::Closed]);
}

#[test]
fn opening_is_tried_again_until_the_end_and_no_longer() {
    let mut opening = door();
    while opening.next_try_at.unwrap() < opening.until {
        let now = opening.next_try_at.unwrap();
        opening = step(&opening, &DoorFact::NotOpened { problem: "away".into(), at: now }).0;
    }
    assert_eq!(opening.next_try_at, Some(opening.until), "then somebody looks, and it is ordered closed");
}

fn fact() -> impl Strategy<Value = DoorFact> {
    (0..7, 0_i64..900).prop_map(|(which, seconds)| match which {
        0 => DoorFact::Opened { extra_rights: Vec::new(), at: at(seconds) },
        1 => DoorFact::NotOpened { problem: "x".into(), at: at(seconds) },
        2 => DoorFact::Ordered { refused_from: at(seconds), at: at(seconds) },
        3 => DoorFact::Cut { sessions: 1, at: at(seconds) },
        4 => DoorFact::ReadClosed { at: at(seconds) },
        5 => DoorFact::FoundClosed { at: at(seconds) },
        _ => no("x", seconds),
    })
}

proptest! {
    #[test]
    fn nothing_is_closed_before_it_was_ordered_and_read_back_and_nothing_opens_again(facts in prop::collection::vec(fact(), 0..30)) {
        let mut door = door();
        let order = |state: DoorState| DoorState::ALL.iter().position(|known| *known == state);
        let mut closings = 0;
        for fact in &facts {
            let (next, events) = step(&door, fact);
            let lost = matches!(fact, DoorFact::FoundClosed { .. }) && door.state == DoorState::Open;
            prop_assert!(lost || order(next.state) >= order(door.state), "a door only moves on");
            if next.state == DoorState::Closed && door.state != DoorState::Closed {
                let read_back = matches!(fact, DoorFact::ReadClosed { .. });
                prop_assert!(read_back && door.ordered_at.is_some());
            }
            closings += events.iter().filter(|event| **event == DoorEvent::Closed).count();
            prop_assert_eq!(next.next_try_at.is_none(), next.state == DoorState::Closed, "until then somebody looks again");
            door = next;
        }
        prop_assert!(closings <= 1);
    }

    #[test]
    fn a_fact_that_comes_twice_says_its_event_once(facts in prop::collection::vec(fact(), 0..20)) {
        let mut door = door();
        for fact in &facts {
            let (next, _) = step(&door, fact);
            let again = step(&next, fact).1;
            let repeats = again.iter().any(|event| matches!(event, DoorEvent::Opened { .. } | DoorEvent::Closed));
            prop_assert!(!repeats);
            door = next;
        }
    }
}
