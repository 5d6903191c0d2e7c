//! Checks what Lockbox publishes with tools of other projects: the AsyncAPI parser, the CloudEvents SDKs, Schemathesis.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use contracts::Kind;
use contracts::envelope::Envelope;
use domain::Verdict::Approve;
use serde_json::Value;
use servers::programs::{Program, node_with, or_skip, python_with};
use store::audit::AuditFilter;

use crate::api::{ALL, caller};
use crate::harness::{Lockbox, ROLES, body, packages, progress, submission};
use crate::person::Site;

fn client(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(name)
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A script, copied to the folder in which its packages resolve.
fn script(program: &Program, name: &str) -> Command {
    let folder = program.folder().unwrap().join(format!("{}-{name}", std::process::id()));
    std::fs::copy(client(name), &folder).unwrap();
    let mut command = program.command();
    command.arg(&folder);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn the_asyncapi_parser_accepts_the_description_of_the_messages() {
    let Some(node) = or_skip(node_with(&["@asyncapi/parser@3.6.6"], &packages(), &progress())) else { return };
    let mut command = script(&node, "asyncapi.js");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/asyncapi.yaml"));
    // The parser must not download schemas: the URLs in our files are only names.
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("HTTP_PROXY", "http://127.0.0.1:9");
    let done = run(command).await;
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(text(&done.stdout).trim(), format!("{} 4", Kind::ALL.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloudevents_sdks_read_our_events_and_lockbox_reads_theirs() {
    let Some(python) = or_skip(python_with(&["cloudevents==2.2.0", "pika==1.3.2"], &packages(), &progress())) else {
        return;
    };
    let Some(node) = or_skip(node_with(&["cloudevents@10.0.0"], &packages(), &progress())) else { return };
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let request = lockbox.granted(&submission()).await;
    lockbox.until_idle().await;
    let found = lockbox.store.search_audit(&AuditFilter { limit: 500, ..AuditFilter::default() }).await.unwrap();
    assert!(found.iter().any(|event| event.request == Some(request)) && found.len() > 5, "{}", found.len());
    let folder = tempfile::tempdir().unwrap();
    let (data, events) = (folder.path().join("data.json"), folder.path().join("events.jsonl"));
    std::fs::write(&data, submission().to_string()).unwrap();
    let lines: Vec<&str> = found.iter().map(|event| std::str::from_utf8(&event.body).unwrap()).collect();
    std::fs::write(&events, lines.join("\n")).unwrap();
    // Python: every message format of its AMQP and RabbitMQ bindings.
    let exchange = lockbox.settings.names.exchange(broker::Exchange::Requests);
    let mut command = script(&python, "events.py");
    let done = run({
        command.args([lockbox.settings.amqp_url.as_str(), &exchange]).arg(&data).arg(&events);
        command
    })
    .await;
    assert!(done.status.success(), "{}", text(&done.stderr));
    let mut forms = 0;
    for line in text(&done.stdout).lines() {
        let (form, id) = line.split_once(' ').unwrap();
        let answer = match form {
            "gzip" | "deflate" => {
                let id = dead_letter(&lockbox, form).await;
                assert_eq!(id.0, "schema.encoded");
                assert!(id.1.contains(form), "{}", id.1);
                forms += 1;
                continue;
            }
            _ => lockbox.answer(id).await,
        };
        assert_eq!(answer.type_name, "request.submitted", "{form}: {}", body(&answer));
        forms += 1;
    }
    assert_eq!(forms, 7, "{}", text(&done.stdout));
    // JavaScript.
    let mut command = script(&node, "events.js");
    let done = run({
        command.arg(&data).arg(&events);
        command
    })
    .await;
    assert!(done.status.success(), "{}", text(&done.stderr));
    let made: Value = serde_json::from_slice(&done.stdout).unwrap();
    let (id, structured) = (made["id"].as_str().unwrap(), made["body"].as_str().unwrap());
    assert!(Envelope::read(structured.as_bytes()).is_ok(), "{structured}");
    lockbox.publish_raw(Kind::RequestSubmit.key(), id, structured.into()).await;
    assert_eq!(lockbox.answer(id).await.type_name, "request.submitted");
    lockbox.finish().await;
}

/// Code and reason of the dead-letter message about an encoding.
async fn dead_letter(lockbox: &Lockbox, encoding: &str) -> (String, String) {
    crate::harness::eventually(&format!("the message in {encoding} is refused"), async || {
        let filter = store::dead_letter::DeadLetterFilter { reason: None, all: false, limit: 50 };
        let rows = lockbox.store.dead_letters(&filter).await.unwrap();
        rows.into_iter().find(|row| row.detail.contains(encoding)).map(|row| (row.reason, row.detail))
    })
    .await
}

// `--checks all` would enable checks again that are disabled for single operations.
const SCHEMATHESIS: &str = r#"
[checks]
enabled = true

[checks.positive_data_acceptance]
# 409: the state does not allow it. 422: a rule that no schema can say, such as the tenant's ceiling.
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429"]

[checks.missing_required_header]
expected-statuses = ["400", "401", "403", "404", "422", "429"]

# A request that was just made has no report and no open access yet, and its audit events are for some callers only.
[[operations]]
include-operation-id = ["getReport", "createAccessToken", "listRequestEvents"]
checks.ensure_resource_availability.enabled = false
"#;

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_response_that_differs_from_the_openapi_description() {
    let Some(python) = or_skip(python_with(&["schemathesis==4.32.5"], &packages(), &progress())) else { return };
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), SCHEMATHESIS).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/openapi.json");
    // The token of a program submits for any person; the token of a person decides.
    for who in [None, Some("alex")] {
        let token = caller(&lockbox, &site, who, &ALL).await.token;
        let mut command = python.command();
        command
            .current_dir(folder.path())
            .args(["-m", "schemathesis.cli", "run"])
            .arg(&schema)
            .args(["--url", &site.origin, "--header", &format!("Authorization: Bearer {token}")])
            .args(["--max-examples", "10", "--seed", "1", "--generation-deterministic", "--rate-limit", "40/s"])
            .args(["--continue-on-failure", "--no-color", "--warnings", "off"])
            // Schemathesis must only call the portal.
            .env("NO_PROXY", "*");
        let done = run(command).await;
        assert!(done.status.success(), "as {who:?}: {}{}", text(&done.stdout), text(&done.stderr));
        assert!(text(&done.stdout).contains("No issues found"), "{}", text(&done.stdout));
    }
    assert_eq!(lockbox.store.dead_letter_count().await.unwrap(), 0, "no call became a dead-letter message");
    site.close();
    lockbox.finish().await;
}
