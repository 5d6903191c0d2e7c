//! The gate: who has access, to what, and for how long.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use contracts::Kind;
use domain::Verdict::Approve;
use gate::Signer;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use store::audit::AuditFilter;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::harness::{Lockbox, ROLES, body, eventually, submission};

/// A gate in this process.
pub struct Gate {
    pub address: SocketAddr,
    pub client: Client,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Gate {
    pub async fn open(lockbox: &Lockbox) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = runtime::listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let signer = Some(Signer::of_this_process());
        gate::start(&lockbox.settings, listener, signer, stop.clone(), &tasks).unwrap();
        Self { address, client: Client::new(), stop, tasks }
    }

    /// Stops answering; uses so far are recorded.
    pub async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(Duration::from_secs(10), self.tasks.wait()).await.unwrap();
    }

    /// What a program asks.
    async fn ask(&self, question: &Value) -> reqwest::Response {
        let asking = self.client.post(format!("http://{}/v1/check", self.address)).body(question.to_string());
        asking.send().await.unwrap()
    }

    /// Whether a program's question is answered with yes.
    pub async fn allows(&self, question: &Value) -> bool {
        match self.ask(question).await.status() {
            StatusCode::NO_CONTENT => true,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => false,
            other => panic!("the gate answered {other}"),
        }
    }

    /// What nginx asks for its client.
    async fn proxied(&self, token: &str, method: &str, uri: &str, more: &[(&str, &str)]) -> bool {
        let query = "proxy=nginx&tenant=contoso&service=sharepoint&site=https://contoso.example";
        let mut asking = self.client.get(format!("http://{}/v1/check?{query}", self.address)).bearer_auth(token);
        asking = asking.header("x-original-uri", uri).header("x-original-method", method);
        for (name, value) in more {
            asking = asking.header(*name, *value);
        }
        asking.send().await.unwrap().status() == StatusCode::NO_CONTENT
    }
}

/// Robin's request: a site of Contoso for a minute.
pub fn site(resource: &str) -> Value {
    let mut data = submission();
    data["service"] = "sharepoint".into();
    data["resource"] = resource.into();
    data
}

/// A request that both sides approved.
pub async fn granted(lockbox: &Lockbox, data: &Value) -> Uuid {
    let request = lockbox.submit(data).await;
    lockbox.decide(Kind::VendorDecide, request, "morgan", Approve).await;
    let approver = if data["tenant"] == "adatum" { "dana" } else { "alex" };
    lockbox.decide(Kind::CustomerDecide, request, approver, Approve).await;
    lockbox.until(request, "active").await;
    request
}

pub async fn access_token(lockbox: &Lockbox, request: Uuid) -> String {
    operations::access_token::issue(&lockbox.store, request, "robin").await.unwrap().0
}

pub async fn end(lockbox: &Lockbox, request: Uuid) {
    let data = contracts::commands::RevokeAccess { request, by: "alex".into(), comment: None };
    assert_eq!(lockbox.outcome(Kind::GrantRevoke, &data).await, "grant.ended");
}

/// Changes a request to read and write, past the guards.
pub async fn make_writable(lockbox: &Lockbox, request: Uuid) {
    let mut tx = lockbox.pool.begin().await.unwrap();
    sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    sqlx::query(
        "with changed as (select convert_to((convert_from(content, 'UTF8')::jsonb || '{\"access_level\": \"read_write\"}')::text, 'UTF8') as bytes \
         from requests where id = $1) update requests set content = bytes, digest = sha256(bytes) from changed where id = $1",
    )
    .bind(request)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

/// Access activity in the audit log, as code and count.
pub async fn uses(lockbox: &Lockbox) -> Vec<(String, u64, Value)> {
    let filter = AuditFilter { type_name: Some("grant.used".into()), limit: 500, ..AuditFilter::default() };
    let found = lockbox.store.search_audit(&filter).await.unwrap();
    found
        .iter()
        .map(|event| {
            let data = body(event);
            (data["code"].as_str().unwrap().to_owned(), data["count"].as_u64().unwrap(), data)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_engineer_has_access_and_only_to_the_granted_resource_while_access_is_active() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let waiting = lockbox.submit(&submission()).await;
    assert!(operations::access_token::issue(&lockbox.store, waiting, "robin").await.is_err(), "nobody has approved");
    let request = granted(&lockbox, &submission()).await;
    for other in ["sam", "morgan", "alex", "nobody"] {
        assert!(
            operations::access_token::issue(&lockbox.store, request, other).await.is_err(),
            "{other} did not ask for it"
        );
    }
    let old = access_token(&lockbox, request).await;
    let token = access_token(&lockbox, request).await;
    let mailbox = |token: &str| {
        json!({"access_token": token, "tenant": "contoso", "service": "exchange_online",
               "resource": "finance@contoso.example", "person": "robin"})
    };
    let yes = gate.ask(&mailbox(&token)).await;
    assert_eq!(yes.status(), StatusCode::NO_CONTENT);
    assert_eq!(yes.headers()["x-lockbox-request"], request.to_string());
    assert_eq!(
        (&yes.headers()["x-lockbox-person"], &yes.headers()["x-lockbox-access-level"]),
        (&"robin".parse().unwrap(), &"read_only".parse().unwrap())
    );
    assert!(gate.allows(&mailbox(&token)).await, "and again");
    assert!(!gate.allows(&mailbox(&old)).await, "a new access token replaces the old");
    for (field, value, code) in [
        ("access_token", "lbg_guessed", None),
        ("tenant", "adatum", Some("elsewhere")),
        ("tenant", "nobody", Some("elsewhere")),
        ("service", "onedrive", Some("elsewhere")),
        ("resource", "hr@contoso.example", Some("not_covered")),
        ("person", "sam", None),
        ("method", "DELETE", Some("read_only")),
        ("surprise", "x", Some("odd")),
    ] {
        let mut wrong = mailbox(&token);
        wrong[field] = value.into();
        let no = gate.ask(&wrong).await;
        let status = if code.is_some() { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
        assert_eq!(no.status(), status, "{field} {value}");
        let header = |name: &str| no.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("x-lockbox-code").as_deref(), code, "{field} {value}");
        assert_eq!(header("x-lockbox-reason").is_some(), code.is_some(), "{field} {value}");
        let challenge = code.is_none().then(|| "Basic realm=\"Lockbox\"".to_owned());
        assert_eq!(header("www-authenticate"), challenge, "{field} {value}");
        assert!(header("x-lockbox-request").is_none() && header("x-lockbox-person").is_none(), "a no names nobody");
    }
    let disable = "update people set enabled = not enabled where name = 'robin'";
    sqlx::query(disable).execute(&lockbox.pool).await.unwrap();
    assert!(!gate.allows(&mailbox(&token)).await, "a disabled engineer");
    sqlx::query(disable).execute(&lockbox.pool).await.unwrap();
    assert!(gate.allows(&mailbox(&token)).await);
    end(&lockbox, request).await;
    assert!(!gate.allows(&mailbox(&token)).await, "ended");
    assert!(
        operations::access_token::issue(&lockbox.store, request, "robin").await.is_err(),
        "nothing is open any more"
    );
    gate.close().await;
    let recorded = eventually("every check is in the audit log", async || {
        let uses = uses(&lockbox).await;
        (uses.iter().map(|(_, count, _)| count).sum::<u64>() == 14).then_some(uses)
    })
    .await;
    let count =
        |code: &str| recorded.iter().filter(|(known, ..)| known == code).map(|(_, count, _)| count).sum::<u64>();
    let codes = ["ok", "unknown_credential", "elsewhere", "not_covered", "read_only", "odd", "not_open"];
    assert_eq!(codes.map(count), [3, 3, 3, 1, 1, 1, 2]);
    let (_, _, use_of) = recorded.iter().find(|(code, ..)| code == "ok").unwrap();
    assert_eq!((&use_of["actor"]["name"], &use_of["request"]), (&json!("robin"), &json!(request)));
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_read_only_below_the_granted_folder_and_written_only_with_read_and_write_access() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let request = granted(&lockbox, &site("https://contoso.example/sites/site-a")).await;
    let token = access_token(&lockbox, request).await;
    assert!(gate.proxied(&token, "GET", "/sites/site-a/x.txt", &[]).await);
    assert!(gate.proxied(&token, "PROPFIND", "/sites/site-a/", &[]).await);
    for uri in [
        "/sites/site-ab/x",
        "/sites/site-a/../site-b/x",
        "/sites/site-a/%2e%2e/site-b",
        "/sites/site-a%2f..%2fsite-b",
        "/sites/site-a/%252e%252e/x",
        "/sites//site-a/x",
        "/SITES/site-a/x",
        "/",
    ] {
        assert!(!gate.proxied(&token, "GET", uri, &[]).await, "{uri}");
    }
    for method in ["PUT", "DELETE", "MKCOL", "PROPPATCH", "LOCK", "POST", "BREW"] {
        assert!(!gate.proxied(&token, method, "/sites/site-a/x.txt", &[]).await, "{method} on what is read only");
    }
    let asks_for_more = [("x-http-method-override", "DELETE")];
    assert!(!gate.proxied(&token, "GET", "/sites/site-a/x.txt", &asks_for_more).await);
    make_writable(&lockbox, request).await;
    assert!(gate.proxied(&token, "PUT", "/sites/site-a/x.txt", &[]).await);
    assert!(gate.proxied(&token, "MOVE", "/sites/site-a/x.txt", &[("destination", "/sites/site-a/y.txt")]).await);
    for out in ["/sites/site-b/x.txt", "/sites/site-a/../site-b/x.txt", "https://evil.example/sites/site-a/x", ""] {
        assert!(!gate.proxied(&token, "COPY", "/sites/site-a/x.txt", &[("destination", out)]).await, "{out}");
    }
    assert!(!gate.proxied(&token, "MOVE", "/sites/site-a/x.txt", &[]).await, "nobody says where to");
    gate.close().await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_valid_only_for_its_own_grant() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let whole = granted(&lockbox, &site("https://contoso.example/sites/a")).await;
    let part = granted(&lockbox, &site("https://contoso.example/sites/a/part")).await;
    let other = granted(&lockbox, &site("https://contoso.example/sites/b")).await;
    make_writable(&lockbox, part).await;
    let tokens =
        [access_token(&lockbox, whole).await, access_token(&lockbox, part).await, access_token(&lockbox, other).await];
    let ask = async |token: usize, resource: &str, method: &str| {
        let question = json!({"access_token": tokens[token], "tenant": "contoso", "service": "sharepoint", "resource": resource, "method": method});
        let answer = gate.ask(&question).await;
        answer.headers().get("x-lockbox-request").map(|value| value.to_str().unwrap().to_owned())
    };
    let inside = "https://contoso.example/sites/a/part/x";
    assert_eq!(ask(0, inside, "GET").await, Some(whole.to_string()));
    assert_eq!(ask(0, inside, "PUT").await, None, "another grant allows changes, and has a token of its own");
    assert_eq!(ask(1, inside, "PUT").await, Some(part.to_string()));
    assert_eq!(ask(0, "https://contoso.example/sites/b/x", "GET").await, None);
    assert_eq!(ask(2, "https://contoso.example/sites/b/x", "GET").await, Some(other.to_string()));
    end(&lockbox, part).await;
    assert_eq!(ask(1, inside, "GET").await, None, "a token ends with its own grant, although another one is open");
    assert_eq!(ask(0, inside, "GET").await, Some(whole.to_string()));
    gate.close().await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_with_a_later_start_time_is_refused_until_then() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let mut later = submission();
    later["start_time"] = (lockbox.store.clock().await.unwrap() + chrono::TimeDelta::hours(1)).to_rfc3339().into();
    let request = granted(&lockbox, &later).await;
    let token = access_token(&lockbox, request).await;
    let question = json!({"access_token": token, "tenant": "contoso", "service": "exchange_online", "resource": "finance@contoso.example"});
    assert!(!gate.allows(&question).await);
    let open = gate.client.get(format!("http://{}/v1/open/{request}", gate.address)).send().await.unwrap();
    assert_eq!(open.status(), StatusCode::FORBIDDEN);
    gate.close().await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_or_unavailable_database_refuses_within_half_a_second() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let request = granted(&lockbox, &submission()).await;
    let token = access_token(&lockbox, request).await;
    let question = json!({"access_token": token, "tenant": "contoso", "service": "exchange_online", "resource": "finance@contoso.example"});
    assert!(gate.allows(&question).await);
    let mut holder = lockbox.pool.begin().await.unwrap();
    sqlx::query("lock table requests in access exclusive mode").execute(&mut *holder).await.unwrap();
    let started = Instant::now();
    assert!(!gate.allows(&question).await, "nobody knows");
    assert!(started.elapsed() < Duration::from_millis(700), "{:?}", started.elapsed());
    holder.rollback().await.unwrap();
    eventually("the gate answers again", async || gate.allows(&question).await.then_some(())).await;
    let mut nowhere = lockbox.settings.clone();
    nowhere.database_url = "postgres://postgres@127.0.0.1:1/nowhere".into();
    let listener = runtime::listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    gate::start(&nowhere, listener, None, stop.clone(), &TaskTracker::new()).unwrap();
    let asking = gate.client.post(format!("http://{address}/v1/check")).body(question.to_string());
    assert_eq!(asking.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    stop.cancel();
    gate.close().await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_token_expires_within_a_minute_and_with_the_grant_and_verifies_with_the_published_key() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    let token = async |seconds: i64| {
        let mut data = site("https://contoso.example/sites/a");
        data["duration_seconds"] = seconds.into();
        let request = granted(&lockbox, &data).await;
        let shown = access_token(&lockbox, request).await;
        let question = json!({"access_token": shown, "tenant": "contoso", "service": "sharepoint", "resource": "https://contoso.example/sites/a"});
        let asking = gate.client.post(format!("http://{}/v1/token", gate.address)).body(question.to_string());
        let answer: Value = serde_json::from_str(&asking.send().await.unwrap().text().await.unwrap()).unwrap();
        (lockbox.view(request).await.access_until.unwrap(), answer["token"].as_str().unwrap().to_owned())
    };
    let keys = gate.client.get(format!("http://{}/.well-known/jwks.json", gate.address)).send().await.unwrap();
    let keys: Value = serde_json::from_str(&keys.text().await.unwrap()).unwrap();
    let key = BASE64_URL_SAFE_NO_PAD.decode(keys["keys"][0]["x"].as_str().unwrap()).unwrap();
    let claims = |token: &str| -> Value {
        let (text, signature) = token.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, &key);
        key.verify(text.as_bytes(), &signature).unwrap();
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text.split_once('.').unwrap().1).unwrap()).unwrap()
    };
    let (until, short) = token(30).await;
    let short = claims(&short);
    assert!(short["exp"].as_i64().unwrap() <= until.timestamp(), "never beyond the grant");
    let (_, long) = token(3600).await;
    let long = claims(&long);
    assert_eq!(long["exp"].as_i64().unwrap() - long["iat"].as_i64().unwrap(), 60);
    assert_eq!((&long["sub"], &long["aud"]), (&json!("robin"), &json!("contoso/sharepoint")));
    assert_eq!(
        (&long["resource"], &long["access_level"]),
        (&json!("https://contoso.example/sites/a"), &json!("read_only"))
    );
    gate.close().await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_check_after_a_committed_end_is_refused() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let gate = Gate::open(&lockbox).await;
    for _ in 0..5 {
        let request = granted(&lockbox, &submission()).await;
        let shown = access_token(&lockbox, request).await;
        let question = json!({"access_token": shown, "tenant": "contoso", "service": "exchange_online", "resource": "finance@contoso.example"});
        assert!(gate.allows(&question).await);
        let data = contracts::commands::RevokeAccess { request, by: "alex".into(), comment: None };
        lockbox.command(Kind::GrantRevoke, &data).await;
        eventually("the row says it is over", async || {
            // The gate is called after the row was read: allowing now would be allowing after the end.
            let state: String = sqlx::query_scalar("select state from requests where id = $1")
                .bind(request)
                .fetch_one(&lockbox.pool)
                .await
                .unwrap();
            let allowed = gate.allows(&question).await;
            assert!(state == "active" || !allowed, "allowed after the end");
            (state == "ended").then_some(())
        })
        .await;
    }
    gate.close().await;
    lockbox.finish().await;
}
