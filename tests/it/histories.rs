//! Every kind of history that can come about, recorded by the roles, exported, and found good by both verifiers.

use std::path::Path;
use std::process::Command;

use contracts::Kind;
use contracts::commands::{CommentRequest, RespondToReport, RevokeAccess};
use domain::Verdict::{Approve, Deny};
use domain::{BreakGlassPolicy, Rules};
use serde_json::{Value, json};
use store::settings::By;
use store::texts::Whose;
use uuid::Uuid;
use workers::RoleName;

use crate::gate::{Gate, access_token};
use crate::harness::{Lockbox, ROLES, eventually, quick_submission, submission};
use crate::scripted::{Manner, Scripted};

/// Waits until everything that happened is in the logs and under signatures.
async fn until_signed(lockbox: &Lockbox) {
    lockbox.until_idle().await;
    until_placed(lockbox).await;
}

/// Waits until everything that was recorded is in the logs and under signatures.
pub async fn until_placed(lockbox: &Lockbox) {
    eventually("all is in the logs and signed", async || {
        let waiting: i64 =
            sqlx::query_scalar("select count(*) from audit_staged").fetch_one(&lockbox.pool).await.unwrap();
        (waiting == 0 && lockbox.store.unsigned_heads().await.unwrap().is_empty()).then_some(())
    })
    .await;
}

/// Runs a command of the program against this Lockbox; answers with its exit code and what it printed.
pub fn run(lockbox: &Lockbox, arguments: &[&str]) -> (i32, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(arguments)
        .env("LOCKBOX_DATABASE_URL", &lockbox.settings.database_url)
        .env("LOCKBOX_AMQP_URL", &lockbox.settings.amqp_url)
        .env("LOCKBOX_PREFIX", lockbox.settings.names.prefix())
        .env("LOCKBOX_AUDIT_FOLDER", &lockbox.settings.audit.folder)
        .output()
        .unwrap();
    let text = [done.stdout, done.stderr].concat();
    (done.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// What the second verifier says of a bundle; `None` where there is no Python.
pub fn second_opinion(bundle: &str, more: &[&str]) -> Option<(i32, String)> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify");
    let done = Command::new("python3").arg(program).arg(bundle).args(more).output().ok()?;
    Some((done.status.code()?, String::from_utf8_lossy(&done.stdout).into_owned()))
}

/// Verifies every running log with its tables, and the bundle of each by both verifiers. Returns the types in the audit log.
pub async fn all_good(lockbox: &Lockbox) -> Vec<String> {
    until_signed(lockbox).await;
    let (code, text) = run(lockbox, &["audit", "verify"]);
    assert_eq!(code, 18, "{text}");
    let folder = tempfile::tempdir().unwrap();
    for head in lockbox.store.log_heads().await.unwrap() {
        let path = folder.path().join(format!("{}.tar", head.id));
        let file = path.to_str().unwrap();
        let mut export = vec!["audit", "export", "--to", file];
        if let Some(tenant) = &head.tenant {
            export.extend(["--tenant", tenant]);
        }
        let (code, text) = run(lockbox, &export);
        assert_eq!(code, 0, "{text}");
        let key = lockbox.store.log_keys(head.tenant.as_deref()).await.unwrap().remove(0);
        // Tenants without an authority of their own are verified but for consent.
        let expected = if head.tenant.is_some() { 18 } else { 0 };
        let (code, text) = run(lockbox, &["audit", "verify", file, "--key", &key]);
        assert_eq!(code, expected, "{}: {text}", head.origin);
        if let Some((code, text)) = second_opinion(file, &["--key", &key]) {
            assert_eq!(code, expected, "{}: {text}", head.origin);
        }
    }
    let types = "select distinct type from audit_events a join audit_entries e on e.event = a.id order by type";
    sqlx::query_scalar(types).fetch_all(&lockbox.pool).await.unwrap()
}

fn has_all(types: &[String], wanted: &[&str]) {
    let missing: Vec<_> = wanted.iter().filter(|one| !types.iter().any(|kind| kind == *one)).collect();
    assert!(missing.is_empty(), "{missing:?} did not happen, only {types:?}");
}

async fn person(lockbox: &Lockbox, name: &str) -> domain::Person {
    lockbox.store.enabled_people().await.unwrap().into_iter().find(|person| person.name == name).unwrap()
}

async fn end(lockbox: &Lockbox, request: Uuid, by: &str) {
    let data = RevokeAccess { request, by: by.into(), comment: Some("enough".into()) };
    assert_eq!(lockbox.outcome(Kind::GrantRevoke, &data).await, "grant.ended");
}

async fn respond_to_report(lockbox: &Lockbox, request: Uuid, acknowledges: bool) -> String {
    let comment = (!acknowledges).then(|| "more was read than was asked".to_owned());
    lockbox
        .outcome(
            Kind::ReportRespond,
            &RespondToReport { request, by: "alex".into(), acknowledges, comment: comment.map(Into::into) },
        )
        .await
}

/// All roles running, with a scripted target behind Exchange Online.
async fn scripted() -> (Lockbox, Scripted) {
    let lockbox = Lockbox::without_roles().await;
    let roles = ROLES.into_iter().filter(|role| *role != RoleName::Access).chain([RoleName::Mail]);
    lockbox.start(&roles.collect::<Vec<_>>()).await;
    let target = Scripted::default();
    lockbox.keep_provisionings(vec![target.built("exchange_online")]).await;
    (lockbox, target)
}

async fn give(lockbox: &Lockbox, quota: i32) -> BreakGlassPolicy {
    let alex = person(lockbox, "alex").await;
    let domain::Side::Customer(tenant) = alex.side else { panic!("Alex is a customer") };
    let until = lockbox.store.clock().await.unwrap() + chrono::TimeDelta::days(1);
    let policy = BreakGlassPolicy {
        id: Uuid::now_v7(),
        tenant,
        name: "night watch".into(),
        services: vec!["exchange_online".into(), "onedrive".into()],
        ceiling_seconds: 900,
        quota,
        until: chrono::SubsecRound::trunc_subsecs(until, 6),
    };
    lockbox.store.create_policy(By { person: &alex, channel: "test" }, &policy).await.unwrap();
    policy
}

/// Break-glass access that two managers approved.
async fn break_glass(lockbox: &Lockbox) -> Uuid {
    let mut data = submission();
    data["break_glass"] = "night watch".into();
    let request = lockbox.submit(&data).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.decide(Kind::VendorDecide, request, "jo", Approve).await;
    lockbox.until(request, "active").await;
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_silence_questions_ends_and_reports_of_every_kind_are_good() {
    let (lockbox, target) = scripted().await;
    // Activated and ended by each person who may, with an extension, a shorter time, and both answers to the report.
    for (by, acknowledges) in [("alex", true), ("robin", false), ("jo", true)] {
        let request = lockbox.granted(&submission()).await;
        lockbox.until_provisioning(request, "active").await;
        let mut more = submission();
        more["extends"] = json!(request);
        let more = lockbox.granted(&more).await;
        for one in [request, more] {
            end(&lockbox, one, by).await;
            lockbox.until_provisioning(one, "revoked").await;
        }
        respond_to_report(&lockbox, request, acknowledges).await;
        respond_to_report(&lockbox, request, !acknowledges).await;
    }
    // A provisioning that fails for a while.
    target.will("open", Manner::Fails);
    let stuck = lockbox.granted(&submission()).await;
    lockbox.event(stuck, "grant.provisioning_failed").await;
    target.will("open", Manner::Works);
    lockbox.until_provisioning(stuck, "active").await;
    // Questions, a no of each side, silence at both stages, and an end by time.
    let asked = lockbox.submit(&quick_submission(1)).await;
    let say = async |by: &str| {
        let data = CommentRequest { request: asked, by: by.into(), comment: "why all of it?".into() };
        assert_eq!(lockbox.outcome(Kind::RequestComment, &data).await, "request.commented");
    };
    say("robin").await;
    lockbox.decide(Kind::VendorDecide, asked, "morgan", Approve).await;
    say("dana").await;
    let mut shorter = lockbox.decision(asked, "dana", Approve).await;
    shorter.duration_seconds = Some(1);
    lockbox.outcome(Kind::CustomerDecide, &shorter).await;
    let silent = lockbox.submit(&quick_submission(1)).await;
    lockbox.decide(Kind::VendorDecide, silent, "morgan", Approve).await;
    let rejected = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, rejected, "morgan", Deny).await;
    let refused = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, refused, "robin", Approve).await;
    lockbox.decide(Kind::VendorDecide, refused, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, refused, "kim", Deny).await;
    lockbox.until(asked, "ended").await;
    lockbox.until(silent, "expired").await;
    // Two approvals of the customer, requested with a start time in the future.
    let mut data = submission();
    data["tenant"] = "northwind".into();
    data["start_time"] = json!(lockbox.store.clock().await.unwrap() + chrono::TimeDelta::seconds(20));
    let double = lockbox.submit(&data).await;
    lockbox.decide(Kind::VendorDecide, double, "morgan", Approve).await;
    lockbox.decide(Kind::CustomerDecide, double, "ines", Approve).await;
    lockbox.decide(Kind::CustomerDecide, double, "olu", Approve).await;
    lockbox.until(double, "active").await;
    has_all(
        &all_good(&lockbox).await,
        &[
            "grant.revoked",
            "grant.ended",
            "grant.provisioning_failed",
            "grant.activated",
            "grant.provisioned",
            "decision.refused",
            "log.heartbeat",
            "log.key_changed",
            "notification.sent",
            "report.acknowledged",
            "report.disputed",
            "request.commented",
            "request.customer_approved",
            "request.customer_denied",
            "request.expired",
            "request.vendor_approved",
            "request.vendor_denied",
            "request.submitted",
        ],
    );
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn break_glass_access_is_valid_but_not_without_its_second_manager_or_its_policy() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let policy = give(&lockbox, 5).await;
    let first = break_glass(&lockbox).await;
    lockbox.until_provisioning(first, "active").await;
    end(&lockbox, first, "kim").await;
    lockbox.until_provisioning(first, "revoked").await;
    assert_eq!(respond_to_report(&lockbox, first, true).await, "report.acknowledged");
    break_glass(&lockbox).await;
    let alex = person(&lockbox, "alex").await;
    lockbox.store.revoke_policy(By { person: &alex, channel: "test" }, policy.id).await.unwrap();
    has_all(
        &all_good(&lockbox).await,
        &["directory.changed", "request.break_glass_supported", "request.break_glass_approved", "report.acknowledged"],
    );
    // The owner of database and key writes the log anew, with all hashes and signatures right.
    for (lie, words) in [
        (one_manager_twice as fn(&mut [Value]), "two different persons of the vendor"),
        (without_consent, "a policy that the customer created before"),
        (wider_consent, "a policy that the customer created before"),
        (by_the_vendor, "created by a person of the customer"),
        (revoked_before, "does not use a revoked policy"),
    ] {
        let mut events = events(&lockbox).await;
        lie(&mut events);
        let log = evidence::fixtures::SampleLog::unfounded("contoso", 1).with_events(&events).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forged.tar");
        log.bundle(std::fs::File::create(&path).unwrap()).unwrap();
        let (file, key) = (path.to_str().unwrap(), log.signer.verifier().to_string());
        let (code, text) = run(&lockbox, &["audit", "verify", file, "--key", &key]);
        assert_eq!(code, 16, "{words}: {text}");
        assert!(text.contains(words), "{words}: {text}");
        if let Some((code, second)) = second_opinion(file, &["--key", &key]) {
            assert_eq!(code, 16, "{words}: {second}");
            assert!(second.contains(words), "{words}: {second}");
        }
    }
    lockbox.finish().await;
}

async fn events(lockbox: &Lockbox) -> Vec<Value> {
    let all = "select a.body from audit_entries e join audit_events a on a.id = e.event and a.at = e.at \
               join audit_logs l on l.id = e.log where l.tenant = 'contoso' order by e.index";
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar(all).fetch_all(&lockbox.pool).await.unwrap();
    bodies.iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
}

fn place(events: &[Value], kind: &str) -> usize {
    events.iter().position(|event| event["type"] == format!("lockbox.{kind}.v1").as_str()).unwrap()
}

fn one_manager_twice(events: &mut [Value]) {
    let (first, second) =
        (place(events, "request.break_glass_supported"), place(events, "request.break_glass_approved"));
    events[second]["data"]["actor"] = events[first]["data"]["actor"].clone();
}

fn policy(events: &[Value]) -> usize {
    events.iter().position(|event| event["data"]["break_glass_policy"].is_object()).unwrap()
}

fn without_consent(events: &mut [Value]) {
    let place = policy(events);
    events[place]["data"]["break_glass_policy"] = Value::Null;
}

fn wider_consent(events: &mut [Value]) {
    let place = policy(events);
    events[place]["data"]["break_glass_policy"]["ceiling_seconds"] = 14_400.into();
}

fn by_the_vendor(events: &mut [Value]) {
    let (place, manager) = (policy(events), place(events, "request.break_glass_supported"));
    events[place]["data"]["actor"] = events[manager]["data"]["actor"].clone();
}

/// As if the policy had been set and revoked well before anything was granted under it.
fn revoked_before(events: &mut [Value]) {
    let given = policy(events);
    let ended = events.iter().position(|event| event["data"]["break_glass_policy_ended"].is_string()).unwrap();
    let at: chrono::DateTime<chrono::Utc> = events[given]["time"].as_str().unwrap().parse().unwrap();
    for (place, earlier) in [(given, 10), (ended, 5)] {
        let time = at - chrono::TimeDelta::seconds(earlier);
        events[place]["time"] = json!(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_that_close_people_who_leave_settings_tokens_uses_erasures_and_nonsense_are_good() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    // A ticket takes a pending request and an open access with it; so does an engineer who leaves.
    let mut data = submission();
    data["service_request"] = "SR-2026-000777".into();
    let (open, pending) = (lockbox.granted(&data).await, lockbox.submit(&data).await);
    let closed = json!({"tenant": "contoso", "service_request": "SR-2026-000777"});
    lockbox.publish(Kind::TicketClosed, &closed).await;
    lockbox.until(open, "ended").await;
    lockbox.until(pending, "withdrawn").await;
    let withdrawn = lockbox.submit(&submission()).await;
    lockbox.publish(Kind::RequestWithdraw, &json!({"request": withdrawn, "by": "robin", "comment": "solved"})).await;
    lockbox.until(withdrawn, "withdrawn").await;
    // Settings, tokens, uses of the gate, texts that are redacted, a message that nobody can read.
    let (used, waiting) = (lockbox.granted(&submission()).await, lockbox.submit(&submission()).await);
    lockbox.until_provisioning(used, "active").await;
    let token = access_token(&lockbox, used).await;
    let question = json!({"access_token": token, "tenant": "contoso", "service": "exchange_online",
                          "resource": "finance@contoso.example"});
    for _ in 0..3 {
        gate.client.post(format!("http://{}/v1/check", gate.address)).body(question.to_string()).send().await.unwrap();
    }
    gate.close().await;
    let alex = person(&lockbox, "alex").await;
    let rules = Rules { required_approvals: 2, ..Rules::default() };
    lockbox
        .store
        .change_settings(By { person: &alex, channel: "test" }, &rules, &["audit@contoso.example".to_owned()])
        .await
        .unwrap();
    let until = lockbox.store.clock().await.unwrap() + chrono::TimeDelta::days(1);
    lockbox.store.delegate(By { person: &alex, channel: "test" }, "noor", until).await.unwrap();
    let (code, text) = run(&lockbox, &["token", "add", "ticketing", "--scope", "requests:read"]);
    assert_eq!(code, 0, "{text}");
    let token = lockbox.store.tokens().await.unwrap().remove(0).id.to_string();
    assert_eq!(run(&lockbox, &["token", "revoke", &token]).0, 0);
    let nonsense = Uuid::now_v7().to_string();
    lockbox.publish_raw("request.submit.v1", &nonsense, b"{".to_vec()).await;
    lockbox.answer(&nonsense).await;
    let mut unknown = submission();
    unknown["tenant"] = "nobody".into();
    assert_eq!(lockbox.outcome(Kind::RequestSubmit, &unknown).await, "unknown_tenant");
    lockbox.store.redact_texts(&Whose::Request(withdrawn), "lee").await.unwrap();
    disable(&lockbox, "robin").await;
    lockbox.until(used, "ended").await;
    lockbox.until(waiting, "withdrawn").await;
    has_all(
        &all_good(&lockbox).await,
        &[
            "grant.token_issued",
            "grant.used",
            "directory.changed",
            "message.dead_lettered",
            "request.withdrawn",
            "request.refused",
            "texts.redacted",
            "token.added",
            "token.revoked",
        ],
    );
    lockbox.finish().await;
}

async fn disable(lockbox: &Lockbox, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.yaml");
    let mut directory: contracts::directory::Directory =
        serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let of_name = directory.vendor.people.iter_mut().filter(|person| person.name == name);
    of_name.for_each(|person| person.enabled = false);
    lockbox.store.apply(&directory, "lee").await.unwrap();
}
