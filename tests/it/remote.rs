//! The command line of people with API tokens: they reach neither the database nor the broker.

use std::process::Output;

use serde_json::Value;

use crate::api::{ALL, caller};
use crate::harness::{Lockbox, ROLES};
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
