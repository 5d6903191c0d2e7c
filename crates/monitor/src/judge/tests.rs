use chrono::TimeZone;
use consent::Pin;
use consent::testing::{Device, founding};
use evidence::Entry;
use serde_json::{Value, json};
use tlog::Signer;

use super::*;

const ORIGIN: &str = "lockbox.fabrikam.example/t/contoso";

fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 12, 1, 9, 0, 0).unwrap()
}

fn key(seed: u8) -> Verifier {
    Signer::from_seed(ORIGIN, tlog::Kind::Log, &[seed; 32]).unwrap().verifier().clone()
}

/// A log that a test writes, entry by entry, and the monitor's judgement of it.
struct Log {
    judge: Judge,
    size: u64,
    /// Position and leaf hash of the last entry of each stream.
    streams: BTreeMap<String, (u64, Hash)>,
    now: DateTime<Utc>,
}

impl Log {
    fn new(pin: Option<Pin>) -> Self {
        let trust = ConsentTrust { authority: pin, ..ConsentTrust::default() };
        let judge = Judge::new(ORIGIN, vec![key(1)], trust);
        Self { judge, size: 0, streams: BTreeMap::new(), now: start() }
    }

    /// Adds an event with the present time.
    fn add(&mut self, kind: &str, request: Option<&str>, data: Value) -> Vec<Raised> {
        let at = self.now;
        self.add_at(at, kind, request, data)
    }

    fn add_at(&mut self, at: DateTime<Utc>, kind: &str, request: Option<&str>, data: Value) -> Vec<Raised> {
        let id = format!("0199a000-0000-7000-8000-{:012}", self.size);
        let mut event = json!({
            "data": data, "id": id, "tenant": "contoso", "type": format!("lockbox.{kind}.v1"),
            "time": at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        });
        if let Some(request) = request {
            event["correlationid"] = request.into();
        }
        let stream = self.streams.entry(request.unwrap_or_default().to_owned()).or_insert((0, Hash([0; 32])));
        let text = event.to_string();
        let entry = Entry { event: text.as_bytes(), log: ORIGIN, prev: stream.1, seq: stream.0 + 1, v: 1 };
        let bytes = entry.to_bytes();
        let leaf = tlog::leaf_hash(&bytes);
        *stream = (stream.0 + 1, leaf);
        let arrival = Arrival { before: self.now, now: self.now };
        self.size += 1;
        let mut raised = self.judge.add(self.size - 1, &bytes, leaf, Some(arrival));
        raised.extend(self.judge.settle());
        raised
    }
}

fn kinds(raised: &[Raised]) -> Vec<&'static str> {
    raised.iter().map(|one| one.kind.name()).collect()
}

const REQUEST: &str = "0199a000-0000-7000-8000-00000000abcd";

#[test]
fn ended_access_that_is_not_confirmed_within_a_minute_raises_one_alarm() {
    let mut log = Log::new(None);
    // The steps are not what this test is about; the rules of the lifecycle have alarms of their own.
    log.add("grant.provisioned", Some(REQUEST), json!({}));
    log.add("grant.ended", Some(REQUEST), json!({}));
    let silence = TimeDelta::minutes(15);
    assert_eq!(kinds(&log.judge.check_absences(start() + TimeDelta::seconds(60), silence, start())), [""; 0]);
    let late = log.judge.check_absences(start() + TimeDelta::seconds(61), silence, start());
    assert_eq!(kinds(&late), ["revocation_unconfirmed"]);
    assert_eq!((late[0].index, late[0].request.as_deref()), (Some(1), Some(REQUEST)));
    log.add("grant.revoked", Some(REQUEST), json!({}));
    assert_eq!(kinds(&log.judge.check_absences(start() + TimeDelta::seconds(61), silence, start())), [""; 0]);
}

#[test]
fn ended_access_that_was_never_provisioned_needs_no_confirmation() {
    let mut log = Log::new(None);
    log.add("grant.ended", Some(REQUEST), json!({}));
    let late = log.judge.check_absences(start() + TimeDelta::minutes(5), TimeDelta::minutes(15), start());
    assert_eq!(kinds(&late), [""; 0]);
}

#[test]
fn a_missing_heartbeat_is_one_alarm_for_each_silence() {
    let mut log = Log::new(None);
    let silence = TimeDelta::minutes(15);
    assert_eq!(kinds(&log.add("log.heartbeat", None, json!({"log": ORIGIN, "size": 0}))), [""; 0]);
    assert_eq!(kinds(&log.judge.check_absences(start() + silence, silence, start())), [""; 0]);
    let first = log.judge.check_absences(start() + TimeDelta::minutes(16), silence, start());
    let again = log.judge.check_absences(start() + TimeDelta::minutes(17), silence, start());
    assert_eq!((kinds(&first), &first[0].about), (vec!["heartbeat_missing"], &again[0].about));
    log.now = start() + TimeDelta::minutes(20);
    log.add("log.heartbeat", None, json!({"log": ORIGIN, "size": 1}));
    let second = log.judge.check_absences(start() + TimeDelta::minutes(40), silence, start());
    assert_ne!(first[0].about, second[0].about);
}

#[test]
fn an_entry_whose_time_does_not_fit_its_arrival_raises_an_alarm() {
    let mut log = Log::new(None);
    let hour = TimeDelta::seconds(3600);
    let data = || json!({"actor": {"kind": "lockbox"}});
    assert_eq!(kinds(&log.add_at(start() - hour, "token.added", None, data())), [""; 0]);
    assert_eq!(kinds(&log.add_at(start() + hour, "token.added", None, data())), [""; 0]);
    let second = TimeDelta::seconds(1);
    assert_eq!(kinds(&log.add_at(start() - hour - second, "token.added", None, data())), ["backdated_entry"]);
    assert_eq!(kinds(&log.add_at(start() + hour + second, "token.added", None, data())), ["backdated_entry"]);
}

#[test]
fn another_key_of_the_log_is_announced_and_trusted_only_when_a_trusted_key_precedes_it() {
    let mut log = Log::new(None);
    let change = |key: Verifier, previous: Option<Verifier>| {
        let mut data = json!({"actor": {"kind": "lockbox"}, "key": key.to_string(), "log": ORIGIN});
        if let Some(previous) = previous {
            data["previous"] = previous.to_string().into();
        }
        data
    };
    assert_eq!(kinds(&log.add("log.key_changed", None, change(key(1), None))), [""; 0], "the key that was given");
    let raised = log.add("log.key_changed", None, change(key(2), Some(key(1))));
    assert_eq!(kinds(&raised), ["key_change"]);
    assert!(raised[0].message.contains("a trusted key announced it"), "{}", raised[0].message);
    let raised = log.add("log.key_changed", None, change(key(3), Some(key(9))));
    assert!(raised[0].message.contains("no trusted key announced it"), "{}", raised[0].message);
    assert_eq!(log.judge.keys(), [key(1), key(2)]);
}

#[test]
fn an_unsigned_decision_another_authority_and_a_proposal_raise_alarms() {
    let (alex, mallory) = (Device::new(), Device::new());
    let own = founding(&[&alex]);
    let statement = |statement: &consent::Statement, device: &Device| {
        json!({
            "statement": statement.document(), "signatures": [device.sign(&statement.challenge())],
            "in_force_from": consent::time_text(start()), "changes": ["alex is an approver"], "actor": {"kind": "lockbox"},
        })
    };
    let pin = Pin::parse(&consent::fingerprint(&own)).unwrap();
    let mut log = Log::new(Some(pin.clone()));
    assert!(log.judge.consent().is_err());
    let silence = TimeDelta::minutes(15);
    assert_eq!(kinds(&log.judge.check_absences(start() + silence, silence, start())), [""; 0]);
    let absent = log.judge.check_absences(start() + silence + TimeDelta::seconds(1), silence, start());
    assert_eq!(kinds(&absent), ["authority_invalid"]);
    assert_eq!(kinds(&log.add("authority.changed", None, statement(&own, &alex))), ["authority_change"]);
    assert_eq!(log.judge.consent(), Ok(()));
    let forged =
        log.add("request.customer_approved", Some(REQUEST), json!({"actor": {"kind": "person", "name": "alex"}}));
    assert!(kinds(&forged).contains(&"unsigned_decision"), "{forged:?}");
    let proposal = json!({"actor": {"kind": "operator", "name": "lee"}});
    assert_eq!(kinds(&log.add("authority.proposed", None, proposal)), ["directory_proposal"]);

    let mut log = Log::new(Some(pin));
    let other = founding(&[&mallory]);
    let raised = log.add("authority.changed", None, statement(&other, &mallory));
    assert_eq!(kinds(&raised), ["authority_change", "authority_invalid"]);
    assert!(raised[1].message.contains("fingerprint"), "{raised:?}");
    let unsigned = json!({"statement": own.document(), "signatures": [], "actor": {"kind": "lockbox"}});
    assert!(kinds(&log.add("authority.changed", None, unsigned)).starts_with(&["authority_invalid"]));
}

#[test]
fn an_entry_that_is_not_in_the_format_raises_an_alarm_with_its_index() {
    let mut log = Log::new(None);
    let raised = log.judge.add(0, b"{}", tlog::leaf_hash(b"{}"), None);
    assert_eq!((kinds(&raised), raised[0].index), (vec!["rule_broken"], Some(0)));
    log.size = 1;
    let raised = log.add("grant.activated", Some(REQUEST), json!({"actor": {"kind": "lockbox"}, "to": "active"}));
    assert_eq!(kinds(&raised), ["grant_without_consent"]);
}
