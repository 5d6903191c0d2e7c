//! The kinds of tampering, each with the exit codes that a verifier may report.
#![allow(clippy::unwrap_used, reason = "a test should stop at the first error")]

use super::python::Verification;
use super::{BTreeMap, Hash, Note, SampleLog, Value, bundle, pack};
use evidence::Entry;
use tlog::{Kind, Signer};

pub mod access;
pub mod authorities;
pub mod decisions;
pub mod submissions;

/// A bundle to verify, and what is trusted.
pub type Case = Verification;

/// The case of somebody who keeps what belongs to this log.
pub fn case(log: &SampleLog, archive: Vec<u8>) -> Case {
    Case::new(archive, log.trust())
}

type Files = BTreeMap<String, Vec<u8>>;
pub type Tamper = fn(&SampleLog, &SampleLog, &mut dyn FnMut() -> u64) -> Case;
/// The name of a kind, the exit codes that a verifier may report, and the tampering.
pub type Tampering = (&'static str, &'static [u8], Tamper);

/// Kinds without consent that have a test vector.
const VECTORS: [&str; 11] = [
    "entry edited",
    "entry deleted",
    "signature changed",
    "key replaced",
    "split view",
    "rolled back",
    "approval after the deadline",
    "break-glass by one manager",
    "break-glass without a policy",
    "step left out",
    "text replaced",
];

/// Every kind.
pub fn all() -> Vec<Tampering> {
    [&KINDS[..], &decisions::KINDS, &authorities::KINDS, &submissions::KINDS, &access::KINDS].concat()
}

/// Kinds that have a test vector. The repository holds every second kind about consent.
pub fn vectors() -> Vec<Tampering> {
    let present = KINDS.into_iter().filter(|(name, ..)| VECTORS.contains(name));
    let consent = [&decisions::KINDS[..], &authorities::KINDS, &submissions::KINDS, &access::KINDS].concat();
    present.chain(consent.into_iter().step_by(2)).collect()
}

const KINDS: [Tampering; 35] = [
    ("bit of a file flipped", &[10, 11, 12], flip_bit_of_file),
    ("bit of the archive flipped", &[10, 11, 12], flip_bit_of_archive),
    ("archive truncated", &[12], |log, _, draw| {
        let mut archive = log.bundle(Vec::new()).unwrap();
        archive.truncate(pick(draw, archive.len()));
        case(log, archive)
    }),
    ("entry edited", &[11], |log, _, draw| {
        let mut entries = log.entries.clone();
        let place = pick(draw, entries.len());
        entries[place] = edited(&entries[place]);
        with_entries(log, &entries)
    }),
    ("entry edited, new hashes", &[11], |log, _, draw| {
        let mut events = log.events();
        let place = pick(draw, events.len());
        events[place]["data"]["actor"]["kind"] = "nobody".into();
        outsider(log, &events)
    }),
    ("entry deleted", &[12], |log, _, draw| {
        let mut entries = log.entries.clone();
        entries.remove(pick(draw, log.entries.len()));
        with_entries(log, &entries)
    }),
    ("entry deleted, new hashes", &[11, 12], |log, _, draw| {
        let mut events = log.events();
        events.remove(pick(draw, log.entries.len()));
        outsider(log, &events)
    }),
    ("entry added", &[11], |log, other, draw| {
        let mut entries = log.entries.clone();
        entries.insert(pick(draw, log.entries.len()), other.entries[pick(draw, other.entries.len())].clone());
        with_entries(log, &entries)
    }),
    ("two entries swapped", &[11], |log, _, draw| {
        let mut entries = log.entries.clone();
        let place = pick(draw, entries.len() - 1);
        entries.swap(place, place + 1);
        with_entries(log, &entries)
    }),
    ("two entries swapped, new hashes", &[11], |log, _, draw| {
        let mut events = log.events();
        let place = pick(draw, events.len() - 1);
        events.swap(place, place + 1);
        outsider(log, &events)
    }),
    ("time changed", &[11], |log, _, draw| {
        let mut events = log.events();
        events[pick(draw, log.entries.len())]["time"] = "2026-09-09T09:09:09.000001Z".into();
        outsider(log, &events)
    }),
    ("hash changed", &[11], |log, _, draw| {
        with_files(log, |files| {
            let tile = files.iter_mut().find(|(name, _)| name.starts_with("tile/0/")).unwrap().1;
            let place = pick(draw, tile.len());
            tile[place] ^= 1;
        })
    }),
    ("entries removed", &[12], |log, _, _| {
        with_files(log, |files| files.retain(|name, _| !name.starts_with("tile/entries/")))
    }),
    ("signature changed", &[10], |log, _, draw| {
        let mut note = log.checkpoint();
        let place = pick(draw, 64);
        note.signatures[0].bytes[place] ^= 1;
        case(log, log.bundle_signed(Vec::new(), note, &log.earlier).unwrap())
    }),
    ("root replaced", &[10], |log, _, draw| {
        let mut note = log.checkpoint();
        note.text = log.sign(log.entries.len() as u64, Hash::of(&draw().to_le_bytes())).text;
        case(log, log.bundle_signed(Vec::new(), note, &log.earlier).unwrap())
    }),
    ("key replaced", &[10], |log, _, draw| {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&draw().to_le_bytes());
        let attacker = Signer::from_seed(&log.origin, Kind::Log, &seed).unwrap();
        let text = log.checkpoint().text;
        let note = Note { signatures: vec![attacker.sign(&text, 0)], text };
        case(log, log.bundle_signed(Vec::new(), note, &[]).unwrap())
    }),
    ("checkpoint of another tenant", &[10], |log, other, _| {
        case(log, log.bundle_signed(Vec::new(), other.checkpoint(), &log.earlier).unwrap())
    }),
    ("entry of another tenant", &[16, 17], |log, other, _| {
        let mut log = by_operator(log, &log.events());
        log.entries.push(
            other
                .entries
                .iter()
                .find(|entry| Entry::read(entry).unwrap().seq == 1 && !has_no_request(entry))
                .unwrap()
                .clone(),
        );
        log.rebuild_tree();
        case(&log, log.bundle(Vec::new()).unwrap())
    }),
    ("entry moved to another stream", &[11, 12], |log, _, draw| {
        let requests: Vec<usize> = steps(&log.events());
        let mut entries = log.entries.clone();
        let place = requests[pick(draw, requests.len())];
        let text = String::from_utf8(entries[place].clone()).unwrap();
        let from = log.events()[place]["correlationid"].as_str().unwrap().to_owned();
        let mut others = log.events().into_iter().filter_map(|event| Some(event["correlationid"].as_str()?.to_owned()));
        let to = others.find(|other| *other != from).unwrap();
        entries[place] = text.replace(&from, &to).into_bytes();
        let mut log = by_operator(log, &log.events());
        log.entries = entries;
        log.rebuild_tree();
        log.earlier.clear();
        log.texts.clear();
        case(&log, log.bundle(Vec::new()).unwrap())
    }),
    ("proofs swapped", &[10, 11], |log, other, draw| {
        let names = |log: &SampleLog| -> Vec<(String, Vec<u8>)> {
            log.files().unwrap().into_iter().filter(|(name, _)| name.starts_with("proofs/")).collect()
        };
        let (own, foreign) = (names(log), names(other));
        with_files(log, |files| {
            let name = own[pick(draw, own.len())].0.clone();
            let bytes = match own.iter().find(|(other, _)| *other != name) {
                Some((_, bytes)) if draw().is_multiple_of(2) => bytes.clone(),
                _ => foreign.first().map(|(_, bytes)| bytes.clone()).unwrap_or_default(),
            };
            files.insert(name, bytes);
        })
    }),
    ("split view", &[13], |log, _, draw| {
        let mut events = log.events();
        let place = pick(draw, events.len());
        events[place]["data"]["added"] = "later".into();
        let forked = by_operator(log, &events);
        let mut case = case(log, forked.bundle(Vec::new()).unwrap());
        case.trust.pinned = vec![("a mail".to_owned(), log.checkpoint())];
        case
    }),
    ("rolled back", &[14, 17], |log, _, draw| {
        let mut events = log.events();
        events.truncate(1 + pick(draw, log.entries.len() - 1));
        let mut case = case(log, by_operator(log, &events).bundle(Vec::new()).unwrap());
        case.trust.pinned = vec![("a mail".to_owned(), log.checkpoint())];
        case
    }),
    ("approval after the deadline", &[16], |log, _, draw| {
        by_operator_event(log, draw, "grant.activated", |event| {
            event["time"] = "2026-12-31T23:59:59.000000Z".into();
        })
    }),
    ("requester approves their own request", &[16, 17], |log, _, draw| {
        by_operator_event(log, draw, "request.vendor_approved", |event| {
            event["data"]["actor"]["id"] = uuid::Uuid::from_u128(1).to_string().into();
        })
    }),
    ("access longer than approved", &[16], |log, _, draw| {
        by_operator_event(log, draw, "grant.activated", |event| {
            event["data"]["access_until"] = "2026-12-31T23:59:59Z".into();
        })
    }),
    ("break-glass by one manager", &[16, 17], |log, _, draw| {
        by_operator_event(log, draw, "request.break_glass_approved", |event| {
            event["data"]["actor"]["id"] = uuid::Uuid::from_u128(2).to_string().into();
        })
    }),
    ("break-glass without a policy", &[16], |log, _, _| {
        let log = &unfounded(log);
        let mut events = log.events();
        events.retain(|event| !event["data"]["break_glass_policy"].is_object());
        case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
    }),
    ("break-glass policy widened", &[16], |log, _, draw| {
        let log = &unfounded(log);
        by_operator_event(log, draw, "directory.changed", |event| {
            match event["data"]["break_glass_policy_ended"].as_str() {
                Some(_) => event["data"]["break_glass_policy_ended"] = "00".repeat(32).into(),
                None => event["data"]["break_glass_policy"]["quota"] = 100.into(),
            };
        })
    }),
    ("step left out", &[12], |log, _, draw| {
        let mut events = log.events();
        let all = steps(&events);
        // Steps that another step of the same request follows.
        let followed = |place: &&usize| {
            let request = &events[**place]["correlationid"];
            events[**place + 1..].iter().any(|one| one["correlationid"] == *request && one["subjectversion"].is_u64())
        };
        let all: Vec<usize> = all.iter().filter(followed).copied().collect();
        events.remove(all[pick(draw, all.len())]);
        case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
    }),
    ("text replaced", &[11], |log, _, _| {
        with_files(log, |files| {
            let texts = String::from_utf8(files["texts.jsonl"].clone()).unwrap();
            files.insert("texts.jsonl".into(), texts.replacen("stuck", "fine", 1).into_bytes());
        })
    }),
    ("text with a duplicate member", &[11], |log, _, _| {
        with_files(log, |files| {
            let texts = String::from_utf8(files["texts.jsonl"].clone()).unwrap();
            let duplicated = texts.replacen(r#","text":"#, r#","text":"fine","text":"#, 1);
            files.insert("texts.jsonl".into(), duplicated.into_bytes());
        })
    }),
    ("file twice in the archive", &[10, 11, 12], |log, _, draw| {
        let files = log.files().unwrap();
        let twice = files.keys().nth(pick(draw, files.len())).unwrap();
        let mut writer = evidence::tar::Writer::new(Vec::new());
        for (name, bytes) in [(twice, &Vec::new())].into_iter().chain(&files) {
            writer.file(name, bytes.len() as u64, bytes.as_slice()).unwrap();
        }
        case(log, writer.finish().unwrap())
    }),
    ("grant without a version", &[12, 16], |log, _, draw| {
        by_operator_event(log, draw, "grant.activated", |event| {
            event.as_object_mut().unwrap().remove("subjectversion");
        })
    }),
    ("event of another tenant", &[16, 17], |log, _, draw| {
        let mut events = log.events();
        events[pick(draw, log.entries.len())]["tenant"] = "adatum".into();
        case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
    }),
    ("view changed", &[11], |log, _, draw| {
        with_files(log, |files| {
            let name = ["events.csv", "events.jsonl", "events.ocsf.jsonl"][pick(draw, 3)];
            let text = String::from_utf8(files[name].clone()).unwrap();
            files.insert(name.into(), text.replacen("robin", "casey", 1).into_bytes());
        })
    }),
];

/// A log of a tenant without authority that has a break-glass policy and access under it.
fn unfounded(log: &SampleLog) -> SampleLog {
    let first = u64::from(log.seed()[0]) * 1000;
    let grown = |seed| {
        let mut log = SampleLog::unfounded("contoso", seed);
        log.grow(24);
        log
    };
    (first..).map(grown).find(|log| has(log, "request.break_glass_approved")).unwrap()
}

/// Whether the log has an event of this kind.
fn has(log: &SampleLog, kind: &str) -> bool {
    log.events().iter().any(|event| event["type"] == format!("lockbox.{kind}.v1").as_str())
}

pub fn pick(draw: &mut dyn FnMut() -> u64, below: usize) -> usize {
    usize::try_from(draw() % below as u64).unwrap()
}

/// Whether every kind of tampering applies to this log.
pub fn has_everything(log: &SampleLog) -> bool {
    let events = log.events();
    let requests: std::collections::BTreeSet<&str> =
        events.iter().filter_map(|event| event["correlationid"].as_str()).collect();
    let is_used =
        events.iter().any(|event| event["type"] == "lockbox.grant.used.v1" && event["data"]["allowed"] == true);
    let changes = events.iter().filter(|event| event["type"] == "lockbox.authority.changed.v1").count();
    let is_signed =
        |kind: &str| events.iter().any(|event| event["type"] == kind && event["data"]["signature"].is_object());
    has(log, "request.break_glass_approved")
        && has(log, "grant.provisioned")
        && requests.len() > 1
        && is_used
        && changes > 1
        && is_signed("lockbox.request.customer_approved.v1")
        && is_signed("lockbox.request.vendor_approved.v1")
        && log.texts.contains("stuck")
}

fn has_no_request(entry: &[u8]) -> bool {
    !String::from_utf8_lossy(entry).contains("correlationid")
}

fn steps(events: &[Value]) -> Vec<usize> {
    (0..events.len()).filter(|place| events[*place]["subjectversion"].is_u64()).collect()
}

fn edited(entry: &[u8]) -> Vec<u8> {
    String::from_utf8(entry.to_vec()).unwrap().replacen("\"time\":\"2", "\"time\":\"3", 1).into_bytes()
}

fn flip_bit_of_file(log: &SampleLog, _: &SampleLog, draw: &mut dyn FnMut() -> u64) -> Case {
    let mut files = log.files().unwrap();
    let names: Vec<String> =
        files.iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(name, _)| name.clone()).collect();
    let bytes = files.get_mut(&names[pick(draw, names.len())]).unwrap();
    let bit = pick(draw, bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    case(log, pack(&files).unwrap())
}

fn flip_bit_of_archive(log: &SampleLog, _: &SampleLog, draw: &mut dyn FnMut() -> u64) -> Case {
    let mut archive = log.bundle(Vec::new()).unwrap();
    let bit = pick(draw, archive.len() * 8);
    archive[bit / 8] ^= 1 << (bit % 8);
    case(log, archive)
}

/// Changes files and computes new checksums.
pub fn with_files(log: &SampleLog, change: impl FnOnce(&mut Files)) -> Case {
    let mut files = log.files().unwrap();
    change(&mut files);
    files.remove("SHA256SUMS");
    let line = |(name, bytes): (&String, &Vec<u8>)| format!("{}  {name}\n", hex::encode(Hash::of(bytes).0));
    let sums: String = files.iter().map(line).collect();
    files.insert("SHA256SUMS".into(), sums.into_bytes());
    case(log, pack(&files).unwrap())
}

/// Replaces the entries, and computes new views and checksums, but keeps the tree.
fn with_entries(log: &SampleLog, entries: &[Vec<u8>]) -> Case {
    let mut views = by_operator(log, &log.events());
    views.entries = entries.to_vec();
    views.rebuild_tree();
    let views = views.files().unwrap();
    with_files(log, |files| {
        let names: Vec<String> = files.keys().filter(|name| name.starts_with("tile/entries/")).cloned().collect();
        for (tile, name) in names.iter().enumerate() {
            let (first, is_last) = (tile * 256, tile + 1 == names.len());
            let end = if is_last { entries.len() } else { first + 256 };
            let bytes = bundle::encode(entries[first.min(end)..end].iter().map(Vec::as_slice)).unwrap();
            files.insert(name.clone(), bytes);
        }
        for name in ["events.csv", "events.jsonl", "events.ocsf.jsonl"] {
            files.insert(name.into(), views[name].clone());
        }
    })
}

/// Changes as an outsider: everything is computed again except the signatures, because the key is missing.
fn outsider(log: &SampleLog, events: &[Value]) -> Case {
    let changed = by_operator(log, events);
    case(log, changed.bundle_signed(Vec::new(), log.checkpoint(), &log.earlier).unwrap())
}

/// Changes as the log operator: everything is computed again, including the signatures.
pub fn by_operator(log: &SampleLog, events: &[Value]) -> SampleLog {
    let log = log.with_events(events).unwrap();
    assert_eq!(log.checkpoint().text.lines().nth(1), Some(log.entries.len().to_string().as_str()));
    log
}

pub fn by_operator_event(
    log: &SampleLog,
    draw: &mut dyn FnMut() -> u64,
    kind: &str,
    change: impl Fn(&mut Value),
) -> Case {
    let mut events = log.events();
    let of_kind = |place: &usize| events[*place]["type"] == format!("lockbox.{kind}.v1").as_str();
    let places: Vec<usize> = (0..events.len()).filter(of_kind).collect();
    change(&mut events[places[pick(draw, places.len())]]);
    case(log, by_operator(log, &events).bundle(Vec::new()).unwrap())
}
