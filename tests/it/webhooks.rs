//! Events over HTTP: signed, never lost, only to their tenant, and never to the internal network.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use contracts::events::Actor;
use domain::Verdict::Approve;
use serde_json::Value;
use store::webhooks::NewWebhook;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use workers::RoleName;

use crate::harness::{Lockbox, ROLES, eventually, submission};
use crate::person::Site;

/// A receiver: the deliveries that it got, and its next response.
#[derive(Clone)]
pub struct Ears {
    pub origin: String,
    pub heard: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
    answer: Arc<Mutex<StatusCode>>,
}

async fn hear(State(ears): State<Ears>, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let answer = *ears.answer.lock().unwrap();
    ears.heard.lock().unwrap().push((uri.path().to_owned(), headers, body));
    (answer, [("location", format!("{}/elsewhere", ears.origin))])
}

impl Ears {
    pub async fn open() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(StatusCode::NO_CONTENT));
        let ears = Self { origin, heard: Arc::default(), answer };
        let router = Router::new().fallback(hear).with_state(ears.clone());
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
        ears
    }

    pub fn answers(&self, status: StatusCode) {
        *self.answer.lock().unwrap() = status;
    }

    /// Types heard at a path, in order.
    fn types(&self, path: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let of = heard.iter().filter(|(at, _, _)| at == path);
        of.map(|(_, _, body)| serde_json::from_slice::<Value>(body).unwrap()["type"].as_str().unwrap().to_owned())
            .collect()
    }
}

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub async fn add(lockbox: &Lockbox, tenant: Option<&str>, url: &str, types: &str) -> Uuid {
    let tenants = lockbox.store.tenants().await.unwrap();
    let id = |name: &str| tenants.iter().find(|tenant| tenant.name == name).unwrap().id.0;
    let new = NewWebhook { tenant: tenant.map(id), name: "test", url, types, secret: SECRET };
    lockbox.store.add_webhook(new, "test", Actor::lockbox()).await.unwrap().0
}

pub async fn granted(lockbox: &Lockbox) -> Uuid {
    let request = lockbox.submit(&submission()).await;
    lockbox.decide(contracts::Kind::VendorDecide, request, "morgan", Approve).await;
    lockbox.decide(contracts::Kind::CustomerDecide, request, "alex", Approve).await;
    lockbox.until(request, "active").await;
    request
}

/// Makes all pending deliveries due now.
async fn hurry(lockbox: &Lockbox) {
    let due = "update webhook_deliveries set due_at = clock_timestamp() where due_at > clock_timestamp()";
    sqlx::query(due).execute(&lockbox.pool).await.unwrap();
    let rested = "update webhooks set paused_until = clock_timestamp() where paused_until > clock_timestamp()";
    sqlx::query(rested).execute(&lockbox.pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_delivered_once_signed_and_unchanged_and_only_to_their_tenant() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let ears = Ears::open().await;
    for (tenant, path, types) in
        [(None, "/all", ""), (Some("contoso"), "/contoso", "grant.activated"), (Some("adatum"), "/adatum", "")]
    {
        add(&lockbox, tenant, &format!("{}{path}", ears.origin), types).await;
    }
    lockbox.start(&[RoleName::Mail]).await;
    let request = granted(&lockbox).await;
    eventually("the vendor's own hook heard of the grant", async || {
        ears.types("/all").iter().any(|kind| kind == "lockbox.grant.activated.v1").then_some(())
    })
    .await;
    eventually("the tenant's hook heard of the grant", async || (!ears.types("/contoso").is_empty()).then_some(()))
        .await;
    assert_eq!(ears.types("/contoso"), ["lockbox.grant.activated.v1"], "only what begins with grant.activated");
    assert!(ears.types("/adatum").iter().all(|kind| kind.starts_with("lockbox.log.")), "nothing of another tenant");
    for step in ["request.submitted", "request.vendor_approved", "request.customer_approved", "grant.activated"] {
        let count = ears.types("/all").iter().filter(|kind| kind.contains(step)).count();
        assert_eq!(count, 1, "{step}");
    }
    let log = lockbox.steps(request).await;
    assert!(log.contains(&"grant.activated".to_owned()));
    let (_, headers, body) = ears.heard.lock().unwrap().iter().find(|(path, ..)| path == "/contoso").unwrap().clone();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let id: Uuid = header("webhook-id").parse().unwrap();
    assert_eq!(lockbox.store.audit_event(id).await.unwrap().body, body, "the exact bytes of the log");
    let seconds: i64 = header("webhook-timestamp").parse().unwrap();
    assert!((lockbox.store.clock().await.unwrap().timestamp() - seconds).abs() < 60);
    let signed = workers::webhooks::sign(SECRET, &header("webhook-id"), seconds, &body);
    assert_eq!(Some(header("webhook-signature")), signed);
    let waiting = "nothing is left to deliver";
    eventually(waiting, async || {
        let left = sqlx::query_scalar("select count(*) from webhook_deliveries").fetch_one(&lockbox.pool).await;
        (left.unwrap_or(1_i64) == 0).then_some(())
    })
    .await;
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_receiver_is_retried_and_a_gone_receiver_is_disabled_and_its_approvers_notified() {
    let lockbox = Lockbox::with_roles(&ROLES).await;
    let ears = Ears::open().await;
    let hook = add(&lockbox, Some("contoso"), &format!("{}/hook", ears.origin), "grant.activated").await;
    lockbox.start(&[RoleName::Mail]).await;
    let look = async || lockbox.store.webhooks(None).await.unwrap().pop().unwrap();
    // A redirect is an answer like any other that is not yes: it is not followed.
    ears.answers(StatusCode::FOUND);
    granted(&lockbox).await;
    let failing =
        eventually("the failure is noted", async || Some(look().await).filter(|hook| hook.last_error.is_some()));
    let failing = failing.await;
    assert!(failing.failing_since.is_some() && failing.waiting == 1, "{failing:?}");
    assert!(ears.types("/elsewhere").is_empty());
    ears.answers(StatusCode::GONE);
    hurry(&lockbox).await;
    let off = eventually("it is switched off", async || Some(look().await).filter(|hook| hook.off_at.is_some())).await;
    assert!(off.off_why.unwrap().contains("410"));
    eventually("the approvers are notified", async || {
        let mails = lockbox.mailbox.mails();
        let is_notified =
            |mail: &portal::mailbox::Mail| mail.to.join("") == "kim@contoso.example" && mail.text.contains("410");
        mails.iter().any(is_notified).then_some(())
    })
    .await;
    // What it has not taken was kept, and goes when it is on again.
    ears.answers(StatusCode::OK);
    lockbox.store.switch_webhook(hook, None, "test", Actor::lockbox()).await.unwrap();
    eventually("what waited is delivered", async || (look().await.waiting == 0).then_some(())).await;
    assert!(look().await.failing_since.is_none());
    lockbox.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_adds_webhooks_only_for_the_own_tenant_and_only_with_public_addresses() {
    let lockbox = Lockbox::with_roles(&[RoleName::Audit]).await;
    let site = Site::open(&lockbox).await;
    let (alex, dana) = (site.sign_in("Alex Novak").await, site.sign_in("Dana Whitfield").await);
    let ask = async |url: &str| {
        alex.fill("/settings", "/settings/webhooks", &[("name", "Chat"), ("url", url), ("types", "grant.")]).await
    };
    for inside in ["https://169.254.169.254/", "http://hooks.contoso.example/", "https://[::1]/", "https://10.1.2.3/"] {
        assert!(ask(inside).await.text.contains("Nothing was changed"), "{inside}");
    }
    let added = ask("https://events.contoso.example/x").await;
    assert!(added.text.contains("whsec_"), "{}", added.text);
    let page = alex.get("/settings").await.text;
    assert!(page.contains("https://events.contoso.example/x") && !page.contains("whsec_"), "shown once");
    assert!(!dana.get("/settings").await.text.contains("events.contoso.example"));
    let hook = lockbox.store.webhooks(None).await.unwrap().pop().unwrap();
    let (id, path) = (hook.id.to_string(), "/settings/webhooks/removal");
    assert_eq!(dana.fill("/settings", path, &[("id", &id)]).await.status, reqwest::StatusCode::NOT_FOUND);
    assert_eq!(alex.fill("/settings", path, &[("id", &id)]).await.status, reqwest::StatusCode::SEE_OTHER);
    assert!(lockbox.store.webhooks(None).await.unwrap().is_empty());
    site.close();
    lockbox.finish().await;
}
