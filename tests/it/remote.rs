//! The command line of people with API tokens: they reach neither the database nor the broker.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};

use crate::api::{ALL, caller};
use crate::harness::{Lockbox, ROLES, submission};
use crate::person::Site;

/// The terminal of a person.
struct Terminal {
    portal: String,
    token: String,
}

impl Terminal {
    async fn run(&self, line: &[&str]) -> Output {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
            .args(line)
            .env("LOCKBOX_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
            .env("LOCKBOX_AMQP_URL", "amqp://nobody@127.0.0.1:1")
            .env("LOCKBOX_PORTAL_URL", &self.portal)
            .env("LOCKBOX_TOKEN", &self.token)
            .output()
            .await
            .unwrap()
    }

    async fn says(&self, line: &[&str]) -> String {
        let done = self.run(line).await;
        assert!(done.status.success(), "{line:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    async fn refused(&self, line: &[&str], code: i32) -> String {
        let done = self.run(line).await;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(code), "{line:?}: {said}");
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_handles_a_complete_request_with_api_tokens() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let terminal = async |name: &str| {
        let token = caller(&lockbox, &site, Some(name), &ALL).await.token;
        Terminal { portal: site.origin.clone(), token }
    };
    let (robin, morgan, alex) = (terminal("robin").await, terminal("morgan").await, terminal("alex").await);
    let submit = [
        "request",
        "submit",
        "--tenant",
        "contoso",
        "--service-request",
        "SR-2026-004711",
        "--service",
        "exchange_online",
        "--resource",
        "finance@contoso.example",
        "--justification",
        "mail is stuck",
        "--duration",
        "15m",
        "-o",
        "json",
    ];
    let request: Value = serde_json::from_str(&robin.says(&submit).await).unwrap();
    assert_eq!(request["requester"], "robin", "the token states the requester");
    let id = request["id"].as_str().unwrap();
    assert!(robin.refused(&["request", "approve", id], 4).await.contains("own_request"));
    assert!(morgan.says(&["request", "approve", id, "--comment", "go on"]).await.contains("pending_customer"));
    alex.says(&["request", "comment", id, "why?"]).await;
    assert!(alex.says(&["request", "approve", id, "--duration", "10m"]).await.contains("active"));
    let shown = alex.says(&["request", "show", id]).await;
    assert!(shown.contains("mail is stuck") && shown.contains("comment: why?"), "{shown}");
    assert!(robin.says(&["request", "list", "--open"]).await.contains(id));
    assert!(robin.says(&["grant", "revoke", id]).await.contains("ended (released)"));
    assert!(robin.says(&["request", "watch", id]).await.contains("grant.ended"));
    lockbox.until_idle().await;
    let found = alex.says(&["audit", "search", "--person", "morgan", "-o", "csv"]).await;
    assert!(found.contains("request.vendor_approved") && found.contains("go on"), "{found}");
    // An approver of another tenant finds nothing, and an unknown token is refused.
    let dana = terminal("dana").await;
    dana.refused(&["request", "show", id], 3).await;
    let nobody = Terminal { portal: site.origin.clone(), token: "lbx_none".into() };
    assert!(nobody.refused(&["request", "list"], 4).await.contains("unauthorized"));
    let abroad = Terminal { portal: "http://lockbox.fabrikam.example".into(), token: "lbx_none".into() };
    assert!(abroad.refused(&["request", "list"], 2).await.contains("without https"));
    site.close();
    lockbox.finish().await;
}

/// The program with a token, started and not awaited; its standard error and output are pipes.
fn started(portal: &str, line: &[&str], zone: &str) -> tokio::process::Child {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_lockbox"))
        .args(line)
        .env("LOCKBOX_PORTAL_URL", portal)
        .env("TZ", zone)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The next line of a pipe with this text in it.
async fn line_with<R: tokio::io::AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>, text: &str) -> String {
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("the command ended without {text:?}");
    };
    tokio::time::timeout(Duration::from_secs(60), reading).await.unwrap_or_else(|_| panic!("no line with {text:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_waits_until_a_worker_has_processed_it_once() {
    let lockbox = Lockbox::without_roles().await;
    let site = Site::open(&lockbox).await;
    let submit = ["request", "submit", "--as", "robin", "--tenant", "contoso", "--service-request", "SR-2026-004711"];
    let content = ["--service", "exchange_online", "--resource", "finance@contoso.example", "--justification", "stuck"];
    let mut command = started(&site.origin, &[submit.as_slice(), &content].concat(), "UTC");
    let mut messages = BufReader::new(command.stderr.take().unwrap()).lines();
    // The portal has waited ten seconds for the outcome of the command.
    line_with(&mut messages, "The command is stored. Waiting for a worker").await;
    lockbox.start(&ROLES).await;
    line_with(&mut messages, "The request is submitted").await;
    let done = command.wait_with_output().await.unwrap();
    assert!(done.status.success());
    assert!(String::from_utf8_lossy(&done.stdout).contains("pending_vendor"));
    let requests: i64 = sqlx::query_scalar("select count(*) from requests").fetch_one(&lockbox.pool).await.unwrap();
    assert_eq!(requests, 1, "the repeated call is the same command");
    site.close();
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_list_is_printed_again_when_it_changes_and_times_are_local() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let site = Site::open(&lockbox).await;
    let list = ["request", "list", "--as", "robin", "--columns", "id,state,expires", "--watch", "--every", "1s"];
    let mut command = started(&site.origin, &list, "Asia/Tokyo");
    let mut lines = BufReader::new(command.stdout.take().unwrap()).lines();
    line_with(&mut lines, "nothing found").await;
    let request = lockbox.submit(&submission()).await;
    let pending = line_with(&mut lines, "pending_vendor").await;
    assert!(pending.contains(&request.to_string()) && pending.contains("+09:00"), "{pending}");
    lockbox.decide(contracts::Kind::VendorDecide, request, "morgan", domain::Verdict::Deny).await;
    line_with(&mut lines, "vendor_denied").await;
    command.kill().await.unwrap();
    let utc = ["request", "list", "--as", "robin", "--columns", "id,expires", "--utc"];
    let shown = started(&site.origin, &utc, "Asia/Tokyo").wait_with_output().await.unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("+00:00"), "{shown}");
    let csv = ["request", "list", "--as", "robin", "--columns", "id,expires", "-o", "csv"];
    let shown = started(&site.origin, &csv, "Asia/Tokyo").wait_with_output().await.unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.trim_end().ends_with('Z'), "programs get UTC: {shown}");
    site.close();
    lockbox.finish().await;
}
