//! The provisioning with facts that arrive late, twice and out of order.

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn provisioning() -> Provisioning {
    Provisioning {
        state: ProvisioningState::Provisioning,
        until: at(600),
        next_try_at: Some(at(0)),
        failures: 0,
        first_failed_at: None,
        last_error: None,
        alarmed: false,
        provisioned_at: None,
        revocation_ordered_at: None,
        refused_from: None,
        cut_at: None,
        sessions_cut: 0,
        revoked_at: None,
    }
}

fn after(facts: &[ProvisioningFact]) -> (Provisioning, Vec<ProvisioningEvent>) {
    facts.iter().fold((provisioning(), Vec::new()), |(provisioning, mut events), fact| {
        let (next, more) = step(&provisioning, fact);
        events.extend(more);
        (next, events)
    })
}

fn no(problem: &str, seconds: i64) -> ProvisioningFact {
    ProvisioningFact::NotRevoked { problem: problem.into(), at: at(seconds) }
}

const END: ProvisioningFact =
    ProvisioningFact::RevocationOrdered { refused_from: DateTime::UNIX_EPOCH, at: DateTime::UNIX_EPOCH };

#[test]
fn access_is_provisioned_ordered_to_end_terminated_and_read_back() {
    let ordered = ProvisioningFact::RevocationOrdered { refused_from: at(9), at: at(10) };
    let facts = [
        ProvisioningFact::Provisioned { extra_rights: Vec::new(), at: at(1) },
        ordered,
        ProvisioningFact::SessionsCut { sessions: 2, at: at(11) },
        ProvisioningFact::Revoked { at: at(12) },
    ];
    let (closed, events) = after(&facts);
    assert_eq!(events, [ProvisioningEvent::Provisioned { extra_rights: Vec::new() }, ProvisioningEvent::Revoked]);
    assert_eq!(
        (closed.provisioned_at, closed.revocation_ordered_at, closed.refused_from),
        (Some(at(1)), Some(at(10)), Some(at(9)))
    );
    assert_eq!((closed.cut_at, closed.sessions_cut, closed.revoked_at), (Some(at(11)), 2, Some(at(12))));
    assert_eq!(closed.next_try_at, None);
}

#[test]
fn access_that_the_log_does_not_prove_yet_waits_without_an_attempt_and_at_most_until_its_end() {
    let defer = |seconds: i64| ProvisioningFact::Deferred { problem: "not in the log".into(), at: at(seconds) };
    let (waiting, events) = after(&[defer(1), defer(2)]);
    assert!(events.is_empty(), "{events:?}");
    assert_eq!((waiting.state, waiting.failures), (ProvisioningState::Provisioning, 0));
    assert_eq!((waiting.first_failed_at, waiting.next_try_at), (Some(at(1)), Some(at(3))));
    assert_eq!(after(&[defer(599), defer(600)]).0.next_try_at, Some(at(600)));
    let failed = ProvisioningFact::NotProvisioned { problem: "still not".into(), at: at(11) };
    let (_, events) = after(&[defer(1), failed]);
    assert_eq!(events, [ProvisioningEvent::Failed { problem: "still not".into(), alarm: false }]);
    let (revoking, _) = after(&[END, defer(1)]);
    assert_eq!((revoking.state, revoking.next_try_at), (ProvisioningState::Revoking, Some(at(0))));
}

#[test]
fn a_failing_revocation_is_retried_without_limit_and_raises_one_alarm_after_a_minute() {
    let (mut closing, _) = after(&[END]);
    let (mut failures, mut alarms, mut now) = (0, 0, at(0));
    for _ in 0..1000 {
        now = closing.next_try_at.unwrap();
        let (next, events) = step(&closing, &no("no answer", (now - at(0)).num_seconds()));
        for event in events {
            match event {
                ProvisioningEvent::Failed { alarm: true, .. } => {
                    assert_eq!(now, at(60), "the alarm is on time");
                    alarms += 1;
                }
                ProvisioningEvent::Failed { alarm: false, .. } => failures += 1,
                other @ (ProvisioningEvent::Provisioned { .. } | ProvisioningEvent::Revoked) => panic!("{other:?}"),
            }
        }
        assert!(next.next_try_at.unwrap() - now <= TimeDelta::seconds(15));
        closing = next;
    }
    assert_eq!((failures, alarms, closing.failures), (1, 1, 1000));
    assert_eq!(step(&closing, &ProvisioningFact::Revoked { at: now }).1, [ProvisioningEvent::Revoked]);
}

#[test]
fn provisioning_is_retried_until_access_ends_and_no_longer() {
    let mut opening = provisioning();
    while opening.next_try_at.unwrap() < opening.until {
        let now = opening.next_try_at.unwrap();
        opening = step(&opening, &ProvisioningFact::NotProvisioned { problem: "away".into(), at: now }).0;
    }
    assert_eq!(opening.next_try_at, Some(opening.until), "then it is due, and revocation is ordered");
}

fn fact() -> impl Strategy<Value = ProvisioningFact> {
    (0..7, 0_i64..900).prop_map(|(which, seconds)| match which {
        0 => ProvisioningFact::Provisioned { extra_rights: Vec::new(), at: at(seconds) },
        1 => ProvisioningFact::NotProvisioned { problem: "x".into(), at: at(seconds) },
        2 => ProvisioningFact::RevocationOrdered { refused_from: at(seconds), at: at(seconds) },
        3 => ProvisioningFact::SessionsCut { sessions: 1, at: at(seconds) },
        4 => ProvisioningFact::Revoked { at: at(seconds) },
        5 => ProvisioningFact::FoundMissing { at: at(seconds) },
        _ => no("x", seconds),
    })
}

proptest! {
    #[test]
    fn nothing_is_revoked_before_it_was_ordered_and_read_back_and_nothing_is_provisioned_again(facts in prop::collection::vec(fact(), 0..30)) {
        let mut provisioning = provisioning();
        let order = |state: ProvisioningState| ProvisioningState::ALL.iter().position(|known| *known == state);
        let mut closings = 0;
        for fact in &facts {
            let (next, events) = step(&provisioning, fact);
            let lost = matches!(fact, ProvisioningFact::FoundMissing { .. }) && provisioning.state == ProvisioningState::Active;
            prop_assert!(lost || order(next.state) >= order(provisioning.state), "a provisioning only moves forward");
            if next.state == ProvisioningState::Revoked && provisioning.state != ProvisioningState::Revoked {
                let read_back = matches!(fact, ProvisioningFact::Revoked { .. });
                prop_assert!(read_back && provisioning.revocation_ordered_at.is_some());
            }
            closings += events.iter().filter(|event| **event == ProvisioningEvent::Revoked).count();
            prop_assert_eq!(next.next_try_at.is_none(), next.state == ProvisioningState::Revoked, "until then it is due again");
            provisioning = next;
        }
        prop_assert!(closings <= 1);
    }

    #[test]
    fn a_repeated_fact_records_its_event_once(facts in prop::collection::vec(fact(), 0..20)) {
        let mut provisioning = provisioning();
        for fact in &facts {
            let (next, _) = step(&provisioning, fact);
            let again = step(&next, fact).1;
            let repeats = again.iter().any(|event| matches!(event, ProvisioningEvent::Provisioned { .. } | ProvisioningEvent::Revoked));
            prop_assert!(!repeats);
            provisioning = next;
        }
    }
}
