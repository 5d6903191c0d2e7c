use chrono::TimeZone;

use super::*;
use crate::testing::{Device, approver, founding};

fn at(hours: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 12, 1, 8, 0, 0).unwrap() + TimeDelta::hours(hours)
}

fn sign(statement: &Statement, devices: &[&Device]) -> SignedStatement {
    let challenge = statement.challenge();
    SignedStatement {
        statement: statement.clone(),
        signatures: devices.iter().map(|device| device.sign(&challenge)).collect(),
    }
}

/// The statement that would follow, with what it changes in the one in force.
fn next(chain: &Chain, now: DateTime<Utc>, edit: impl Fn(&mut Statement)) -> Statement {
    let mut next = chain.in_force(now).clone();
    next.version = chain.latest().version + 1;
    next.previous = Some(hex::encode(chain.latest().hash()));
    edit(&mut next);
    next
}

fn founded(devices: &[&Device]) -> Chain {
    Chain::found(&sign(&founding(devices), devices)).unwrap()
}

#[test]
fn every_approver_signs_the_founding() {
    let (alex, dana) = (Device::new(), Device::new());
    let statement = founding(&[&alex, &dana]);
    assert_eq!(Chain::found(&sign(&statement, &[&alex])), Err(Fault::TooFew { found: 1, needed: 2 }));
    assert!(Chain::found(&sign(&statement, &[&alex, &dana])).is_ok());
    let mut other = sign(&statement, &[&alex, &dana]);
    other.statement.rules.access_ceiling_seconds += 1;
    assert_eq!(Chain::found(&other), Err(Fault::Challenge), "signatures are bound to what was signed");
}

#[test]
fn a_weakening_change_needs_two_and_waits_a_day_and_a_strengthening_one_is_in_force_at_once() {
    let (alex, dana) = (Device::new(), Device::new());
    let mut chain = founded(&[&alex, &dana]);
    let longer = next(&chain, at(0), |next| next.rules.access_ceiling_seconds *= 2);
    assert_eq!(chain.record(&sign(&longer, &[&alex]), at(0)), Err(Fault::TooFew { found: 1, needed: 2 }));
    assert_eq!(chain.record(&sign(&longer, &[&alex, &alex]), at(0)), Err(Fault::TooFew { found: 1, needed: 2 }));
    let recorded = chain.record(&sign(&longer, &[&alex, &dana]), at(0)).unwrap();
    assert_eq!(recorded.in_force_from, at(24));
    assert_eq!(chain.in_force(at(23)).version, 1);
    assert_eq!(chain.in_force(at(24)).version, 2);
    let shorter = next(&chain, at(25), |next| next.rules.access_ceiling_seconds = 60);
    let recorded = chain.record(&sign(&shorter, &[&alex, &dana]), at(25)).unwrap();
    assert_eq!(recorded.in_force_from, at(25));
    assert_eq!(chain.in_force(at(25)).rules.access_ceiling_seconds, 60);
}

#[test]
fn an_approver_stops_a_pending_change_alone() {
    let (alex, dana) = (Device::new(), Device::new());
    let mut chain = founded(&[&alex, &dana]);
    let mallory = Device::new();
    let widened = next(&chain, at(0), |next| next.approvers.push(approver("mallory", 9, &mallory)));
    chain.record(&sign(&widened, &[&alex, &dana]), at(0)).unwrap();
    assert_eq!(chain.pending(at(1)).map(|(statement, from)| (statement.version, from)), Some((2, at(24))));
    let stop = next(&chain, at(1), |_| {});
    assert_eq!(
        chain.clone().record(&sign(&stop, &[&mallory]), at(1)),
        Err(Fault::UnknownKey(mallory.key.id.clone())),
        "who is not in force yet signs nothing"
    );
    assert_eq!(chain.record(&sign(&stop, &[&dana]), at(1)).unwrap().changes, []);
    assert_eq!(chain.in_force(at(48)).approvers.len(), 2);
    assert_eq!(chain.in_force(at(48)).version, 3);
}

#[test]
fn a_further_key_needs_ones_own_key_or_two_others_and_then_a_day() {
    let (alex, dana, kim) = (Device::new(), Device::new(), Device::new());
    let mut chain = founded(&[&alex, &dana, &kim]);
    let (phone, new) = (Device::new(), Device::new());
    let own = next(&chain, at(0), |next| next.approvers[0].keys.push(phone.key.clone()));
    assert_eq!(chain.record(&sign(&own, &[&alex]), at(0)).unwrap().in_force_from, at(0));
    let lost = next(&chain, at(1), |next| next.approvers[0].keys = vec![new.key.clone()]);
    assert_eq!(chain.clone().record(&sign(&lost, &[&dana]), at(1)), Err(Fault::TooFew { found: 1, needed: 2 }));
    assert_eq!(chain.record(&sign(&lost, &[&dana, &kim]), at(1)).unwrap().in_force_from, at(25));
    assert!(chain.in_force(at(2)).key(&phone.key.id).is_some());
    assert!(chain.in_force(at(25)).key(&phone.key.id).is_none());
    let borrowed = next(&chain, at(26), |next| next.approvers[1].keys.push(Device::new().key));
    assert_eq!(chain.record(&sign(&borrowed, &[&new]), at(26)), Err(Fault::TooFew { found: 1, needed: 2 }));
}

#[test]
fn the_recovery_key_signs_alone_and_always_waits() {
    let (alex, recovery, new) = (Device::new(), Device::software(), Device::new());
    let mut statement = founding(&[&alex]);
    statement.recovery_key = Some(recovery.key.clone());
    let mut chain = Chain::found(&sign(&statement, &[&alex])).unwrap();
    let recovered = next(&chain, at(0), |next| next.approvers[0].keys = vec![new.key.clone()]);
    assert_eq!(chain.record(&sign(&recovered, &[&recovery]), at(0)).unwrap().in_force_from, at(24));
    let stricter = next(&chain, at(30), |next| next.rules.access_ceiling_seconds = 60);
    assert_eq!(chain.record(&sign(&stricter, &[&recovery]), at(30)).unwrap().in_force_from, at(54));
}

#[test]
fn a_statement_that_skips_forks_or_is_about_another_tenant_is_refused_and_changes_nothing() {
    let alex = Device::new();
    let mut chain = founded(&[&alex]);
    let before = chain.clone();
    let refused = |chain: &mut Chain, edit: fn(&mut Statement)| {
        let statement = next(chain, at(0), edit);
        chain.record(&sign(&statement, &[&alex]), at(0)).unwrap_err()
    };
    assert_eq!(refused(&mut chain, |next| next.version = 3), Fault::Version { found: 3, expected: 2 });
    assert_eq!(refused(&mut chain, |next| next.previous = Some("00".repeat(32))), Fault::Previous);
    assert_eq!(refused(&mut chain, |next| next.tenant = "adatum".into()), Fault::Tenant("adatum".into()));
    assert!(matches!(refused(&mut chain, |next| next.approvers.clear()), Fault::Invalid(_)));
    assert_eq!(chain, before);
}

#[test]
fn an_approver_who_was_removed_signs_no_statement_before_the_removal_afterwards() {
    let (alex, dana, kim) = (Device::new(), Device::new(), Device::new());
    let mut chain = founded(&[&alex, &dana, &kim]);
    let without = next(&chain, at(2), |next| drop(next.approvers.pop()));
    chain.record(&sign(&without, &[&alex, &dana]), at(2)).unwrap();
    let stricter = next(&chain, at(1), |next| next.rules.access_ceiling_seconds = 60);
    assert_eq!(chain.clone().record(&sign(&stricter, &[&kim, &alex]), at(1)), Err(Fault::Backdated));
    assert!(chain.record(&sign(&stricter, &[&dana, &alex]), at(2)).is_ok());
}

#[test]
fn a_change_that_hides_a_weakening_behind_a_strengthening_waits() {
    let alex = Device::new();
    let mut chain = founded(&[&alex]);
    let mixed = next(&chain, at(0), |next| {
        next.rules.decision_deadline_seconds = 60;
        next.rules.access_ceiling_seconds *= 2;
    });
    assert_eq!(chain.record(&sign(&mixed, &[&alex]), at(0)).unwrap().in_force_from, at(24));
}
