use chrono::{DateTime, SecondsFormat, TimeDelta, TimeZone, Utc};
use consent::testing::{Device, founding, portal};
use consent::{AuthorityFile, RecordedStatement, Witness, fingerprint};
use serde_json::{Value, json};
use tlog::{Frontier, Note, Signer, Tiles, prove_inclusion};

use super::*;
use crate::Entry;

const ORIGIN: &str = "lockbox.fabrikam.example/t/contoso";
const REQUEST: &str = "01a20c86-c964-73a2-8a62-99c595af84c4";

/// Contoso: Alex and Dana approve, one witness is required.
struct Contoso {
    alex: Device,
    dana: Device,
    statement: Statement,
    log: Signer,
    witness: Signer,
    now: DateTime<Utc>,
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn person(number: u128, name: &str, side: &str) -> Value {
    json!({"kind": "person", "id": Uuid::from_u128(number).to_string(), "name": name, "side": side})
}

impl Contoso {
    fn new() -> Self {
        let (alex, dana) = (Device::new(), Device::new());
        let witness = Signer::from_seed("witness.contoso.example", Kind::Witness, &[9; 32]).unwrap();
        let mut statement = founding(&[&alex, &dana]);
        let key = witness.verifier().to_string();
        statement.rules.witnesses = vec![Witness { name: "witness.contoso.example".into(), key }];
        statement.rules.witnesses_required = 1;
        let log = Signer::from_seed(ORIGIN, Kind::Log, &[7; 32]).unwrap();
        Self { alex, dana, statement, log, witness, now: Utc.with_ymd_and_hms(2026, 12, 1, 9, 0, 0).unwrap() }
    }

    fn trust(&self) -> Trust {
        let authority = Pin::parse(&fingerprint(&self.statement)).unwrap();
        Trust { tenant: "contoso".into(), keys: vec![self.log.verifier().clone()], authority, vendor: None }
    }

    fn content(&self) -> Value {
        json!({
            "v": 1, "request": REQUEST, "tenant": Uuid::from_u128(50).to_string(), "tenant_name": "contoso",
            "service_request": "SR-2026-004711", "service": "sharepoint",
            "resource": "https://contoso.example/sites/finance", "category": "other",
            "justification": {"committed": "ab".repeat(32)}, "severity": "normal", "access_level": "read_only",
            "requester": Uuid::from_u128(40).to_string(), "requester_name": "robin", "duration_seconds": 3600,
            "start_time": null, "extends": null, "break_glass": null,
            "rules": {
                "review_deadline_seconds": 3600, "decision_deadline_seconds": 3600, "access_default_seconds": 3600,
                "access_ceiling_seconds": 3600, "required_approvals": 1, "comment_required": false,
                "passkey_required": false, "reminders_seconds": [],
            },
        })
    }

    fn founded(&self) -> Event {
        let challenge = self.statement.challenge();
        let signatures = [&self.alex, &self.dana].map(|device| device.sign_at(&portal(), &challenge));
        let data = json!({"statement": self.statement.document(), "signatures": signatures,
                          "actor": person(1, "alex", "customer")});
        event("authority.changed", self.now - TimeDelta::hours(1), None, data)
    }

    fn signature(&self, content: &Value, seconds: i64, at: DateTime<Utc>) -> Value {
        let digest = hex::encode(Hash::of(content.to_string().as_bytes()).0);
        let decision = json!({
            "tenant": "contoso", "authority_version": 1, "request": content["request"], "digest": digest,
            "verdict": "approve", "person": Uuid::from_u128(1).to_string(), "duration_seconds": seconds,
            "service": content["service"], "resource": content["resource"], "access_level": content["access_level"],
            "comment": null, "nonce": "bm9uY2U", "not_after": time(at + TimeDelta::seconds(60)),
        });
        let assertion = self.alex.sign_at(&portal(), &consent::challenge("lockbox/decision/v1", &decision));
        json!({"decision": decision, "assertion": assertion})
    }

    /// The steps of an approved request.
    fn steps(&self, content: &Value) -> Vec<Event> {
        let digest = hex::encode(Hash::of(content.to_string().as_bytes()).0);
        let (now, second) = (self.now, |count| self.now + TimeDelta::seconds(count));
        let mut submitted = json!({
            "content": content, "to": "pending_vendor", "review_deadline": time(second(3600)), "required_approvals": 1,
            "actor": person(40, "robin", "vendor"), "requester": "robin",
        });
        for name in ["service_request", "service", "resource", "severity", "duration_seconds", "justification"] {
            submitted[name] = content[name].clone();
        }
        let mut steps = vec![
            event("request.submitted", now, Some(1), submitted),
            event(
                "request.vendor_approved",
                second(10),
                Some(2),
                json!({
                    "from": "pending_vendor", "to": "pending_customer", "decision_deadline": time(second(3610)),
                    "actor": person(41, "morgan", "vendor"),
                }),
            ),
            event(
                "request.customer_approved",
                second(20),
                Some(3),
                json!({
                    "from": "pending_customer", "to": "pending_customer", "duration_seconds": 1800, "approvals": 1,
                    "actor": person(1, "alex", "customer"), "signature": self.signature(content, 1800, second(20)),
                }),
            ),
            event(
                "grant.activated",
                second(20),
                Some(4),
                json!({
                    "from": "pending_customer", "to": "active", "access_from": time(second(20)),
                    "access_until": time(second(1820)), "actor": person(1, "alex", "customer"),
                }),
            ),
        ];
        for step in &mut steps {
            step.document["data"]["digest"] = digest.clone().into();
        }
        steps
    }

    /// Evidence from a log with these events, signed by these keys.
    fn evidence(&self, events: &[Event], log: &Signer, witnesses: &[&Signer]) -> GrantEvidence {
        let (mut frontier, mut tiles, mut entries) = (Frontier::default(), Tiles::new(), Vec::new());
        let (mut seq, mut prev) = (0, Hash([0; 32]));
        for event in events {
            let bytes = event.document.to_string().into_bytes();
            let is_step = event.document.get("correlationid").is_some();
            seq = if is_step { seq + 1 } else { 1 };
            let own = if is_step && seq > 1 { prev } else { Hash([0; 32]) };
            let entry = Entry { event: &bytes, log: ORIGIN, prev: own, seq, v: 1 }.to_bytes();
            prev = leaf_hash(&entry);
            frontier.push(prev);
            entries.push(entry);
        }
        for (id, bytes) in frontier.partial() {
            tiles.insert((id.level, id.index), bytes);
        }
        let size = frontier.size();
        let text = Checkpoint { origin: ORIGIN.into(), size, root: frontier.root() }.to_string();
        let mut signatures = vec![log.sign(&text, 0)];
        signatures.extend(witnesses.iter().map(|witness| witness.sign(&text, 1_796_000_000)));
        let proved = |(index, entry): (u64, &Vec<u8>)| Proved {
            index,
            entry: entry.clone(),
            proof: prove_inclusion(&tiles, index, size).unwrap(),
        };
        let all: Vec<Proved> = (0..).zip(&entries).map(proved).collect();
        let is_statement = |proved: &Proved| events[usize::try_from(proved.index).unwrap()].kind == "authority.changed";
        let (authority, steps) = all.into_iter().partition(is_statement);
        GrantEvidence { checkpoint: Note { text, signatures }.to_string(), authority, steps }
    }

    fn honest(&self) -> Vec<Event> {
        [vec![self.founded()], self.steps(&self.content())].concat()
    }

    fn judge(&self, events: &[Event]) -> Result<VerifiedGrant, Refusal> {
        verify_grant(&self.trust(), &self.evidence(events, &self.log, &[&self.witness]))
    }

    /// The result for the honest events with one changed, everything else of the log made consistent with it.
    fn changed(&self, index: usize, path: &str, value: Value) -> Refusal {
        let mut events = self.honest();
        let target = events[index].document.pointer_mut(path);
        *target.unwrap() = value;
        let events: Vec<Event> = events.into_iter().map(|event| Event::read(event.document).unwrap()).collect();
        self.judge(&events).unwrap_err()
    }
}

fn event(kind: &str, at: DateTime<Utc>, version: Option<i64>, data: Value) -> Event {
    let mut document = json!({
        "specversion": "1.0", "id": Uuid::from_u128(0x0199_a000_0000_7000_8000_0000_0000_0000 + u128::try_from(version.unwrap_or_default()).unwrap()).to_string(),
        "source": "/lockbox", "type": format!("lockbox.{kind}.v1"), "time": time(at), "tenant": "contoso", "data": data,
    });
    if let Some(version) = version {
        document["correlationid"] = REQUEST.into();
        document["subjectversion"] = version.into();
    }
    Event::read(document).unwrap()
}

#[test]
fn an_approved_request_of_a_founded_tenant_is_verified_as_the_log_describes_it() {
    let contoso = Contoso::new();
    let grant = contoso.judge(&contoso.honest()).unwrap();
    assert_eq!(grant.request.to_string(), REQUEST);
    assert_eq!((grant.tenant.as_str(), grant.service.as_str(), grant.may_write), ("contoso", "sharepoint", false));
    assert_eq!(grant.resource, "https://contoso.example/sites/finance");
    assert_eq!(grant.requester, Uuid::from_u128(40));
    assert_eq!(grant.access_from, contoso.now + TimeDelta::seconds(20));
    assert_eq!(grant.access_until, contoso.now + TimeDelta::seconds(1820));
}

#[test]
fn only_a_checkpoint_that_the_trusted_log_key_and_the_witnesses_signed_counts() {
    let contoso = Contoso::new();
    let (events, trust) = (contoso.honest(), contoso.trust());
    let operator = Signer::from_seed(ORIGIN, Kind::Log, &[8; 32]).unwrap();
    let other = Signer::from_seed("witness.contoso.example", Kind::Witness, &[10; 32]).unwrap();
    let judge = |log: &Signer, witnesses: &[&Signer]| verify_grant(&trust, &contoso.evidence(&events, log, witnesses));
    assert!(judge(&contoso.log, &[&other, &contoso.witness]).is_ok());
    assert_eq!(judge(&operator, &[&contoso.witness]).unwrap_err(), Refusal::LogKey);
    let missing = Refusal::Witnesses { found: 0, needed: 1 };
    assert_eq!(judge(&contoso.log, &[]).unwrap_err(), missing);
    assert_eq!(judge(&contoso.log, &[&other]).unwrap_err(), missing, "a row of another witness");
    let mut evidence = contoso.evidence(&events, &contoso.log, &[&contoso.witness]);
    evidence.checkpoint = evidence.checkpoint.replacen("\n5\n", "\n6\n", 1);
    assert_eq!(verify_grant(&trust, &evidence).unwrap_err(), Refusal::Signature(ORIGIN.into()));
}

#[test]
fn every_entry_must_be_in_the_signed_tree() {
    let contoso = Contoso::new();
    let evidence = contoso.evidence(&contoso.honest(), &contoso.log, &[&contoso.witness]);
    assert!(verify_grant(&contoso.trust(), &evidence).is_ok());
    for index in 0..evidence.steps.len() {
        let mut other = evidence.clone();
        let place = other.steps[index].entry.len() / 2;
        other.steps[index].entry[place] ^= 1;
        let number = other.steps[index].index;
        assert_eq!(verify_grant(&contoso.trust(), &other).unwrap_err(), Refusal::Entry(number));
        let mut missing = evidence.clone();
        missing.steps.remove(index);
        assert!(verify_grant(&contoso.trust(), &missing).is_err(), "without step {index}");
    }
    let mut other = evidence;
    other.authority.clear();
    assert_eq!(verify_grant(&contoso.trust(), &other).unwrap_err(), Refusal::OtherAuthority);
}

#[test]
fn an_authority_that_the_operator_wrote_does_not_count() {
    let (contoso, mallory) = (Contoso::new(), Contoso::new());
    let forged = [vec![mallory.founded()], mallory.steps(&mallory.content())].concat();
    assert_eq!(contoso.judge(&forged).unwrap_err(), Refusal::OtherAuthority);
    // A second statement that only the operator signed.
    let mut next = contoso.statement.clone();
    (next.version, next.previous) = (2, Some(hex::encode(contoso.statement.hash())));
    next.approvers[0].keys = vec![mallory.alex.key.clone()];
    let signatures = [mallory.alex.sign_at(&portal(), &next.challenge())];
    let data = json!({"statement": next.document(), "signatures": signatures, "actor": person(1, "alex", "customer")});
    let second = event("authority.changed", contoso.now - TimeDelta::minutes(30), None, data);
    let events = [vec![contoso.founded(), second], contoso.steps(&contoso.content())].concat();
    assert!(matches!(contoso.judge(&events).unwrap_err(), Refusal::Statement { version: 2, .. }));
    // A file has every statement that the tenant knows.
    let mut trust = contoso.trust();
    let recorded = |statement: &Statement| RecordedStatement {
        statement: statement.clone(),
        signatures: Vec::new(),
        recorded_at: time(contoso.now - TimeDelta::hours(1)),
    };
    let mut file = AuthorityFile { v: 1, tenant: "contoso".into(), statements: vec![recorded(&contoso.statement)] };
    let evidence = contoso.evidence(&contoso.honest(), &contoso.log, &[&contoso.witness]);
    trust.authority = Pin::File(file.clone());
    assert!(verify_grant(&trust, &evidence).is_ok());
    file.statements.push(recorded(&next));
    trust.authority = Pin::File(file);
    assert_eq!(verify_grant(&trust, &evidence).unwrap_err(), Refusal::OtherAuthority, "a statement was left out");
}

#[test]
fn an_approval_counts_only_as_its_approver_signed_it() {
    let contoso = Contoso::new();
    let fault = |refusal: Refusal| match refusal {
        Refusal::Decision { who, fault } => (who, fault.to_string()),
        other => panic!("{other}"),
    };
    let approval = 3;
    let (who, words) = fault(contoso.changed(approval, "/data/signature", Value::Null));
    assert_eq!((who.as_str(), words.contains("not signed")), ("alex", true), "{words}");
    let (_, words) =
        fault(contoso.changed(approval, "/data/signature/decision/resource", "https://contoso.example/".into()));
    assert!(words.contains("resource"), "{words}");
    let dana = Uuid::from_u128(2).to_string();
    let (_, words) = fault(contoso.changed(approval, "/data/actor/id", dana.into()));
    assert!(words.contains("person"), "{words}");
    let mallory = Contoso::new();
    let stolen = mallory.signature(&contoso.content(), 1800, contoso.now + TimeDelta::seconds(20));
    fault(contoso.changed(approval, "/data/signature", stolen));
    let late = contoso.signature(&contoso.content(), 1800, contoso.now + TimeDelta::seconds(500));
    fault(contoso.changed(approval, "/data/signature", late));
    // The signature for a smaller request under a larger one.
    let larger = {
        let mut content = contoso.content();
        content["access_level"] = "read_write".into();
        content
    };
    let mut events = [vec![contoso.founded()], contoso.steps(&larger)].concat();
    let small = contoso.signature(&contoso.content(), 1800, contoso.now + TimeDelta::seconds(20));
    events[approval].document["data"]["signature"] = small;
    fault(contoso.judge(&events).unwrap_err());
}

#[test]
fn the_lifecycle_and_the_rules_of_the_authority_hold() {
    let contoso = Contoso::new();
    let longer = time(contoso.now + TimeDelta::hours(8));
    assert!(matches!(contoso.changed(4, "/data/access_until", longer.clone().into()), Refusal::Step(_)));
    assert!(matches!(contoso.changed(4, "/subjectversion", 5.into()), Refusal::Step(_)));
    assert!(matches!(contoso.changed(2, "/data/decision_deadline", longer.into()), Refusal::Rule(_)));
    assert_eq!(contoso.changed(1, "/data/content/resource", "https://contoso.example/".into()), Refusal::Content);
    for (name, value) in [
        ("decision_deadline_seconds", json!(500_000)),
        ("access_ceiling_seconds", json!(500_000)),
        ("required_approvals", json!(0)),
    ] {
        let mut content = contoso.content();
        content["rules"][name] = value.clone();
        let mut events = [vec![contoso.founded()], contoso.steps(&content)].concat();
        events[1].document["data"]["required_approvals"] = content["rules"]["required_approvals"].clone();
        assert!(matches!(contoso.judge(&events).unwrap_err(), Refusal::Rule(_)), "{name} {value}");
    }
    let without_customer = [contoso.honest()[..3].to_vec(), contoso.honest()[4..].to_vec()].concat();
    assert!(matches!(contoso.judge(&without_customer).unwrap_err(), Refusal::Step(_)));
    assert_eq!(contoso.judge(&contoso.honest()[..4]).unwrap_err(), Refusal::NotLogged);
}

#[test]
fn the_vendors_approval_is_signed_when_the_vendors_authority_is_trusted() {
    let contoso = Contoso::new();
    let morgan = Device::new();
    let mut vendor = founding(&[&morgan]);
    vendor.tenant = "vendor".into();
    vendor.approvers[0].person = Uuid::from_u128(41);
    let signatures = vec![morgan.sign_at(&portal(), &vendor.challenge())];
    let recorded_at = time(contoso.now - TimeDelta::hours(2));
    let statements = vec![RecordedStatement { statement: vendor, signatures, recorded_at }];
    let trust = Trust { vendor: Some(AuthorityFile { v: 1, tenant: "vendor".into(), statements }), ..contoso.trust() };
    let mut events = contoso.honest();
    let judge = |events: &[Event]| verify_grant(&trust, &contoso.evidence(events, &contoso.log, &[&contoso.witness]));
    assert!(matches!(judge(&events).unwrap_err(), Refusal::Decision { who, .. } if who == "morgan"));
    let mut signed = contoso.signature(&contoso.content(), 3600, contoso.now + TimeDelta::seconds(10));
    signed["decision"]["tenant"] = "vendor".into();
    signed["decision"]["person"] = Uuid::from_u128(41).to_string().into();
    let challenge = consent::challenge("lockbox/decision/v1", &signed["decision"]);
    signed["assertion"] = serde_json::to_value(morgan.sign_at(&portal(), &challenge)).unwrap();
    events[2].document["data"]["signature"] = signed;
    assert!(judge(&events).is_ok());
}
