//! Schemas, Rust, AsyncAPI and topology say the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ::contracts::commands::Command;
use ::contracts::envelope::Message;
use ::contracts::events::{Actor, DeadLetter, RefusedCommand};
use ::contracts::kinds::Channel;
use ::contracts::{Envelope, Kind, Traceparent, events};
use broker::{Names, topology};
use chrono::{DateTime, TimeDelta, Utc};
use domain::lifecycle::{Decided, ReportResponded, submit};
use domain::provisioning::{Provisioning, ProvisioningEvent, ProvisioningFact, ProvisioningState};
use domain::{
    AccessLevel, Assignment, BreakGlass, BreakGlassPolicy, Category, Content, Fact, Fault, Person, PersonId,
    PolicyUsage, Refusal, Request, RequestId, Role, Rules, Severity, Side, Stage, TenantId, Verdict, transition,
};
use jsonschema::{Registry, Validator};
use serde_json::{Value, json};
use uuid::Uuid;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every schema file, by its path below `schemas/`.
fn schemas() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for part in ["", "commands", "events", "notifications"] {
        for entry in std::fs::read_dir(folder().join(part)).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with(".schema.json") {
                let path = if part.is_empty() { name } else { format!("{part}/{name}") };
                found.push((path, read(&entry.path())));
            }
        }
    }
    found
}

fn validator(path: &str) -> Validator {
    let mut registry = Registry::new();
    for (_, schema) in schemas() {
        let id = schema["$id"].as_str().unwrap().to_owned();
        registry = registry.add(id, schema).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let schema = read(&folder().join(path));
    jsonschema::options().with_registry(&registry).should_validate_formats(true).build(&schema).unwrap()
}

fn path_of(kind: Kind) -> String {
    let part = match kind.channel() {
        Channel::Requests | Channel::Commands => "commands",
        Channel::Events => "events",
        Channel::Notifications => "notifications",
    };
    format!("{part}/{}.schema.json", kind.key())
}

fn in_envelope(kind: Kind, data: &Value) -> Vec<u8> {
    let document = json!({"specversion": "1.0", "id": "1", "source": "/test", "type": kind.type_name(), "data": data});
    serde_json::to_vec(&document).unwrap()
}

fn rust_reads(kind: Kind, data: &Value) -> bool {
    let body = in_envelope(kind, data);
    Envelope::read(&body).and_then(|(envelope, kind)| Command::read(kind, &envelope)).is_ok()
}

#[test]
fn every_message_has_a_schema_and_no_schema_is_a_stray() {
    let mut expected: BTreeSet<String> = Kind::ALL.iter().map(|kind| path_of(*kind)).collect();
    for shared in [
        "envelope.schema.json",
        "directory.schema.json",
        "events/step.schema.json",
        "events/actor.schema.json",
        "events/committed.schema.json",
    ] {
        expected.insert(shared.to_owned());
    }
    let found: BTreeSet<String> = schemas().into_iter().map(|(path, _)| path).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_schema_is_sound_says_what_each_field_means_and_its_examples_fit() {
    for (path, schema) in schemas() {
        assert!(jsonschema::meta::is_valid(&schema), "{path}");
        assert!(schema["description"].is_string(), "{path} has no description");
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string() || property["$ref"].is_string(), "{path}: {name} says nothing");
        }
        let validator = validator(&path);
        let examples = schema["examples"].as_array().unwrap();
        assert!(!examples.is_empty());
        for example in examples {
            let fault = validator.validate(example).err();
            assert!(fault.is_none(), "{path}: {example}\n{fault:?}");
        }
    }
}

#[test]
fn commands_are_read_by_rust_as_the_schema_says_and_bad_ones_by_neither() {
    for kind in Kind::ALL.iter().copied().filter(|kind| kind.is_command()) {
        let schema = read(&folder().join(path_of(kind)));
        let validator = validator(&path_of(kind));
        for example in schema["examples"].as_array().unwrap() {
            assert!(rust_reads(kind, example), "{} does not read {example}", kind.key());
            let both_refuse = |bad: &Value, why: &str| {
                assert!(!validator.is_valid(bad), "{}: the schema lets {why} through: {bad}", kind.key());
                assert!(!rust_reads(kind, bad), "{}: Rust lets {why} through: {bad}", kind.key());
            };
            for required in schema["required"].as_array().unwrap() {
                let mut bad = example.clone();
                bad.as_object_mut().unwrap().remove(required.as_str().unwrap());
                both_refuse(&bad, "a missing field");
            }
            let mut bad = example.clone();
            bad["surprise"] = json!(1);
            both_refuse(&bad, "an unknown field");
            for (name, value) in example.as_object().unwrap() {
                let mut bad = example.clone();
                bad[name] = if value.is_array() { json!("x") } else { json!([1]) };
                both_refuse(&bad, "a wrong type");
            }
            for (name, wrong) in [("verdict", "maybe"), ("digest", "abc"), ("request", "x"), ("due_at", "soon")] {
                if example.get(name).is_some() {
                    let mut bad = example.clone();
                    bad[name] = json!(wrong);
                    both_refuse(&bad, name);
                }
            }
        }
    }
}

fn person(number: u128, side: Side, role: Role) -> Person {
    Person {
        id: PersonId(Uuid::from_u128(number)),
        name: format!("p{number}"),
        display_name: format!("Person {number}"),
        email: format!("p{number}@example.com"),
        side,
        enabled: true,
        assignments: vec![Assignment { role, service: None }],
    }
}

struct Walk {
    request: Request,
    now: DateTime<Utc>,
    messages: Vec<Message>,
}

impl Walk {
    fn begin() -> Self {
        let content = Content {
            request: RequestId(Uuid::now_v7()),
            tenant: TenantId(Uuid::from_u128(100)),
            tenant_name: "contoso".into(),
            service_request: "SR-2026-004711".into(),
            service: "onedrive".into(),
            resource: "https://contoso.example/personal/alex".into(),
            category: Category::DataRepair,
            justification: domain::CommittedText::new("restore a folder".into(), [7; 32]),
            severity: Severity::High,
            access_level: AccessLevel::ReadOnly,
            requester: PersonId(Uuid::from_u128(1)),
            requester_name: "p1".into(),
            duration_seconds: 600,
            start_time: None,
            extends: None,
            break_glass: None,
            rules: Rules::default(),
        };
        let now = DateTime::UNIX_EPOCH;
        let (request, first) = submit(content, person(1, Side::Vendor, Role::Engineer), now);
        let mut walk = Self { request, now, messages: Vec::new() };
        walk.follow(&first);
        walk
    }

    fn follow(&mut self, step: &domain::Transition) {
        for event in &step.events {
            self.request.version += 1;
            let cause = Some("cause".to_owned());
            let auth = Some(events::Auth { method: "cli".into(), signed_in: None, login: None, passkey: false });
            let trace = Traceparent::start();
            self.messages.push(events::step(&self.request, event, self.request.version, cause, auth, trace));
        }
        self.request.state = step.next.clone();
    }

    fn then(mut self, fact: impl FnOnce(&Self) -> Fact) -> Self {
        let step = transition(&self.request, &fact(&self)).unwrap();
        self.follow(&step);
        self
    }

    fn decided(&self, by: Person, verdict: Verdict) -> Decided {
        Decided {
            by,
            verdict,
            digest: self.request.digest,
            comment: Some("so be it".into()),
            channel: "cli".into(),
            duration_seconds: None,
            proof: None,
            policy_usage: None,
            at: self.now,
        }
    }

    fn manager(self, verdict: Verdict) -> Self {
        self.then(|walk| Fact::VendorDecided(walk.decided(person(2, Side::Vendor, Role::Manager), verdict)))
    }

    fn customer(self, verdict: Verdict) -> Self {
        let side = Side::Customer(TenantId(Uuid::from_u128(100)));
        self.then(|walk| Fact::CustomerDecided(walk.decided(person(3, side, Role::Approver), verdict)))
    }
}

/// Both approvals of managers for break-glass access, and the grant.
fn break_glass_events() -> Vec<Message> {
    let policy = BreakGlassPolicy {
        id: Uuid::from_u128(7),
        tenant: TenantId(Uuid::from_u128(100)),
        name: "night watch".into(),
        services: vec!["onedrive".into()],
        ceiling_seconds: 900,
        quota: 1,
        until: DateTime::UNIX_EPOCH + TimeDelta::days(1),
    };
    let mut walk = Walk::begin();
    let (id, name, digest) = (policy.id, policy.name.clone(), policy.digest());
    walk.request.content.break_glass = Some(BreakGlass { policy: id, name, digest });
    let policy_usage = PolicyUsage { policy, used: 0, ended: false };
    for manager in [2, 4] {
        walk = walk.then(|walk| {
            let decided = walk.decided(person(manager, Side::Vendor, Role::Manager), Verdict::Approve);
            Fact::VendorDecided(Decided { policy_usage: Some(policy_usage.clone()), ..decided })
        });
    }
    walk.messages.split_off(1)
}

/// What the role `access` says.
fn provisioning_events(content: &Content, at: DateTime<Utc>) -> Vec<Message> {
    let provisioning = Provisioning {
        state: ProvisioningState::Revoking,
        until: at,
        next_try_at: Some(at),
        failures: 1,
        first_failed_at: Some(at),
        last_error: Some("away".into()),
        alarmed: false,
        provisioned_at: Some(at),
        revocation_ordered_at: Some(at),
        refused_from: Some(at),
        cut_at: None,
        sessions_cut: 0,
        revoked_at: None,
    };
    let closed = domain::provisioning::step(&provisioning, &ProvisioningFact::Revoked { at }).0;
    let failed = ProvisioningEvent::Failed { problem: "away".into(), alarm: true };
    let orphan = events::OrphanRemoved {
        grant: Uuid::now_v7(),
        request: None,
        connector: "webhook".into(),
        sessions_cut: 1,
        note: "found open".into(),
        actor: Actor::lockbox(),
    };
    vec![
        events::provisioning(
            content,
            "webhook",
            &provisioning,
            &ProvisioningEvent::Provisioned { extra_rights: vec!["read hr.pay".into()] },
            at,
        ),
        events::provisioning(content, "webhook", &provisioning, &failed, at),
        events::provisioning(content, "webhook", &closed, &ProvisioningEvent::Revoked, at),
        events::orphan_removed(&orphan, None, at),
    ]
}

#[test]
fn every_event_the_program_writes_fits_its_schema() {
    use Verdict::{Approve, Deny};
    let later = DateTime::UNIX_EPOCH + TimeDelta::days(3);
    let approved = || Walk::begin().manager(Approve).customer(Approve);
    let walks = [
        approved().then(|_| Fact::AccessTimeReached { at: later }),
        approved().then(|walk| Fact::TicketClosed { at: walk.now }),
        Walk::begin().manager(Deny),
        Walk::begin().manager(Approve).customer(Deny),
        Walk::begin().manager(Approve).then(|_| Fact::DeadlineReached { stage: Stage::Customer, at: later }),
        Walk::begin().then(|walk| Fact::WithdrawalRequested {
            by: person(1, Side::Vendor, Role::Engineer),
            comment: None,
            at: walk.now,
        }),
    ];
    let mut messages: Vec<Message> = walks.into_iter().flat_map(|walk| walk.messages).collect();
    let refusal = Refusal::Invalid(vec![Fault { field: "severity", problem: "unknown".into() }]);
    for kind in [Kind::RequestSubmit, Kind::CustomerDecide] {
        let command = RefusedCommand {
            kind,
            id: "1",
            tenant: None,
            request: None,
            service_request: None,
            actor: Actor::claimed("ghost"),
            trace: Traceparent::start(),
        };
        messages.push(events::refused(command, &refusal, later));
    }
    let dead_letter = DeadLetter {
        dead_letter: Uuid::now_v7(),
        code: "schema.invalid".into(),
        message: "no".into(),
        queue: "intake".into(),
        message_id: None,
        size_bytes: 3,
        actor: Actor::producer(Some("guest")),
    };
    messages.push(events::dead_letter(&dead_letter, later));
    let ended = || approved().then(|_| Fact::AccessTimeReached { at: later });
    for acknowledges in [true, false] {
        let walk = ended().then(|walk| {
            let by = person(3, Side::Customer(TenantId(Uuid::from_u128(100))), Role::Approver);
            let comment = Some("so it was".into());
            Fact::ReportResponded(ReportResponded { by, acknowledges, comment, confirmed: true, at: walk.now })
        });
        messages.extend(walk.messages.into_iter().last());
    }
    messages.extend(break_glass_events());
    messages.extend(provisioning_events(&ended().request.content, later));
    let envelope = validator("envelope.schema.json");
    let mut seen = BTreeSet::new();
    for message in messages {
        assert!(::contracts::envelope::is_canonical(&message.body), "{}", message.kind.key());
        let document: Value = serde_json::from_slice(&message.body).unwrap();
        let fault = envelope.validate(&document).err().map(|fault| fault.to_string());
        assert!(fault.is_none(), "{document}: {fault:?}");
        let data = validator(&path_of(message.kind));
        let fault = data.validate(&document["data"]).err().map(|fault| fault.to_string());
        assert!(fault.is_none(), "{document}: {fault:?}");
        seen.insert(message.kind.key());
    }
    assert_eq!(seen.len(), 20, "{seen:?}");
}

#[test]
fn asyncapi_says_what_the_program_does() {
    let text = std::fs::read_to_string(folder().join("asyncapi.yaml")).unwrap();
    let document: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(document["asyncapi"], "3.0.0");
    let messages = document["components"]["messages"].as_object().unwrap();
    let named: BTreeSet<&str> = messages.keys().map(String::as_str).collect();
    assert_eq!(named, Kind::ALL.iter().map(|kind| kind.key()).collect());
    let plan = topology::plan(&Names::new("lockbox").unwrap());
    for kind in Kind::ALL {
        let message = &messages[kind.key()];
        assert_eq!(message["name"], kind.type_name());
        assert_eq!(message["x-lockbox-routing-key"], kind.routing_key());
        assert_eq!(message["x-lockbox-roles"], json!(kind.roles()));
        let parts = &message["payload"]["allOf"][1]["properties"];
        assert_eq!(parts["type"]["const"], kind.type_name());
        assert_eq!(parts["data"]["$ref"], format!("./{}", path_of(*kind)));
        let channel = match kind.channel() {
            Channel::Requests => "requests",
            Channel::Commands => "commands",
            Channel::Events => "events",
            Channel::Notifications => "notifications",
        };
        let exchange = &document["channels"][channel];
        assert!(exchange["messages"][kind.key()].is_object(), "{} is on {channel}", kind.key());
        let declared = plan.exchanges.iter().find(|declared| exchange["address"] == declared.name).unwrap();
        assert_eq!(exchange["bindings"]["amqp"]["exchange"]["type"], declared.kind);
        // Each role that must get it has a queue bound for it.
        for role in kind.roles() {
            let reaches = plan.bindings.iter().any(|binding| {
                binding.exchange == declared.name
                    && binding.queue == format!("lockbox.{role}")
                    && (binding.key == "#" || binding.key == kind.routing_key() || binding.key == "mail.#")
            });
            assert!(reaches, "{} does not reach {role}", kind.key());
        }
    }
}

#[test]
fn the_directory_of_the_examples_fits_its_schema_and_has_no_faults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let document: Value = serde_saphyr::from_str(&text).unwrap();
    let fault = validator("directory.schema.json").validate(&document).err().map(|fault| fault.to_string());
    assert_eq!(fault, None);
    let directory: ::contracts::directory::Directory = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(directory.faults(), Vec::new());
}

#[test]
fn the_same_source_and_id_are_the_same_message() {
    let read = |source: &str, id: &str| {
        let document =
            json!({"specversion": "1.0", "id": id, "source": source, "type": "lockbox.ticket.closed.v1", "data": {}});
        Envelope::read(&serde_json::to_vec(&document).unwrap()).unwrap().0.key(Some("ticketing"))
    };
    assert_eq!(read("/a", "1"), read("/a", "1"));
    assert_ne!(read("/a", "1"), read("/b", "1"));
    assert_ne!(read("/a", "1"), read("/a", "2"));
}
