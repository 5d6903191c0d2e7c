//! Authorities that the log operator forges with the log key.

use consent::{Pin, SignedStatement, Statement, time_text};
use evidence::bundle::Trust;
use evidence::fixtures::authorities::{person, portal};
use evidence::fixtures::devices::Device;
use evidence::fixtures::{SampleLog, witnesses};
use serde_json::{Value, json};
use tlog::Note;

use super::decisions::moved;
use super::submissions::event;
use super::{Case, Tampering, by_operator, case, pick, with_files};

pub const KINDS: [Tampering; 20] = [
    ("statement by the operator alone", &[17], |log, _, _| {
        let mallory = Device::p256(4);
        next(log, &[], Some(&mallory), |next| next.approvers[0].keys = vec![mallory.key.clone()], |_| {})
    }),
    ("statement signed by too few approvers", &[17], |log, _, _| {
        next(log, &[3], None, |next| next.rules.access_ceiling_seconds += 60, |_| {})
    }),
    ("statement without signatures", &[17], |log, _, _| {
        next(log, &[], None, |next| next.notification_recipients.push("mallory@fabrikam.example".into()), |_| {})
    }),
    ("weakening statement in force at once", &[17], |log, _, _| {
        next(
            log,
            &[3, 4],
            None,
            |next| next.rules.access_ceiling_seconds += 60,
            |data| {
                data["in_force_from"] = data["statement"]["effective_at"].clone();
            },
        )
    }),
    ("statement with another predecessor", &[17], |log, _, _| {
        next(log, &[3, 4], None, |next| next.previous = Some("ab".repeat(32)), |_| {})
    }),
    ("statement that skips a version", &[17], |log, _, _| next(log, &[3, 4], None, |next| next.version += 1, |_| {})),
    ("statement changed after it was signed", &[17], |log, _, _| {
        next(
            log,
            &[3, 4],
            None,
            |next| next.rules.access_ceiling_seconds -= 1,
            |data| {
                data["statement"]["rules"]["access_ceiling_seconds"] = 100.into();
            },
        )
    }),
    ("statement with another member", &[17], |log, _, _| {
        next(
            log,
            &[3, 4],
            None,
            |next| next.rules.access_ceiling_seconds -= 1,
            |data| {
                data["statement"]["rules"]["note"] = "ours".into();
            },
        )
    }),
    ("statement that is not valid", &[17], |log, _, _| {
        next(log, &[3, 4], None, |next| next.rules.required_approvals = 0, |_| {})
    }),
    ("statement of another tenant", &[17], |log, _, _| {
        next(log, &[3, 4], None, |next| next.tenant = "adatum".into(), |_| {})
    }),
    ("statement left out", &[17], |log, _, _| {
        let mut events = log.events();
        let place = events.iter().rposition(is_statement).unwrap();
        events.remove(place);
        with_file(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
    }),
    ("authority left out", &[17], |log, _, _| {
        let mut events = log.events();
        events.retain(|event| !is_statement(event));
        with_file(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
    }),
    ("authority replaced entirely", &[17], |log, other, _| {
        let mut events = log.events();
        let foreign = &other.kept.authority.as_ref().unwrap().statements[0];
        let mut statement: Statement = foreign.statement.clone();
        let place = events.iter().position(is_statement).unwrap();
        statement.tenant = "contoso".into();
        let challenge = statement.challenge();
        let devices = &other.authority.as_ref().unwrap().devices;
        let signatures: Vec<_> = devices.iter().map(|(_, device)| device.sign(&portal(), &challenge)).collect();
        events[place]["data"]["statement"] = statement.document();
        events[place]["data"]["signatures"] = serde_json::to_value(signatures).unwrap();
        case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
    }),
    ("founded later than the customer knows", &[17], |log, _, _| {
        let mut events = log.events();
        let place = events.iter().position(is_statement).unwrap();
        let time = moved(events[place]["time"].as_str().unwrap(), 1);
        events[place]["time"] = time.as_str().into();
        events[place]["data"]["in_force_from"] = time.into();
        with_file(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
    }),
    ("authority of another tenant given", &[17], |log, other, _| {
        let mut case = case(log, log.bundle(Vec::new()).unwrap());
        case.trust.consent.authority = other.kept.authority.clone().map(Pin::File);
        case
    }),
    ("another fingerprint given", &[17], |log, _, draw| {
        let mut case = case(log, log.bundle(Vec::new()).unwrap());
        case.trust.consent.authority = Some(Pin::Fingerprint(tlog::Hash::of(&draw().to_le_bytes()).0));
        case
    }),
    ("proof of a statement left out", &[12], |log, _, _| {
        with_files(log, |files| files.retain(|name, _| name != "authority/1.tlog-proof"))
    }),
    ("cosignatures left out", &[17], |log, _, _| cosigned(log, |note| note.signatures.truncate(1))),
    ("cosignatures inserted by the operator", &[17], |log, _, draw| {
        let seed = tlog::Hash::of(&draw().to_le_bytes()).0;
        cosigned(log, |note| {
            let forged = witnesses(&seed);
            let known = note.signatures.split_off(1);
            for (forged, known) in forged.iter().zip(known) {
                let mut signature = forged.sign(&note.text, 1_800_000_000);
                signature.id = known.id;
                note.signatures.push(signature);
            }
        })
    }),
    ("cosignatures of another checkpoint", &[17], |log, other, _| {
        cosigned(log, |note| {
            let text = other.checkpoint().text;
            note.signatures.truncate(1);
            note.signatures.extend(witnesses(log.seed()).iter().map(|witness| {
                let mut signature = witness.sign(&text, 1_800_000_000);
                signature.name.clone_from(&witness.verifier().name);
                signature
            }));
        })
    }),
];

pub fn is_statement(event: &Value) -> bool {
    event["type"] == "lockbox.authority.changed.v1"
}

/// A case in which the customer keeps the authority file with every statement.
fn with_file(log: &SampleLog, archive: Vec<u8>) -> Case {
    let mut case = case(log, archive);
    case.trust.consent.authority = log.kept.authority.clone().map(Pin::File);
    case
}

/// The log with a next statement, signed by these people and by a device of somebody else.
fn next(
    log: &SampleLog,
    by: &[u128],
    other: Option<&Device>,
    edit: impl Fn(&mut Statement),
    forge: impl Fn(&mut Value),
) -> Case {
    let mut events = log.events();
    let time = moved(events.last().unwrap()["time"].as_str().unwrap(), 1);
    let at = time.parse().unwrap();
    let authority = log.authority.as_ref().unwrap();
    let statement = authority.next(at, edit);
    let challenge = statement.challenge();
    let SignedStatement { statement, mut signatures } = authority.signed(statement, by, at);
    signatures.extend(other.map(|device| device.sign(&portal(), &challenge)));
    // What the rules say, so that nothing but the fault is wrong.
    let mut chain = authority.chain.clone();
    let recorded = chain.record(&SignedStatement { statement: statement.clone(), signatures: signatures.clone() }, at);
    let from = recorded.map_or(at, |recorded| recorded.in_force_from);
    let mut data = json!({
        "actor": {"kind": "person", "id": person(3).to_string(), "name": "alex", "display_name": "alex", "side": "customer"},
        "statement": statement.document(), "signatures": signatures, "in_force_from": time_text(from), "changes": [],
    });
    forge(&mut data);
    events.push(event("authority.changed", &time, None, 1, data));
    case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
}

/// The log with other cosignatures, which the customer requires of both witnesses.
fn cosigned(log: &SampleLog, change: impl Fn(&mut Note)) -> Case {
    let mut note = log.checkpoint();
    change(&mut note);
    let archive = log.bundle_signed(Vec::new(), note, &log.earlier).unwrap();
    let known = witnesses(log.seed());
    let mut trust: Trust = log.trust();
    trust.consent.witnesses = known.iter().map(|witness| witness.verifier().clone()).collect();
    Case::new(archive, trust)
}

/// A place of an event of this kind.
pub fn place(events: &[Value], kind: &str, draw: &mut dyn FnMut() -> u64) -> usize {
    let of_kind = |place: &usize| events[*place]["type"] == format!("lockbox.{kind}.v1").as_str();
    let places: Vec<usize> = (0..events.len()).filter(of_kind).collect();
    places[pick(draw, places.len())]
}
