//! A log contains only events that verifiers accept: every event that Lockbox can write is accepted, and any other event is
//! quarantined before it is signed.

use std::io::Cursor;

use contracts::Kind;
use contracts::entry::Entry;
use contracts::envelope::Message;
use contracts::events;
use contracts::kinds::Channel;
use evidence::admission;
use evidence::bundle::{Bundler, Manifest, Trust};
use store::WriteSet;
use tlog::{Checkpoint, Frontier, Hash, Note, Signer};
use uuid::Uuid;

use crate::any_event::Draw;
use crate::gate::Gate;
use crate::harness::{Lockbox, ROLES, eventually, python};
use crate::histories::{all_good, run, second_opinion};
use crate::log::record;
use crate::person::Site;

const ORIGIN: &str = "lockbox.fabrikam.example/t/contoso";

fn signer() -> Signer {
    Signer::from_seed(ORIGIN, tlog::Kind::Log, &[7; 32]).unwrap()
}

/// A log of these events, as the sequencer makes its entries.
fn entries(messages: &[Message]) -> Vec<Vec<u8>> {
    let mut streams = std::collections::HashMap::new();
    let entry = |message: &Message| {
        let (seq, prev) = streams.entry(message_stream(message)).or_insert((0, [0; 32]));
        *seq += 1;
        let bytes = Entry { event: &message.body, log: ORIGIN, prev: *prev, seq: *seq, v: 1 }.bytes();
        *prev = tlog::leaf_hash(&bytes).0;
        bytes
    };
    messages.iter().map(entry).collect()
}

fn message_stream(message: &Message) -> Option<Uuid> {
    events::index(&message.body).unwrap().request
}

/// The bundle of a log, and the key to verify it with.
fn bundle(entries: &[Vec<u8>]) -> (Vec<u8>, String) {
    let signer = signer();
    let mut tree = Frontier::default();
    let leaves: Vec<Hash> = entries.iter().map(|entry| tlog::leaf_hash(entry)).collect();
    leaves.iter().for_each(|leaf| drop(tree.push(*leaf)));
    let text = Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() }.to_string();
    let note = Note { signatures: vec![signer.sign(&text, 0)], text };
    let about = Manifest {
        origin: ORIGIN.to_owned(),
        size: tree.size(),
        first: 0,
        end: tree.size(),
        since: None,
        until: None,
        made_at: chrono::DateTime::UNIX_EPOCH,
    };
    let spools = [(); 3].map(|()| Cursor::new(Vec::new()));
    let key = signer.verifier().to_string();
    let mut bundler = Bundler::begin(Vec::new(), spools, about, note, std::slice::from_ref(&key)).unwrap();
    bundler.texts("").unwrap();
    for (entry, leaf) in entries.iter().zip(leaves) {
        bundler.leaf(leaf, Some(entry)).unwrap();
    }
    (bundler.finish().unwrap(), key)
}

fn events_of_every_type(seed: u64) -> Vec<Message> {
    let mut draw = Draw::new(seed, "contoso", signer().verifier().to_string());
    Kind::ALL.iter().filter_map(|kind| draw.event(*kind)).collect()
}

#[test]
fn times_in_events_have_at_most_the_precision_that_the_log_accepts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/contracts/src/events");
    let mut fields = 0;
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        // What is read from an event is not written into one.
        if file.file_name() == "index.rs" {
            continue;
        }
        let text = std::fs::read_to_string(file.path()).unwrap();
        for line in text.lines().filter(|line| line.starts_with("    pub ") && line.ends_with(',')) {
            assert!(!line.contains("DateTime"), "{:?}: a field is a Timestamp: {line}", file.file_name());
            fields += usize::from(line.contains("Timestamp"));
        }
    }
    assert!(fields > 10, "only {fields} times were found");
}

#[test]
fn every_event_of_every_type_with_any_values_is_accepted_by_the_verifiers_format() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for seed in 0..60 {
        let messages = events_of_every_type(seed);
        let expected = Kind::ALL.iter().filter(|kind| kind.channel() == Channel::Events).count();
        assert_eq!(messages.len(), expected, "of each type of event one");
        for (message, entry) in messages.iter().zip(entries(&messages)) {
            let judged = admission::accept(ORIGIN, &entry);
            let short: String = String::from_utf8_lossy(&message.body).chars().take(600).collect();
            let event = judged.unwrap_or_else(|why| panic!("seed {seed}, {}: {why}: {short}", message.kind.key()));
            // What it is searched by says the same, or the tables would differ.
            let columns = events::index(&message.body).unwrap();
            assert_eq!((event.id, event.at), (columns.id, columns.at), "seed {seed}: {short}");
            lines += &format!("{}\n", hex::encode(&entry));
        }
    }
    // The second verifier reads each entry and its event too.
    let path = folder.path().join("entries");
    std::fs::write(&path, &lines).unwrap();
    let program = "import sys, entries, events\n\
                   for number, line in enumerate(open(sys.argv[1])):\n    \
                   match = entries.ENTRY.fullmatch(bytes.fromhex(line.strip()))\n    \
                   assert match and events.read_event(match.group(1), True), number\n\
                   print(number + 1)";
    let done = python()
        .args(["-c", program])
        .arg(&path)
        .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/tools/verify"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(String::from_utf8(done.stdout).unwrap().trim(), lines.lines().count().to_string());
}

#[test]
fn logs_of_any_values_and_times_with_nanoseconds_pass_both_verifiers() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 0..8 {
        let mut draw = Draw::new(seed, "contoso", signer().verifier().to_string());
        let mut messages = events_of_every_type(1000 + seed);
        // Steps by the rules, instead of any.
        messages.retain(|message| events::index(&message.body).unwrap().version.is_none());
        messages.extend(draw.lawful());
        let entries = entries(&messages);
        for entry in &entries {
            let judged = admission::accept(ORIGIN, entry).map(drop);
            assert_eq!(judged, Ok(()), "seed {seed}: {}", String::from_utf8_lossy(entry));
        }
        let (archive, key) = bundle(&entries);
        let trust = Trust { keys: vec![key.parse().unwrap()], ..Trust::default() };
        let report = evidence::bundle::examine(&evidence::fixtures::unpack(&archive), &trust, &mut |_, _| {});
        // Random events break the rules about grants and times, which need other events.
        let other = report.findings.iter().find(|finding| finding.rule.is_none());
        assert_eq!(other, None, "seed {seed}: {report}");
        assert_eq!(report.requests, 1, "the whole request was looked at");
        let path = folder.path().join(format!("{seed}.tar"));
        std::fs::write(&path, archive).unwrap();
        if let Some((code, text)) = second_opinion(path.to_str().unwrap(), &["--key", &key]) {
            assert_eq!(code, i32::from(report.code()), "seed {seed}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_verifier_would_accept_is_quarantined_and_the_log_stays_valid() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    record(&lockbox, "contoso", 5).await;
    let mut draw = Draw::new(1, "contoso", String::new());
    let good = draw.event(Kind::GrantTokenIssued).unwrap();
    let good = String::from_utf8(good.body).unwrap();
    let time = serde_json::from_str::<serde_json::Value>(&good).unwrap()["time"].as_str().unwrap().to_owned();
    let request = events::index(good.as_bytes()).unwrap().request.unwrap().to_string();
    let hostile = [
        good.replace(&time, "2026-11-24T10:00:00.123456789Z"),
        good.replace("\"data\":{", "\"data\": {"),
        good.replace("\"datacontenttype\"", "\"count\":1.5,\"datacontenttype\""),
        good.replace(
            &format!("\"correlationid\":\"{request}\""),
            &format!("\"correlationid\":\"{}\"", request.to_uppercase()),
        ),
        good.replace("grant.token_issued", "request.commented"),
        good.replace("grant.token_issued", "log.key_changed"),
        good.replace("\"source\"", &format!("\"more\":\"{}\",\"source\"", "x".repeat(65_200 - good.len()))),
    ];
    for (number, body) in hostile.iter().enumerate() {
        // Each with an id of its own.
        let mut index = events::index(body.as_bytes()).unwrap();
        let id = Uuid::now_v7();
        let body = body.replace(&index.id.to_string(), &id.to_string());
        index.id = id;
        assert_ne!(body, good, "{number} was changed");
        lockbox.store.append(&[(index, body.as_bytes())], Vec::new(), WriteSet::default()).await.unwrap();
    }
    // An event that the columns put into another tenant's log.
    let astray = good.replace(&events::index(good.as_bytes()).unwrap().id.to_string(), &Uuid::now_v7().to_string());
    let mut index = events::index(astray.as_bytes()).unwrap();
    index.tenant = Some("adatum".into());
    lockbox.store.append(&[(index, astray.as_bytes())], Vec::new(), WriteSet::default()).await.unwrap();
    record(&lockbox, "contoso", 5).await;

    let expected = i64::try_from(hostile.len()).unwrap() + 1;
    let types = all_good(&lockbox).await;
    assert!(!types.contains(&"grant.token_issued".to_owned()), "{types:?}");
    assert_eq!(lockbox.store.quarantined_count().await.unwrap(), expected);
    assert_eq!(lockbox.store.quarantined_in(Some("adatum")).await.unwrap(), 1);
    let notifications: i64 = sqlx::query_scalar(
        "select count(*) from audit_entries e join audit_events a on a.id = e.event where a.type = 'notification.sent'",
    )
    .fetch_one(&lockbox.pool)
    .await
    .unwrap();
    assert_eq!(notifications, 10, "the others have their places");

    let (code, text) = run(&lockbox, &["audit", "check"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("8 events are quarantined") && text.contains("another tenant's log"), "{text}");
    assert!(text.contains("grant.token_issued") && text.contains("not in the documented format"), "{text}");
    assert!(text.contains("more than 65,000 bytes") && text.contains("is a lifecycle step"), "{text}");
    let (code, text) = run(&lockbox, &["audit", "verify", "--tenant", "contoso"]);
    assert!(code == 18 && text.contains("7 recorded events are quarantined"), "{text}");
    let (_, text) = run(&lockbox, &["doctor"]);
    assert!(text.contains("FAIL  audit log    8 events are quarantined"), "{text}");
    let warning = eventually("readiness warns", async || lockbox.warnings().remove("sequencer")).await;
    assert!(warning.contains("8 events are quarantined"), "{warning}");
    let site = Site::open(&lockbox).await;
    let page = site.sign_in("Alex Novak").await.get("/audit").await.text;
    assert!(page.contains("7 quarantined") && !page.contains("none missing"), "{page}");
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_without_a_database_lookup_keep_the_operators_log_valid() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let query = "proxy=nginx&tenant=contoso&service=sharepoint&site=https://contoso.example";
    let address = format!("http://{}/v1/check?{query}", gate.address);
    for number in 0..20 {
        let asking = gate.client.get(&address).header("x-original-uri", format!("/{number}"));
        let answer = asking.header("x-original-method", "GET").send().await.unwrap();
        assert!(answer.status().is_client_error(), "{}", answer.status());
    }
    let odd = gate.client.get(&address).header("x-original-uri", "/a%00b").header("x-original-method", "COPY");
    assert!(odd.header("destination", "https://elsewhere.example/").send().await.unwrap().status().is_client_error());
    gate.close().await;
    eventually("the tries are in the audit log", async || {
        let count: i64 = sqlx::query_scalar("select count(*) from audit_events where type = 'grant.used'")
            .fetch_one(&lockbox.pool)
            .await
            .unwrap();
        (count > 0).then_some(())
    })
    .await;
    let types = all_good(&lockbox).await;
    assert!(types.contains(&"grant.used".to_owned()), "{types:?}");
    assert_eq!(lockbox.store.quarantined_count().await.unwrap(), 0);
    lockbox.finish().await;
}
